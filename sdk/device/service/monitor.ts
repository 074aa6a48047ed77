import { EigenError, isEigenError } from '../../util/errors.ts';
import type { Answered, ModelHost } from '../agent/host.ts';
import type { Tensors } from '../agent/model.ts';

/** What a model may be found wrong by while it is on probation; nothing is limited that is absent. */
export interface HealthLimits {
  /** Milliseconds that 95 of 100 inferences may take. */
  readonly p95Milliseconds?: number;
  /** Of the process, bytes. */
  readonly residentBytes?: number;
}

/** How the model that runs has done. */
export interface ModelHealth {
  /** Inferences, with those that failed. */
  readonly runs: number;
  readonly failures: number;
  /** Of the last inferences; absent before there were enough. */
  readonly p95Milliseconds?: number;
  readonly residentBytes: number;
  /** Of the device, degrees Celsius. */
  readonly temperature?: number;
  /** Means of what applications measured. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Inferences whose times are kept, and from how many a percentile is taken. */
const KEPT = 256;
const ENOUGH = 20;
/** Names of metrics that are kept. */
const MOST_METRICS = 32;
const METRIC = /^[A-Za-z0-9_.-]{1,64}$/;

/** Runs inferences on what is hosted and keeps books of them, for the model that runs. */
export class Monitor {
  private readonly host: ModelHost;
  private readonly residentBytes: () => number;
  private readonly monotonic: () => number;
  private readonly times = new Float64Array(KEPT);
  private timed = 0;
  private failures = 0;
  private taken = { runs: 0, failures: 0 };
  private readonly metrics = new Map<string, { sum: number; count: number }>();

  constructor(host: ModelHost, probes: { readonly residentBytes: () => number; readonly monotonic: () => number }) {
    this.host = host;
    this.residentBytes = probes.residentBytes;
    this.monotonic = probes.monotonic;
    host.onSwap(() => this.forget());
  }

  /** One inference. Throws EW5003_ENGINE_UNAVAILABLE while there is no model. */
  async run(inputs: Tensors): Promise<Answered> {
    const model = this.host.serving;
    const from = this.monotonic();
    try {
      const answered = await this.host.answer(inputs);
      // An inference that was overtaken by a swap says nothing about the model that runs now.
      if (answered.model === this.host.serving) this.times[this.timed++ % KEPT] = this.monotonic() - from;
      return answered;
    } catch (e) {
      const counts = model !== undefined && model === this.host.serving;
      if (counts && !(isEigenError(e) && e.code === 'EW3202_DATA_INVALID')) this.failures++;
      throw e;
    }
  }

  /**
   * Takes what an application measured of the model that runs: its accuracy where it learns the truth, its confidence, ...
   * @throws EigenError EW3202_DATA_INVALID.
   */
  measure(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (!METRIC.test(name) || !Number.isFinite(value)) throw invalid(`metric '${name}' is ${value}`);
      if (!this.metrics.has(name) && this.metrics.size >= MOST_METRICS)
        throw invalid(`metric '${name}' is one too many`);
      const { sum, count } = this.metrics.get(name) ?? { sum: 0, count: 0 };
      this.metrics.set(name, { sum: sum + value, count: count + 1 });
    }
  }

  /** Since it runs. */
  health(): ModelHealth {
    const { timed, failures } = this;
    const kept = this.times.slice(0, Math.min(timed, KEPT)).sort();
    const p95 = kept.length < ENOUGH ? {} : { p95Milliseconds: kept[Math.ceil(kept.length * 0.95) - 1]! };
    const metrics = Object.fromEntries([...this.metrics].map(([name, { sum, count }]) => [name, sum / count]));
    return { runs: timed + failures, failures, ...p95, residentBytes: this.residentBytes(), metrics };
  }

  /** Since this was called last: runs and failures, and the means of metrics. */
  take(): ModelHealth {
    const health = this.health();
    const { runs, failures } = this.taken;
    this.taken = { runs: health.runs, failures: health.failures };
    this.metrics.clear();
    return { ...health, runs: health.runs - runs, failures: health.failures - failures };
  }

  /** What is wrong by these limits; undefined when nothing. Failed inferences are the host's to tell. */
  problem({ p95Milliseconds, residentBytes }: HealthLimits): string | undefined {
    const health = this.health();
    if (residentBytes !== undefined && health.residentBytes > residentBytes)
      return `the process takes ${health.residentBytes} bytes of memory, ${residentBytes} are allowed`;
    const p95 = health.p95Milliseconds;
    if (p95Milliseconds !== undefined && p95 !== undefined && p95 > p95Milliseconds)
      return `95 % of inferences take up to ${p95.toFixed(2)} ms, ${p95Milliseconds} are allowed`;
    return undefined;
  }

  private forget(): void {
    this.timed = 0;
    this.failures = 0;
    this.taken = { runs: 0, failures: 0 };
    this.metrics.clear();
  }
}

function invalid(message: string): EigenError {
  return new EigenError('EW3202_DATA_INVALID', message, {
    hint: `At most ${MOST_METRICS} metrics, finite, with names of letters, digits, '_', '-' and '.'.`,
  });
}
