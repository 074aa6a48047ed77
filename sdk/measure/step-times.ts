import { quantile } from './quantile.ts';

/** Seconds: the median over all runs, and the quartiles. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface StepTimes {
  /** In the order of the rows. */
  readonly rows: readonly Spread[];
  /** Runs that nobody watched, each between two that were. */
  readonly whole: Spread;
  readonly runs: number;
}

/** What is timed: a program of steps, of which several may count as one row. */
export interface Stepped {
  /** Row of every step; rows count from 0 without gaps. */
  readonly rowOf: readonly number[];
  /** One run that tells of every step as it ends. */
  watched(ended: (step: number) => void): void;
  unwatched(): Promise<unknown>;
}

export interface StepTimesOptions {
  /** Watched runs; as many as fit into two seconds by default, at least 5 and at most 400. */
  readonly runs?: number;
  readonly now?: () => number;
  readonly onRun?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

const WARM_UP_MS = 300;
const ALL_MS = 2000;

/**
 * Times every step of a program within whole runs, so that each finds the caches as it does in use and whatever slows the machine down
 * meets all of them. Runs until the kernels are warm before it counts.
 */
export async function timeSteps(program: Stepped, options: StepTimesOptions = {}): Promise<StepTimes> {
  const { now = () => performance.now() } = options;
  const { rowOf } = program;
  const count = rowOf.length === 0 ? 0 : Math.max(...rowOf) + 1;
  const run = new Float64Array(count);
  let before = 0;
  const ended = (step: number): void => {
    const at = now();
    run[rowOf[step]!]! += at - before;
    before = at;
  };
  const watched = (): void => {
    options.signal?.throwIfAborted();
    run.fill(0);
    before = now();
    program.watched(ended);
  };
  const started = now();
  let warm = 0;
  while (warm < 2 || now() - started < WARM_UP_MS) {
    watched();
    await program.unwatched();
    warm++;
  }
  const one = (now() - started) / warm;
  const runs = options.runs ?? Math.max(5, Math.min(400, Math.round(ALL_MS / one)));
  const rows = Array.from({ length: count }, () => new Float64Array(runs));
  const whole = new Float64Array(runs);
  for (let k = 0; k < runs; k++) {
    watched();
    run.forEach((ms, i) => {
      rows[i]![k] = ms / 1000;
    });
    const start = now();
    await program.unwatched();
    whole[k] = (now() - start) / 1000;
    options.onRun?.(k + 1, runs);
  }
  return { rows: rows.map(spreadOf), whole: spreadOf(whole), runs };
}

function spreadOf(values: Float64Array): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}
