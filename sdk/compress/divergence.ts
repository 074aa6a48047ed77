import { Rng } from '../util/rng.ts';
import { sizeOf, type Tensor } from '../util/tensor.ts';
import { classesOf, type OutputKind, type OutputMeasure } from './outputs.ts';

/** What one sample says about a compressed model. All fields are sums over rows. */
export interface Score {
  readonly divergence: number;
  readonly rows: number;
  readonly agreeing: number;
  /** Expected score of the compressed and of the original model, see `scoreOf`. */
  readonly kept: number;
  readonly full: number;
}

/** Values compared of one output of one sample: bounds the cost of huge outputs. */
const MAX_VALUES = 65536;
const TINY = 1e-12;

/** The original's answer to one sample, reduced to the rows that are compared. */
export interface Reference {
  readonly parts: readonly ReferencePart[];
}

interface ReferencePart extends OutputMeasure {
  readonly width: number;
  readonly rows: Int32Array;
  /** Probabilities (or values for squared) of the chosen rows. */
  readonly values: Float32Array;
  /** Classes of a position of sigmoids: 1 for yes-or-no answers and maps of them. */
  readonly classes: number;
  /**
   * What always answering the mean of all samples is off by: of several sigmoid classes the divergence, of single squared values the
   * mean square of all samples; see withBaselines.
   */
  readonly baseline?: number;
}

export function referenceOf(
  measures: readonly OutputMeasure[],
  outputs: Readonly<Record<string, Tensor>>,
  seed: number,
): Reference {
  const parts = measures.map((m) => {
    const y = outputs[m.name]!;
    const width = m.kind === 'sigmoid' || m.kind === 'squared' ? sizeOf(y.shape) : classesOf(y);
    const total = sizeOf(y.shape) / width;
    const rows = new Rng(seed).strata(total, Math.max(1, Math.min(total, Math.max(8, Math.floor(MAX_VALUES / width)))));
    // The last axis of an image is a place, not a class.
    const classes = m.kind === 'sigmoid' && y.shape.length < 4 ? y.shape.at(-1)! : 1;
    return { ...m, width, rows, classes, values: pick(m.kind, y.data as Float32Array, rows, width) };
  });
  return { parts };
}

/**
 * References that know what an answer is worth which does not look at its sample: of many classes most are absent most of the time, so
 * that a share of right answers says nothing, and one value has no variance of its own.
 */
export function withBaselines(references: readonly Reference[]): Reference[] {
  const parts = references[0]?.parts ?? [];
  const means = parts.map((part, k) => {
    const single = part.kind === 'squared' && part.width === 1;
    if (part.classes === 1 && !single) return undefined;
    const mean = new Float64Array(part.values.length);
    for (const r of references)
      for (let i = 0; i < mean.length; i++) mean[i]! += r.parts[k]!.values[i]! / references.length;
    return mean;
  });
  return references.map((r) => ({
    parts: r.parts.map((part, k) => {
      const mean = means[k];
      if (!mean) return part;
      if (part.kind === 'sigmoid') return { ...part, baseline: sigmoidDivergence(part.values, mean) };
      const square = (r: Reference): number => (r.parts[k]!.values[0]! - mean[0]!) ** 2;
      return { ...part, baseline: references.reduce((sum, r) => sum + square(r), 0) / references.length };
    }),
  }));
}

function pick(kind: OutputKind, data: Float32Array, rows: Int32Array, width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, r) => {
    const from = data.subarray(row * width, (row + 1) * width);
    const to = out.subarray(r * width, (r + 1) * width);
    if (kind === 'logits') softmax(from, to);
    else to.set(from);
  });
  return out;
}

function softmax(from: Float32Array, to: Float32Array): void {
  let max = Number.NEGATIVE_INFINITY;
  for (const v of from) max = Math.max(max, v);
  let sum = 0;
  for (let i = 0; i < from.length; i++) {
    to[i] = Math.exp(from[i]! - max);
    sum += to[i]!;
  }
  for (let i = 0; i < from.length; i++) to[i]! /= sum;
}

/**
 * Compares a compressed model's outputs with the reference. `kept` / `full` estimates the share of the original's score
 * that is kept when nothing but the original is known: with answers drawn from the original's own distribution, the original
 * is right with probability max p, the compressed model with the original's probability of the class it picks. For several sigmoid classes,
 * 1 - divergence / baseline; for squared error, 1 - error / variance, that of the sample's values or, of single values, of all samples.
 */
export function scoreOf(reference: Reference, outputs: Readonly<Record<string, Tensor>>): Score {
  return scoresOf(reference, outputs, 1)[0]!;
}

/** The scores of up to so many blocks of consecutive rows, where outputs have rows of classes; of the whole sample otherwise. */
export function scoresOf(
  reference: Reference,
  outputs: Readonly<Record<string, Tensor>>,
  blocks: number,
): readonly Score[] {
  const totals = Array.from({ length: blocks }, () => ({ divergence: 0, rows: 0, agreeing: 0, kept: 0, full: 0 }));
  like(reference, outputs).parts.forEach(({ values: got }, k) => {
    const part = reference.parts[k]!;
    if (part.kind === 'squared') addSquared(totals[0]!, part, got);
    else if (part.kind === 'sigmoid') addSigmoid(totals[0]!, part, got);
    else addRows(totals, part.values, got, part.width);
  });
  return blocks === 1 ? totals : totals.filter((t) => t.rows > 0);
}

/** Outputs reduced to the rows of a reference. */
export function like(reference: Reference, outputs: Readonly<Record<string, Tensor>>): Reference {
  const parts = reference.parts.map((part) => ({
    ...part,
    values: pick(part.kind, outputs[part.name]!.data as Float32Array, part.rows, part.width),
  }));
  return { parts };
}

type Mutable = { -readonly [K in keyof Score]: Score[K] };

function addRows(totals: readonly Mutable[], p: Float32Array, q: Float32Array, width: number): void {
  for (let at = 0; at < p.length; at += width) {
    const total = totals[Math.floor((at / p.length) * totals.length)]!;
    let kl = 0;
    let best = at;
    let guess = at;
    for (let i = at; i < at + width; i++) {
      const a = p[i]!;
      if (a > TINY) kl += a * Math.log(a / Math.max(q[i]!, TINY));
      if (a > p[best]!) best = i;
      if (q[i]! > q[guess]!) guess = i;
    }
    total.divergence += Math.max(0, kl);
    total.rows++;
    total.agreeing += best === guess ? 1 : 0;
    total.kept += p[guess]!;
    total.full += p[best]!;
  }
}

/** Sum of the binary divergences of q from p, nats. */
function sigmoidDivergence(p: Float32Array, q: ArrayLike<number>): number {
  let kl = 0;
  for (let i = 0; i < p.length; i++) {
    const a = p[i]!;
    const b = Math.min(1 - TINY, Math.max(TINY, q[i]!));
    if (a > TINY) kl += a * Math.log(a / b);
    if (a < 1 - TINY) kl += (1 - a) * Math.log((1 - a) / (1 - b));
  }
  return Math.max(0, kl);
}

function addSigmoid(total: Mutable, { values: p, classes, baseline }: ReferencePart, q: Float32Array): void {
  const positions = p.length / classes;
  const kl = sigmoidDivergence(p, q);
  for (let at = 0; at < p.length; at += classes) {
    let agreeing = p[at]! >= 0.5 === q[at]! >= 0.5;
    if (classes > 1) agreeing = largestOf(p, at, classes) === largestOf(q, at, classes);
    total.agreeing += agreeing ? 1 / positions : 0;
    if (baseline !== undefined) continue;
    for (let i = at; i < at + classes; i++) {
      total.full += Math.max(p[i]!, 1 - p[i]!) / p.length;
      total.kept += (q[i]! >= 0.5 ? p[i]! : 1 - p[i]!) / p.length;
    }
  }
  if (baseline !== undefined) {
    total.full += baseline / positions;
    total.kept += Math.max(0, baseline - kl) / positions;
  }
  total.divergence += kl / positions;
  total.rows++;
}

function largestOf(values: Float32Array, at: number, count: number): number {
  let best = at;
  for (let i = at; i < at + count; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function addSquared(total: Mutable, { values: p, baseline = 0 }: ReferencePart, q: Float32Array): void {
  let mean = 0;
  for (const v of p) mean += v / p.length;
  let error = 0;
  let variance = 0;
  for (let i = 0; i < p.length; i++) {
    error += (p[i]! - q[i]!) ** 2;
    variance += (p[i]! - mean) ** 2;
  }
  // A constant answer (one value, say) has no variance of its own: its square is the scale.
  if (variance < TINY * p.length) variance = Math.max(TINY, p.length * mean * mean);
  const relative = error / variance;
  // Gaussian divergence at unit noise-to-signal: half the relative squared error.
  total.divergence += relative / 2;
  total.rows++;
  const kept = baseline > 0 ? 1 - error / baseline : Math.max(0, 1 - relative);
  total.agreeing += kept;
  total.kept += kept;
  total.full++;
}
