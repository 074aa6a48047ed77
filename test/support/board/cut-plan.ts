import { Rng } from '../../../sdk/util/rng.ts';
import type { Loss } from './disk.ts';

/** What is updated when power goes, and how. */
export type UpdateKind = 'whole' | 'delta' | 'agent';

/** Of an update, by what the disk is told. */
export const STATES = ['FETCH', 'VERIFY', 'LOAD', 'GATE', 'SWAP', 'PROBATION', 'COMMIT'] as const;
export type CutState = (typeof STATES)[number];

export interface Cut {
  readonly update: UpdateKind;
  /** Power goes after the disk was told that this begins, */
  readonly state: CutState;
  /** with so many writes more, the last of which is on its way, or so much later. */
  readonly after: { readonly writes: number } | { readonly milliseconds: number };
  /** By which the machine ends: its processor is reset and the disk goes on, or it loses power and the disk its cache. */
  readonly loss: 'reset' | Loss;
}

export interface CutResult {
  readonly cut: Cut;
  /** The last that had begun. */
  readonly state: CutState;
  /** Bytes that the disk had and had not been told to keep. */
  readonly unflushed: number;
  /** What started afterwards. */
  readonly started: 'old' | 'new';
  /** Bytes that came over the network afterwards, before it was installed. */
  readonly fetched: number;
  /** Seconds: from power on until a model answered, of that from the start of the agent, and until the update had ended. */
  readonly answered: number;
  readonly recovered: number;
  readonly ended: number;
}

/** An agent is on trial for long. */
const KINDS: readonly UpdateKind[] = ['whole', 'delta', 'agent', 'whole', 'delta'];

/** States that last; of the others little is left after some writes. */
const LONG: ReadonlySet<CutState> = new Set(['FETCH', 'LOAD', 'PROBATION']);

/** Cuts spread over kinds of updates, their states and ways to lose power. */
export function planCuts(count: number, seed: number): Cut[] {
  const rng = new Rng(seed);
  const losses = ['some', 'reset', 'lost', 'kept'] as const;
  const order = rng.permutation(STATES.length);
  return Array.from({ length: count }, (_, i) => {
    const [state, loss] = [STATES[order[i % STATES.length]!]!, losses[i % losses.length]!];
    const long = LONG.has(state);
    // What is told to reset itself does so a little later.
    const timed = loss === 'reset' || (long && rng.below(2) === 0);
    const after = timed ? { milliseconds: rng.below(long ? 2000 : 50) } : { writes: rng.below(long ? 12 : 5) };
    return { update: KINDS[i % KINDS.length]!, state, after, loss };
  });
}
