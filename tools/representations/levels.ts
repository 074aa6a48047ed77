/** Values that codes stand for, and what each costs: what a scalar quantizer is. In uniform steps. */
export interface Levels {
  /** Ascending. */
  readonly values: Float64Array;
  /** What choosing a level costs beside its squared error: bits at a price. */
  readonly costs: Float64Array;
}

/**
 * What a bit is worth in squared steps: a uniform quantizer of fine steps errs by a twelfth, by a quarter of that with a bit more, and
 * the slope there is (2 ln 2) / 12.
 */
export const BIT_PRICE = Math.LN2 / 6;

/** Bins a step of the density that levels are found on, and steps to either side of 0 that it reaches. */
const BINS = 32;
const REACH = 128;
const SIZE = 2 * REACH * BINS + 1;
/** Lloyd's rounds when the number of levels is right, and between two that leave. */
const ROUNDS = 40;
const FEW = 2;

/** How many values and how much weight there is at every place, in bins of a 32nd of a step. */
export class Density {
  readonly counts = new Float64Array(SIZE);
  readonly weights = new Float64Array(SIZE);
  private weight = 0;
  private count = 0;
  private from = SIZE;
  private to = 0;

  add(x: number, weight: number): void {
    const bin = Math.max(0, Math.min(SIZE - 1, Math.round((x + REACH) * BINS)));
    this.counts[bin]!++;
    this.weights[bin]! += weight;
    this.from = Math.min(this.from, bin);
    this.to = Math.max(this.to, bin);
    this.weight += weight;
    this.count++;
  }

  placeOf(bin: number): number {
    return bin / BINS - REACH;
  }

  get lowest(): number {
    return this.placeOf(this.from);
  }

  get highest(): number {
    return this.placeOf(this.to);
  }

  /** Weight of a value of mean weight. */
  get mean(): number {
    return this.count > 0 ? this.weight / this.count : 1;
  }
}

/** Codes that are whole steps, and their entropy in bits. */
export function wholeSteps(density: Density): { readonly levels: Levels; readonly entropy: number } {
  const values = Float64Array.from({ length: 2 * REACH - 1 }, (_, i) => i + 1 - REACH);
  const free = { values, costs: new Float64Array(values.length) };
  const { counts } = cellsOf(density, free);
  const total = counts.reduce((a, b) => a + b, 0);
  const entropy = counts.reduce((sum, n) => (n > 0 ? sum - (n / total) * Math.log2(n / total) : sum), 0);
  return { levels: free, entropy };
}

/** Whole steps that are chosen by their bits as well. */
export function pricedSteps(density: Density, price: number): Levels {
  let { levels } = wholeSteps(density);
  for (let round = 0; round < ROUNDS; round++)
    levels = { values: levels.values, costs: costsOf(cellsOf(density, levels).counts, price) };
  return levels;
}

/** At most `most` levels that err least for their bits: Lloyd's rounds from whole steps, the least useful leaving until so many are left. */
export function fittedLevels(density: Density, most: number, price: number): Levels {
  let levels = moved(density, wholeSteps(density).levels, price);
  for (;;) {
    const done = levels.values.length <= most;
    for (let round = 0; round < (done ? ROUNDS : FEW); round++) levels = moved(density, levels, price);
    if (done) return levels;
    levels = without(density, levels);
  }
}

/**
 * One round: levels to the middle of what goes to them; those that nothing goes to leave. The outermost ones stay where the outermost
 * values are: what is beyond them would be cut off, and error feedback would hand on what is cut off until all of a row is.
 */
function moved(density: Density, levels: Levels, price: number): Levels {
  const { counts, weights, sums } = cellsOf(density, levels);
  const kept = [...counts.keys()].filter((i) => counts[i]! > 0);
  return {
    values: Float64Array.from(kept, (i, k) => {
      if (k === 0) return density.lowest;
      if (k === kept.length - 1) return density.highest;
      return weights[i]! > 0 ? sums[i]! / weights[i]! : levels.values[i]!;
    }),
    costs: costsOf(
      Float64Array.from(kept, (i) => counts[i]!),
      price,
    ),
  };
}

/** Without the level whose values lose least by going to one of its neighbours. */
function without(density: Density, levels: Levels): Levels {
  const { counts, weights, sums } = cellsOf(density, levels);
  const { values, costs } = levels;
  const loss = (i: number): number => {
    const mean = weights[i]! > 0 ? sums[i]! / weights[i]! : values[i]!;
    if (i === 0 || i === values.length - 1) return Number.POSITIVE_INFINITY;
    const to = (j: number): number =>
      j < 0 || j >= values.length
        ? Number.POSITIVE_INFINITY
        : (weights[i]! / density.mean) * ((mean - values[j]!) ** 2 - (mean - values[i]!) ** 2) +
          counts[i]! * (costs[j]! - costs[i]!);
    return Math.min(to(i - 1), to(i + 1));
  };
  const losses = Float64Array.from(values, (_, i) => loss(i));
  const least = losses.indexOf(Math.min(...losses));
  const kept = (_: number, i: number): boolean => i !== least;
  return { values: values.filter(kept), costs: costs.filter(kept) };
}

interface Cells {
  readonly counts: Float64Array;
  readonly weights: Float64Array;
  readonly sums: Float64Array;
}

/** What of a density goes to every level. */
function cellsOf(density: Density, levels: Levels): Cells {
  const n = levels.values.length;
  const cells = { counts: new Float64Array(n), weights: new Float64Array(n), sums: new Float64Array(n) };
  let at = 0;
  density.counts.forEach((count, bin) => {
    if (count === 0) return;
    const x = density.placeOf(bin);
    at = closest(levels, x, at);
    cells.counts[at]! += count;
    cells.weights[at]! += density.weights[bin]!;
    cells.sums[at]! += density.weights[bin]! * x;
  });
  return cells;
}

/** How far a price may push a value beyond the level that is nearest to it. */
const FURTHER = 3;

/** The level that a value goes to; `from` is one at or below the nearest. */
export function closest({ values, costs }: Levels, x: number, from = 0): number {
  let at = Math.max(0, from - FURTHER);
  while (at + 1 < values.length && values[at + 1]! <= x) at++;
  let best = at;
  let least = Number.POSITIVE_INFINITY;
  for (let i = Math.max(0, at - FURTHER); i <= Math.min(values.length - 1, at + FURTHER); i++) {
    const cost = (x - values[i]!) ** 2 + costs[i]!;
    if (cost >= least) continue;
    best = i;
    least = cost;
  }
  return best;
}

/** Bits of every level at a price; one that nothing went to costs as if half a value had. */
function costsOf(counts: Float64Array, price: number): Float64Array {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.map((n) => -price * Math.log2(Math.max(n, 0.5) / total));
}
