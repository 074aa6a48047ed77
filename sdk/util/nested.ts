/**
 * The nested quantizer of weight codes. One plane off, a code q becomes the nearest multiple of three, k = round(q / 3): an odd
 * factor, so that there are no ties, no dead zone, and the planes nest exactly; what was taken off is a digit in {-1, 0, 1}.
 * A receiver that lacks the last `level` planes puts an integer code of the same grid in the place of every k, about the mean of the
 * codes that k stands for.
 */

/** Planes that are ever split off: below a 27th of the grid nothing of use is left. */
export const MAX_PLANES = 3;

/** round(q / 3^level) of an integer. */
export function coarse(q: number, level: number): number {
  let k = q;
  for (let i = 0; i < level; i++) k = Math.round(k / 3) + 0;
  return k;
}

/** Where a receiver puts coarse values: their centre 3^level |k| less an offset, on the side of zero. */
export interface Points {
  readonly level: number;
  /** Offset for |k| = 1 and for larger ones, 0 .. (3^level - 1) / 2. */
  readonly offsets: readonly [number, number];
  /** From this |k| on, 1 .. 255, the smallest code stands for all: coarse codes so need no more memory than what they replace. */
  readonly inner: number;
  /** Largest magnitude of a code. */
  readonly limit: number;
}

/** No |k| is as large. */
const NEVER = 255;

/** Codes on either side of a coarse value's centre. */
export const halfOf = (level: number): number => (3 ** level - 1) / 2;

/** The integer code that stands for k: no larger than the codes there are, and of no more bits than the smallest it stands for. */
export function pointOf(k: number, { level, offsets, inner, limit }: Points): number {
  const m = Math.abs(k);
  if (m === 0) return 0;
  const centre = 3 ** level * m;
  const smallest = centre - halfOf(level);
  const sameBits = 2 ** (32 - Math.clz32(smallest)) - 1;
  const point = m >= inner ? smallest : Math.min(centre - offsets[m === 1 ? 0 : 1], sameBits, limit);
  return k < 0 ? -point : point;
}

/** Codes by how often each occurs: counts[q + 128]. */
export function codeCounts(codes: Int8Array): Float64Array {
  const counts = new Float64Array(256);
  for (let i = 0; i < codes.length; i++) counts[codes[i]! + 128]!++;
  return counts;
}

/** The points that a histogram of codes asks for: means of what they stand for, as integers. */
export function pointsOf(counts: Float64Array, level: number): Points {
  const sums: [number, number] = [0, 0];
  const totals: [number, number] = [0, 0];
  let limit = 0;
  for (let q = -128; q < 128; q++) {
    const n = counts[q + 128]!;
    if (n === 0) continue;
    limit = Math.max(limit, Math.abs(q));
    const m = Math.abs(coarse(q, level));
    if (m === 0) continue;
    const kind = m === 1 ? 0 : 1;
    sums[kind] += n * (3 ** level * m - Math.abs(q));
    totals[kind] += n;
  }
  const offset = (i: 0 | 1): number =>
    totals[i] === 0 ? 0 : Math.max(0, Math.min(halfOf(level), Math.round(sums[i] / totals[i])));
  return { level, offsets: [offset(0), offset(1)], inner: NEVER, limit };
}

/**
 * The points nearest to those of pointsOf with which the coarse codes pass `fits`, which must accept codes of which none is larger
 * than the one it stands for: those are what is left when nothing else fits.
 */
export function fittingPoints(codes: Int8Array, level: number, fits: (coarse: Int8Array) => boolean): Points {
  const free = pointsOf(codeCounts(codes), level);
  if (fits(coarsen(codes, free))) return free;
  // What decides how codes are held in memory are powers of two.
  for (let bits = 6; bits > 0; bits--) {
    const points = { ...free, inner: Math.max(1, coarse(2 ** bits, level)) };
    if (points.inner > 1 && fits(coarsen(codes, points))) return points;
  }
  return { ...free, inner: 1 };
}

/** The codes, each as large as any receiver has it, whatever planes it lacks. */
export function largestCodes(codes: Int8Array): Int8Array {
  const counts = codeCounts(codes);
  const levels = Array.from({ length: MAX_PLANES }, (_, i) => pointsOf(counts, i + 1));
  const table = Int8Array.from({ length: 256 }, (_, i) => {
    const q = i - 128;
    const most = Math.max(Math.abs(q), ...levels.map((p) => Math.abs(pointOf(coarse(q, p.level), p))));
    return q < 0 ? -most : most;
  });
  return codes.map((q) => table[q + 128]!);
}

/** The codes as a receiver has them that lacks the planes up to the level of the points. */
export function coarsen(codes: Int8Array, points: Points): Int8Array {
  const table = Int8Array.from({ length: 256 }, (_, i) => pointOf(coarse(i - 128, points.level), points));
  return codes.map((q) => table[q + 128]!);
}

/** Sum of the squared differences between the codes of a histogram and what `coarsen` makes of them. */
export function coarseningError(counts: Float64Array, points: Points): number {
  let sum = 0;
  for (let q = -128; q < 128; q++) sum += counts[q + 128]! * (q - pointOf(coarse(q, points.level), points)) ** 2;
  return sum;
}

/** A layer whose codes travel in planes. */
export interface PlanedCodes {
  readonly codes: Int8Array;
  /** Cost of a squared code error, per code: what makes layers comparable. */
  readonly gain: number;
  /** Bytes of every plane, in the order of travel: the first brings the base from level bytes.length to the next. */
  readonly bytes: readonly number[];
  /** Points of level 1, 2, ..., as many as planes. */
  readonly points: readonly Points[];
}

/** A plane in the order of travel: of which item, and how many of its planes are still missing after it. */
export interface Refinement {
  readonly item: number;
  readonly level: number;
}

/**
 * Refinements by contribution per byte, greedily: the plane that takes most of the remaining cost away for its bytes goes first,
 * those of one layer in their order. The one order of bundles and of what the compressor measures.
 */
export function refinementOrder(items: readonly PlanedCodes[]): Refinement[] {
  const heads = items.map(({ codes, gain, bytes, points }) => {
    const counts = codeCounts(codes);
    const errors = [0, ...points.map((p) => coarseningError(counts, p))];
    // Bytes come last plane first: level L - 1 is reached with bytes[0].
    const values = bytes.map((n, i) => {
      const level = bytes.length - 1 - i;
      return (gain * (errors[level + 1]! - errors[level]!)) / Math.max(1, n);
    });
    return { values, next: 0 };
  });
  const out: Refinement[] = [];
  for (;;) {
    let best = -1;
    let value = Number.NEGATIVE_INFINITY;
    heads.forEach(({ values, next }, item) => {
      if (next < values.length && values[next]! > value) {
        best = item;
        value = values[next]!;
      }
    });
    if (best < 0) return out;
    const head = heads[best]!;
    head.next++;
    out.push({ item: best, level: head.values.length - head.next });
  }
}
