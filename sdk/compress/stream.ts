import { EigenError } from '../util/errors.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Session, Snapshot } from './runner.ts';
import type { Sample } from './types.ts';

/** What the states of a stream's samples may take together, bytes. */
const STATE_BYTES = 64 << 20;
/** How often a sample's steps may be run again to stay within that, in whole runs. */
const REPEATS = 2;

/**
 * Samples on their way through a session, all stopped at the same step, so that every layer is run once a sample. Where the states of all
 * samples would take too much memory, as in the first layers of networks on images, they stay where they are, and the
 * few steps from there on are run again for what is read.
 */
export class Stream {
  private readonly session: Session;
  private readonly inputs: readonly Sample[];
  /** A state of every sample, at the same step or before; none: the sample itself. */
  private readonly at: (Snapshot | undefined)[];
  private readonly reached: number[];
  /** States that were handed out and must stay valid, and those of them that the stream has moved past. */
  private readonly lent = new Set<Snapshot>();
  private readonly past: Snapshot[] = [];
  private readonly limit: number;
  private decided = { step: 0, keep: false };
  /** Steps that were run again, of one sample. */
  private repeated = 0;

  constructor(session: Session, samples: readonly Sample[], limit = STATE_BYTES) {
    this.session = session;
    this.inputs = samples;
    this.limit = limit;
    this.at = samples.map(() => undefined);
    this.reached = samples.map(() => 0);
  }

  get samples(): number {
    return this.at.length;
  }

  /**
   * Brings sample i to where all `values` exist and reads them. Values must be asked for in the order of their use, and
   * are good until the next read.
   */
  async read(i: number, values: readonly string[]): Promise<Tensor[]> {
    const to = Math.max(this.reached[i]!, ...values.map((v) => this.session.readyAt(v)));
    this.reached[i] = to;
    const known = this.at[i];
    const from = known ?? this.session.start(this.inputs[i]!);
    if (from.step === to || this.keeps(to, from.step)) {
      // Also when nothing is left to run: the session may hold another sample's state.
      const lent = this.lent.has(from);
      const state = await this.session.advance(from, to, lent ? undefined : 'spent');
      if (lent && state !== from) this.past.push(from);
      this.at[i] = state;
    } else {
      await this.session.play(from, to, known ? undefined : 'spent');
    }
    return values.map((v) => this.session.read(v));
  }

  /**
   * States of samples [from, to), none later than where its sample was read last, to run on from without moving the stream. They are
   * good until states are asked for again.
   */
  states(from: number, to: number): Snapshot[] {
    this.takeBack();
    const states: Snapshot[] = [];
    for (let i = from; i < to; i++) {
      const state = this.at[i] ?? this.session.start(this.inputs[i]!);
      this.at[i] = state;
      this.lent.add(state);
      states.push(state);
    }
    return states;
  }

  /** Gives the memory of all states back to the session. */
  close(): void {
    this.takeBack();
    for (const state of this.at) if (state) this.session.release(state);
    this.at.fill(undefined);
  }

  private takeBack(): void {
    for (const state of this.past) this.session.release(state);
    this.past.length = 0;
    this.lent.clear();
  }

  /** Whether states are kept at `step`: the same for all samples. */
  private keeps(step: number, from: number): boolean {
    if (this.decided.step !== step) {
      const { session, limit, samples } = this;
      const keep = session.bytesAt(step) * samples <= limit || this.repeated > REPEATS * session.steps;
      if (!keep) this.repeated += step - from;
      this.decided = { step, keep };
    }
    return this.decided.keep;
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
