import { EigenError } from '../../util/errors.ts';
import type { Limits } from '../../wire/assignment.ts';
import type { LoadedModel, Tensors } from './model.ts';

/** Inferences that a latency is taken from. */
const TIMED = 20;

/**
 * Golden inputs through a model that is to be used: outputs to the byte, time and memory within limits.
 * @throws EigenError EW6004_SELF_TEST_FAILED, EW7005_GATE_FAILED.
 */
export async function passGate(model: LoadedModel, limits: Limits): Promise<void> {
  const { modelBytes } = limits;
  if (modelBytes !== undefined && model.modelBytes > modelBytes)
    throw gateFailed(`it needs ${model.modelBytes} bytes of memory, ${modelBytes} are allowed`);
  const times: number[] = [];
  do {
    const round = await model.runGolden();
    if (round.length === 0) throw gateFailed('it has no golden inputs');
    times.push(...round);
  } while (limits.p95Milliseconds !== undefined && times.length < TIMED);
  checkTimes(times, limits);
}

/** Live inputs that a model that is to be used was tried on beside the one that runs. */
export class Shadow {
  private readonly candidate: LoadedModel;
  private readonly wanted: number;
  private readonly times: number[] = [];
  private problem: EigenError | undefined;

  constructor(candidate: LoadedModel, wanted: number) {
    this.candidate = candidate;
    this.wanted = wanted;
  }

  get wantsMore(): boolean {
    return !this.problem && this.times.length < this.wanted;
  }

  /** Tries one input. Never throws: it is called beside a live inference. */
  async take(inputs: Tensors): Promise<void> {
    if (!this.wantsMore) return;
    const from = performance.now();
    try {
      const outputs = await this.candidate.run(inputs);
      const wrong = Object.keys(outputs).find((name) => !allFinite(outputs[name]!.data));
      if (wrong !== undefined) this.problem = gateFailed(`live input: output '${wrong}' is not finite`);
    } catch (e) {
      this.problem = gateFailed(`live input: ${e instanceof Error ? e.message : e}`);
    }
    this.times.push(performance.now() - from);
  }

  /**
   * Whether enough inputs were tried and all went well.
   * @throws EigenError EW7005_GATE_FAILED.
   */
  passed(limits: Limits): boolean {
    if (this.problem) throw this.problem;
    if (this.wantsMore) return false;
    checkTimes(this.times, limits);
    return true;
  }
}

function allFinite(data: ArrayLike<number | bigint>): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(Number(data[i]))) return false;
  return true;
}

function checkTimes(times: readonly number[], { p95Milliseconds }: Limits): void {
  const p95 = [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1] ?? 0;
  if (p95Milliseconds !== undefined && p95 > p95Milliseconds)
    throw gateFailed(`95 % of inferences take up to ${p95.toFixed(2)} ms, ${p95Milliseconds} are allowed`);
}

function gateFailed(reason: string): EigenError {
  return new EigenError('EW7005_GATE_FAILED', `the new model does not pass: ${reason}`, {
    hint: 'The one that was running still is. Assign a bundle that was measured on this board.',
  });
}
