import type { Turn } from './protocol.ts';
import { spreadOf } from './results.ts';

/** Takes turns: a contestant in its process. */
export interface Taker {
  readonly id: string;
  /** On the processor of the round, where it has one. */
  turn(ms: number, processor?: number): Promise<Turn>;
}

export interface RoundOptions {
  /** Rounds that are to count. */
  readonly rounds: number;
  readonly turnMs: number;
  /** Processor that all turns of a round are taken on; any where undefined. */
  readonly placeOf?: (round: number) => Promise<number | undefined>;
  /** How far a round was from an undisturbed one by what its takers took together; at most 1 is undisturbed. */
  readonly noiseOf?: (seconds: readonly number[]) => number;
}

export interface Rounds {
  /** Seconds of one inference by contestant, one value a round that counts. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
  readonly kept: number;
  readonly dropped: number;
  readonly repeated: number;
}

/** Calibrations that far above the usual one of their process tell of a disturbed turn. */
const SLOWER = 1.15;
/** As does less than this share of the core. */
const SHARE = 0.9;
/** A disturbed turn is taken again, so often. */
const TRIES = 3;
/** Rounds are begun up to this many times those that are to count. */
const PATIENCE = 2;

interface Round {
  readonly seconds: readonly number[];
  /** How far its worst turn was from an undisturbed one; at most 1 is undisturbed. */
  readonly noise: number;
}

/**
 * Interleaved turns of contestants: whatever slows the machine down for long meets all of them, and ratios are taken within a round.
 * The order turns from round to round. A turn that something disturbed is taken again; a round with a turn that was disturbed every time
 * is dropped and another one begun, as is one that `noiseOf` finds disturbed. On a machine that never rests, the quietest rounds count.
 */
export async function takeRounds(
  takers: readonly Taker[],
  { rounds, turnMs, placeOf, noiseOf = () => 0 }: RoundOptions,
): Promise<Rounds> {
  const usual = takers.map(() => new Usual());
  const all: Round[] = [];
  let repeated = 0;
  let quiet = 0;
  for (let r = 0; quiet < rounds && r < PATIENCE * rounds; r++) {
    const seconds: number[] = [];
    const processor = await placeOf?.(r);
    let worst = 0;
    for (let k = 0; k < takers.length; k++) {
      const c = (k + r) % takers.length;
      let best: { turn: Turn; noise: number } | undefined;
      for (let tries = 0; tries < TRIES && !(best && best.noise <= 1); tries++) {
        const turn = await takers[c]!.turn(turnMs, processor);
        const noise = usual[c]!.noiseOf(turn);
        if (!best || noise < best.noise) best = { turn, noise };
        if (tries > 0) repeated++;
      }
      seconds[c] = best!.turn.seconds;
      worst = Math.max(worst, best!.noise);
    }
    const noise = Math.max(worst, noiseOf(seconds));
    all.push({ seconds, noise });
    if (noise <= 1) quiet++;
  }
  const counted = quiet >= rounds / 2 ? all.filter((x) => x.noise <= 1) : quietest(all, Math.ceil(rounds / 2));
  return {
    seconds: Object.fromEntries(takers.map((t, c) => [t.id, counted.map((x) => x.seconds[c]!)])),
    kept: counted.length,
    dropped: all.length - counted.length,
    repeated,
  };
}

function quietest(all: readonly Round[], count: number): Round[] {
  const limit = [...all].sort((a, b) => a.noise - b.noise)[Math.min(count, all.length) - 1]!.noise;
  return all.filter((x) => x.noise <= limit);
}

/** What calibrations of a process usually take: the lower quartile so far, which few disturbances do not move. */
class Usual {
  private readonly seen: number[] = [];

  /** Above 1 for a disturbed turn. */
  noiseOf({ calibration, share }: Turn): number {
    this.seen.push(calibration);
    const slower = calibration / spreadOf(this.seen).low / SLOWER;
    return Math.max(slower, SHARE / share);
  }
}
