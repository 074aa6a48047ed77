import type { Tensor } from '../util/tensor.ts';
import { quantile } from './quantile.ts';

/** One implementation in a comparison of speed. */
export interface Contestant {
  readonly name: string;
  /** One inference. */
  run(): unknown;
}

export interface BenchOptions {
  /** Rounds in which every contestant has a turn; 15 by default. */
  readonly rounds?: number;
  /** A turn repeats the inference until it has lasted this long, ms; 40 by default. */
  readonly turnMs?: number;
  readonly now?: () => number;
  readonly onRound?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Time of one inference, seconds. */
export interface Timing {
  readonly name: string;
  readonly median: number;
  /** Half of the turns lie within [low, high]: the quartiles. */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export interface SpeedComparison {
  readonly timings: readonly Timing[];
  /** Of the first contestant: median over rounds of (other's time / its time in the same round), by name. Above 1: it is faster. */
  readonly speedups: Readonly<Record<string, number>>;
  /** Seconds of one inference by round and contestant: what ratios between any two are taken from. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
}

const DEFAULT_ROUNDS = 15;
const DEFAULT_TURN_MS = 40;

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * The same inference again and again, as an application runs that lasts: outputs go to the tensors of the run before, where whoever runs it takes
 * them. New ones of a megabyte took 4 ms on a virtual machine, beside 12 of the text recogniser that they are of.
 */
export function repeated(
  { run }: { run(inputs: Tensors, into?: Tensors): Promise<Tensors> },
  inputs: Tensors,
): () => Promise<Tensors> {
  let last: Tensors = {};
  return async () => {
    last = await run(inputs, last);
    return last;
  };
}

/**
 * Times contestants in one process, in interleaved rounds: whatever slows the machine down meets all of them, and ratios are taken within
 * a round. The order turns from round to round, so that none always runs after the same neighbour. One round warms up.
 */
export async function compareSpeed(
  contestants: readonly Contestant[],
  options: BenchOptions = {},
): Promise<SpeedComparison> {
  const { rounds = DEFAULT_ROUNDS, turnMs = DEFAULT_TURN_MS, now = () => performance.now() } = options;
  const times = contestants.map(() => new Float64Array(rounds));
  for (let round = -1; round < rounds; round++) {
    for (let k = 0; k < contestants.length; k++) {
      options.signal?.throwIfAborted();
      const c = (k + round + 1) % contestants.length;
      const ms = await turn(contestants[c]!, turnMs, now);
      if (round >= 0) times[c]![round] = ms / 1000;
    }
    options.onRound?.(round + 1, rounds);
  }
  const timings = contestants.map(
    (c, i): Timing => ({
      name: c.name,
      median: quantile(times[i]!, 0.5),
      low: quantile(times[i]!, 0.25),
      high: quantile(times[i]!, 0.75),
      rounds,
    }),
  );
  const speedups = Object.fromEntries(
    contestants.slice(1).map((c, i) => [
      c.name,
      quantile(
        times[i + 1]!.map((t, r) => t / times[0]![r]!),
        0.5,
      ),
    ]),
  );
  const seconds = Object.fromEntries(contestants.map((c, i) => [c.name, [...times[i]!]]));
  return { timings, speedups, seconds };
}

/** Mean time of one inference over a turn, ms. */
async function turn(contestant: Contestant, turnMs: number, now: () => number): Promise<number> {
  const start = now();
  let runs = 0;
  let elapsed: number;
  do {
    await contestant.run();
    runs++;
    elapsed = now() - start;
  } while (elapsed < turnMs);
  return elapsed / runs;
}
