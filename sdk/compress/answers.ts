import { Rng } from '../util/rng.ts';
import { bootstrapRatio, type Interval, mean } from '../util/stats.ts';
import type { Reference } from './divergence.ts';

/** The original's distributions over classes, one a sample. */
export type Answers = readonly Float32Array[];

/** Changes of the log-probabilities of one sample's classes. */
export type Change = Float32Array;

/** Changes that are looked at. */
const MOST_CHANGES = 64;
/** Of the changes, those of samples about as sure as an answer: a share, and at least so many. */
const LIKE = 1 / 3;
const FEWEST_LIKE = 8;
const ROUNDS = 1000;
const TINY = 1e-12;

const log = (p: number): number => Math.log(Math.max(p, TINY));

/** The answer of a sample that is one: a distribution over classes, or one probability. */
export function answerOf({ parts }: Reference): Float32Array | undefined {
  const [part, ...others] = parts;
  if (!part || others.length > 0 || part.rows.length > 1 || part.kind === 'squared') return undefined;
  if (part.kind !== 'sigmoid') return part.values;
  return part.width === 1 ? Float32Array.of(1 - part.values[0]!, part.values[0]!) : undefined;
}

export function changeOf(original: Float32Array, compressed: Float32Array): Change {
  return original.map((p, c) => log(compressed[c]!) - log(p));
}

/**
 * Share of the original's right answers that are kept, by its own probabilities: it is right with probability max p, the compressed
 * network with the probability of the class it picks. Few held-out samples are close to another answer, so that the answers which
 * they change are too few to count. So changes that compression makes to samples are tried on other answers too: what is rare among n
 * samples is seen among many more pairs. The interval is a bootstrap of both.
 *
 * Changes go by the rank of the class in the sample that they are of: what happens to a sample's first answer happens to the first answer of another one.
 * By class they would look harmless where compression takes from whatever the answer is, which coarse weights do. And they go to answers about as sure
 * as their own: log-probabilities of sure answers' other classes change most, and no unsure answer is changed as much.
 * Where counting every sample's own change finds clearly less, counting is right.
 *
 * The first answers are those of the samples that the changes are of.
 */
export function expectedScore(
  answers: Answers,
  changes: readonly Change[],
  seed: number,
): Interval & { readonly quality: number } {
  const tried = Math.min(changes.length, MOST_CHANGES);
  const ranked = answers.map(rankedOf);
  const own = Array.from({ length: tried }, (_, j) => {
    const at = Math.floor((j * changes.length) / tried);
    return { margin: ranked[at]!.margin, change: byRank(changes[at]!, ranked[at]!.ranks) };
  });
  const pairs = ranked.map((answer) => pairsOf(answer, own));
  const share = (rows: ArrayLike<number>, columns: ArrayLike<number>): number => {
    let [a, b] = [0, 0];
    for (let i = 0; i < pairs.length; i++) {
      const { like, kept } = pairs[i]!;
      let [sum, weight] = [0, 0];
      for (let k = 0; k < like.length; k++) {
        sum += columns[like[k]!]! * kept[k]!;
        weight += columns[like[k]!]!;
      }
      if (weight === 0) continue;
      a += (rows[i]! * sum) / weight;
      b += rows[i]! * ranked[i]!.p[0]!;
    }
    return b === 0 ? 1 : a / b;
  };
  const rng = new Rng(seed);
  const draw = (n: number): Float64Array => {
    const counts = new Float64Array(n);
    for (let i = 0; i < n; i++) counts[rng.below(n)]!++;
    return counts;
  };
  const shares = Float64Array.from({ length: ROUNDS }, () => share(draw(pairs.length), draw(tried))).sort();
  const at = (p: number): number => shares[Math.round(p * (ROUNDS - 1))]!;
  const ones = (n: number): Float64Array => new Float64Array(n).fill(1);
  const quality = share(ones(pairs.length), ones(tried));
  const counted = countedScore(answers, changes, seed);
  return quality > counted.high ? counted : { quality, low: at(0.025), high: at(0.975) };
}

/** An answer by rank: its classes, the most probable first, and how far the first is from the second. */
interface Ranked {
  readonly ranks: Uint32Array;
  readonly p: Float32Array;
  readonly logs: Float64Array;
  readonly margin: number;
}

function rankedOf(answer: Float32Array): Ranked {
  const ranks = Uint32Array.from(answer.keys()).sort((a, b) => answer[b]! - answer[a]! || a - b);
  const p = byRank(answer, ranks);
  const logs = Float64Array.from(p, log);
  return { ranks, p, logs, margin: logs[0]! - (logs[1] ?? 0) };
}

function byRank(values: Float32Array, ranks: Uint32Array): Float32Array {
  return Float32Array.from(ranks, (c) => values[c]!);
}

/** What an answer keeps under each of the changes of samples that are about as sure; all that are equally near count. */
function pairsOf(
  { p, logs, margin }: Ranked,
  own: readonly { readonly margin: number; readonly change: Change }[],
): { readonly like: readonly number[]; readonly kept: Float64Array } {
  const far = Float64Array.from(own, (o) => Math.abs(o.margin - margin));
  const count = Math.min(own.length, Math.max(FEWEST_LIKE, Math.ceil(own.length * LIKE)));
  const farthest = far.slice().sort()[count - 1]!;
  const like = [...own.keys()].filter((j) => far[j]! <= farthest);
  return { like, kept: Float64Array.from(like, (j) => p[largestOfSum(logs, own[j]!.change)]!) };
}

/** The share by every sample's own change. */
function countedScore(answers: Answers, changes: readonly Change[], seed: number): ReturnType<typeof expectedScore> {
  const kept = changes.map((change, i) => answers[i]![largestOfSum(Float64Array.from(answers[i]!, log), change)]!);
  const full = changes.map((_, i) => Math.max(...answers[i]!));
  return { quality: mean(kept) / mean(full), ...bootstrapRatio(kept, full, seed) };
}

function largestOfSum(logs: Float64Array, change: Change): number {
  let best = 0;
  for (let c = 1; c < logs.length; c++) if (logs[c]! + change[c]! > logs[best]! + change[best]!) best = c;
  return best;
}
