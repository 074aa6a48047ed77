import { EigenError } from '../util/errors.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Session, Snapshot } from './runner.ts';
import type { Sample } from './types.ts';

/** Samples on their way through a session, all stopped at the same step, so that every layer is run once a sample. */
export class Stream {
  private readonly session: Session;
  private readonly at: Snapshot[];
  /** States that were handed out and must stay valid. */
  private readonly lent = new Set<Snapshot>();

  constructor(session: Session, samples: readonly Sample[]) {
    this.session = session;
    this.at = samples.map((s) => session.start(s));
  }

  get samples(): number {
    return this.at.length;
  }

  /**
   * Brings sample i to where all `values` exist and reads them. Values must be asked for in the order of their use, and
   * are good until the next read.
   */
  async read(i: number, values: readonly string[]): Promise<Tensor[]> {
    const from = this.at[i]!;
    const to = Math.max(from.step, ...values.map((v) => this.session.readyAt(v)));
    // Also when nothing is left to run: the session may hold another sample's state.
    const lent = this.lent.delete(from);
    this.at[i] = await this.session.advance(from, to, lent ? undefined : 'spent');
    return values.map((v) => this.session.read(v));
  }

  /** State of sample i, to run on from without moving the stream. */
  snapshot(i: number): Snapshot {
    this.lent.add(this.at[i]!);
    return this.at[i]!;
  }
}

/** Throws EW1004_INTERRUPTED when the signal was raised. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new EigenError('EW1004_INTERRUPTED', 'compress: interrupted, nothing was written', {
      hint: 'Run the command again to start over.',
    });
  }
}

/** A copy that outlives the session's next run. */
export function copyOf(t: Tensor): Tensor {
  return { ...t, data: t.data.slice() } as Tensor;
}
