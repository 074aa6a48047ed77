import { Rng } from '../util/rng.ts';
import { bootstrapRatio, type Interval, mean } from '../util/stats.ts';
import type { Reference } from './divergence.ts';

/** The original's distributions over classes, one a sample. */
export type Answers = readonly Float32Array[];

/** Changes of the log-probabilities of one sample's classes. */
export type Change = Float32Array;

/** Changes that are looked at, each on every answer. */
const MOST_CHANGES = 64;
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
 * they change are too few to count. So every change that compression makes to a sample is tried on every answer there is: what is
 * rare among n samples is seen among n^2 pairs. The interval is a bootstrap of both. That takes changes to be much the same for all answers,
 * which large ones are not: a network that answers the same whatever it sees takes away every sample's own answer and no other. Where
 * counting finds clearly less, counting is right.
 *
 * The first answers are those of the samples that the changes are of.
 */
export function expectedScore(
  answers: Answers,
  changes: readonly Change[],
  seed: number,
): Interval & { readonly quality: number } {
  const tried = Math.min(changes.length, MOST_CHANGES);
  const every = changes.length / tried;
  const full = Float64Array.from(answers, (p) => p.reduce((most, v) => Math.max(most, v), 0));
  const kept = answers.map((p) => {
    const logs = Float64Array.from(p, log);
    return Float64Array.from({ length: tried }, (_, j) => p[largestOfSum(logs, changes[Math.floor(j * every)]!)]!);
  });
  const share = (rows: ArrayLike<number>, columns: ArrayLike<number>): number => {
    let [a, b] = [0, 0];
    for (let i = 0; i < kept.length; i++) {
      if (rows[i] === 0) continue;
      let sum = 0;
      for (let j = 0; j < tried; j++) sum += columns[j]! * kept[i]![j]!;
      a += (rows[i]! * sum) / tried;
      b += rows[i]! * full[i]!;
    }
    return b === 0 ? 1 : a / b;
  };
  const rng = new Rng(seed);
  const draw = (n: number): Float64Array => {
    const counts = new Float64Array(n);
    for (let i = 0; i < n; i++) counts[rng.below(n)]!++;
    return counts;
  };
  const shares = Float64Array.from({ length: ROUNDS }, () => share(draw(kept.length), draw(tried))).sort();
  const at = (p: number): number => shares[Math.round(p * (ROUNDS - 1))]!;
  const ones = (n: number): Float64Array => new Float64Array(n).fill(1);
  const quality = share(ones(kept.length), ones(tried));
  const counted = countedScore(answers, changes, seed);
  return quality > counted.high ? counted : { quality, low: at(0.025), high: at(0.975) };
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
