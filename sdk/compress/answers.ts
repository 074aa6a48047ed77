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
  const { quality, tries, counted } = triedOn(answers, changes, seed);
  return counted ?? { quality, ...tries.interval(seed) };
}

/** The same without its interval, which takes most of the time. */
export function expectedQuality(answers: Answers, changes: readonly Change[], seed: number): number {
  return triedOn(answers, changes, seed).quality;
}

/** `counted` where counting is right; then the quality is that. */
function triedOn(
  answers: Answers,
  changes: readonly Change[],
  seed: number,
): { readonly quality: number; readonly tries: Tries; readonly counted: Counted | undefined } {
  const tries = new Tries(answers, changes);
  const quality = tries.quality();
  const counted = countedScore(answers, changes, seed);
  return quality > counted.high ? { quality: counted.quality, tries, counted } : { quality, tries, counted: undefined };
}

/** Changes tried on the answers that are about as sure as those they were made to. */
class Tries {
  private readonly tried: number;
  /** Probabilities of the first answers. */
  private readonly first: Float64Array;
  /** Of every answer the changes that are tried on it, and what it keeps under each: those of answer i from starts[i] on. */
  private readonly starts: Int32Array;
  private readonly like: Int32Array;
  private readonly kept: Float64Array;

  constructor(answers: Answers, changes: readonly Change[]) {
    const tried = Math.min(changes.length, MOST_CHANGES);
    const ranked = ranksOf(answers);
    const own = Array.from({ length: tried }, (_, j) => {
      const at = Math.floor((j * changes.length) / tried);
      return { margin: ranked[at]!.margin, change: byRank(changes[at]!, ranked[at]!.ranks) };
    });
    const pairs = ranked.map((answer) => pairsOf(answer, own));
    this.tried = tried;
    this.first = Float64Array.from(ranked, (r) => r.p[0]!);
    this.starts = new Int32Array(pairs.length + 1);
    pairs.forEach(({ like }, i) => {
      this.starts[i + 1] = this.starts[i]! + like.length;
    });
    this.like = Int32Array.from(pairs.flatMap((p) => p.like));
    this.kept = new Float64Array(this.like.length);
    pairs.forEach(({ kept }, i) => {
      this.kept.set(kept, this.starts[i]);
    });
  }

  quality(): number {
    return this.share(new Float64Array(this.first.length).fill(1), new Float64Array(this.tried).fill(1));
  }

  /** Of a bootstrap of both answers and changes. */
  interval(seed: number): Interval {
    const rng = new Rng(seed);
    const [rows, columns] = [new Float64Array(this.first.length), new Float64Array(this.tried)];
    const shares = new Float64Array(ROUNDS);
    for (let i = 0; i < ROUNDS; i++) {
      draw(rng, rows);
      draw(rng, columns);
      shares[i] = this.share(rows, columns);
    }
    shares.sort();
    const at = (p: number): number => shares[Math.round(p * (ROUNDS - 1))]!;
    return { low: at(0.025), high: at(0.975) };
  }

  /** Share that is kept where answers and changes count so many times. */
  private share(rows: Float64Array, columns: Float64Array): number {
    const { starts, like, kept, first } = this;
    let a = 0;
    let b = 0;
    for (let i = 0; i < rows.length; i++) {
      let sum = 0;
      let weight = 0;
      for (let k = starts[i]!; k < starts[i + 1]!; k++) {
        const n = columns[like[k]!]!;
        sum += n * kept[k]!;
        weight += n;
      }
      if (weight === 0) continue;
      a += (rows[i]! * sum) / weight;
      b += rows[i]! * first[i]!;
    }
    return b === 0 ? 1 : a / b;
  }
}

/** How often each of `counts.length` things is drawn in as many draws. */
function draw(rng: Rng, counts: Float64Array): void {
  counts.fill(0);
  for (let i = 0; i < counts.length; i++) counts[rng.below(counts.length)]!++;
}

/** An answer by rank: its classes, the most probable first, and how far the first is from the second. */
interface Ranked {
  readonly ranks: Uint32Array;
  readonly p: Float32Array;
  readonly logs: Float64Array;
  readonly margin: number;
}

const ranks = new WeakMap<Answers, readonly Ranked[]>();

/** Every answer by rank: many networks are compared on the same ones. */
function ranksOf(answers: Answers): readonly Ranked[] {
  const known = ranks.get(answers) ?? answers.map(rankedOf);
  ranks.set(answers, known);
  return known;
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

type Counted = Interval & { readonly quality: number };

/** The share by every sample's own change. */
function countedScore(answers: Answers, changes: readonly Change[], seed: number): Counted {
  const kept = changes.map((change, i) => answers[i]![largestOfSum(Float64Array.from(answers[i]!, log), change)]!);
  const full = changes.map((_, i) => Math.max(...answers[i]!));
  return { quality: mean(kept) / mean(full), ...bootstrapRatio(kept, full, seed) };
}

function largestOfSum(logs: Float64Array, change: Change): number {
  let best = 0;
  for (let c = 1; c < logs.length; c++) if (logs[c]! + change[c]! > logs[best]! + change[best]!) best = c;
  return best;
}
