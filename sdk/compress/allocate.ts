import { entropyOfCounts, maxAbs } from '../util/stats.ts';
import { reachOf } from './quantize.ts';
import { residentBits } from './size.ts';

/** Relative steps that are considered: 2^-6 to 2^6, four an octave; between them values are interpolated. */
const OCTAVES = 6;
const PER_OCTAVE = 4;
const POINTS = 2 * OCTAVES * PER_OCTAVE + 1;
/** Finer choice of the minimum between grid points. */
const FINE = 4;

/** Weight codes of one unit (layer) at every relative step, for codes of at most `bits` bits. */
export interface WidthCurve {
  readonly bits: number;
  /** Entropy a code at every grid point. */
  readonly entropy: Float64Array;
  /** Bits a code in memory, dense and listed ones together. */
  readonly resident: Float64Array;
  /** Mean over rows of the squared step after rows were raised to fit, relative to step 1. */
  readonly square: Float64Array;
}

export interface Unit {
  readonly params: number;
  /** Divergence at relative step 1. */
  readonly sensitivity: number;
  readonly curves: readonly WidthCurve[];
  /** Bits a code that coding and memory really took beyond the curves, where that is known. */
  readonly excess?: Excess;
}

export interface Excess {
  readonly wire: number;
  readonly resident: number;
}

export interface Choice {
  /** Step relative to the unit's probe step. */
  readonly step: number;
  /** Width that codes may use at most. */
  readonly bits: number;
  /** Bits a code on the wire and in memory. */
  readonly entropy: number;
  readonly resident: number;
  readonly divergence: number;
}

/** Relative steps, FINE of them from one grid point to the next. */
const STEPS = Float64Array.from({ length: (POINTS - 1) * FINE + 1 }, (_, i) => 2 ** (i / FINE / PER_OCTAVE - OCTAVES));

export interface CurveMatrix {
  readonly weights: Float32Array;
  readonly rows: number;
  /** Step of every row at relative step 1. */
  readonly steps: Float64Array;
}

/** Codes sampled for a curve. */
const SAMPLED = 8192;

/** Smallest step of a row: rows of zeros have none of their own. */
const SMALLEST = 1e-30;

/**
 * Entropy and step curves of a unit by plain rounding, for codes of each of `widths` bits: error feedback hardly changes the histogram. A
 * row whose codes fit a width has the same ones at every larger width, and one that was raised to fit has the same ones at every finer
 * step, so that rows are rounded once a step, and once a width.
 */
export function curvesOf(matrices: readonly CurveMatrix[], widths: readonly number[]): WidthCurve[] {
  const curves = widths.map((bits) => ({
    bits,
    entropy: new Float64Array(POINTS),
    resident: new Float64Array(POINTS),
    square: new Float64Array(POINTS),
  }));
  const narrowFirst = curves.toSorted((a, b) => a.bits - b.bits);
  const rows = sampledRows(
    matrices,
    narrowFirst.map((c) => reachOf(2 ** (c.bits - 1) - 1)),
  );
  const fitted = new FittedCounts(rows, narrowFirst.length);
  for (let p = 0; p < POINTS; p++) {
    const finest = fitted.roundAt(STEPS[p * FINE]!);
    const counts = new Uint32Array(BINS);
    for (const [w, curve] of narrowFirst.entries()) {
      curve.square[p] = squareAt(rows, STEPS[p * FINE]!, w);
      if (w > finest) {
        curve.entropy[p] = narrowFirst[finest]!.entropy[p]!;
        curve.resident[p] = narrowFirst[finest]!.resident[p]!;
        continue;
      }
      fitted.addFree(w, counts);
      const all = fitted.withRaised(w, counts);
      curve.entropy[p] = entropyOfCounts(all, rows.values.length);
      curve.resident[p] = residentBits(magnitudesOf(all)) / rows.values.length;
    }
  }
  return curves;
}

/** Codes from -128 on; what counts them leaves one unused at the end. */
const BINS = 257;

/** Weights of a unit's rows that stand for all of them. */
interface SampledRows {
  readonly values: Float32Array;
  /** Those of row r begin at starts[r]. */
  readonly starts: Int32Array;
  /** Step of every row at relative step 1. */
  readonly steps: Float64Array;
  /** Smallest step with which a row fits, by width and row. */
  readonly floors: readonly Float64Array[];
}

function sampledRows(matrices: readonly CurveMatrix[], reaches: readonly number[]): SampledRows {
  const starts = [0];
  const largest: number[] = [];
  const values = new Float32Array(
    matrices.reduce(
      (n, { weights, rows }) => n + Math.ceil(weights.length / strideOf(weights.length, weights.length / rows)),
      0,
    ),
  );
  let n = 0;
  for (const { weights, rows } of matrices) {
    const cols = weights.length / rows;
    const stride = strideOf(weights.length, cols);
    for (let r = 0, i = 0; r < rows; r++) {
      for (; i < (r + 1) * cols; i += stride) values[n++] = weights[i]!;
      starts.push(n);
      largest.push(maxAbs(weights, r * cols, (r + 1) * cols));
    }
  }
  return {
    values,
    starts: Int32Array.from(starts),
    steps: Float64Array.from(matrices.flatMap((m) => [...m.steps])),
    floors: reaches.map((reach) => Float64Array.from(largest, (v) => v / reach)),
  };
}

/** From one sampled weight to the next: prime to the row length, so that all columns are visited. */
function strideOf(weights: number, cols: number): number {
  const stride = Math.max(1, Math.floor(weights / SAMPLED));
  return cols % stride === 0 && stride > 1 ? stride + 1 : stride;
}

/** Mean over rows of the squared step after rows were raised to fit. */
function squareAt({ steps, floors }: SampledRows, relative: number, width: number): number {
  const floor = floors[width]!;
  let square = 0;
  for (let r = 0; r < steps.length; r++) {
    const step = Math.max(steps[r]! * relative, floor[r]!, SMALLEST);
    square += (step / steps[r]!) ** 2;
  }
  return square / steps.length;
}

/** Histograms of codes by width, of rows at their own step and of those that are raised to fit; steps only grow. */
class FittedCounts {
  private readonly rows: SampledRows;
  private readonly widths: number;
  /** Codes + 128 of all rows when raised to fit, by width. */
  private readonly raised: readonly Uint8Array[];
  /** Their counts, of rows that are raised. */
  private readonly raisedCounts: readonly Uint32Array[];
  /** The narrowest width at which a row has its own step; the number of widths: none. */
  private readonly fits: Uint8Array;
  /** Counts of rows that have their own step from a width on. */
  private readonly freeCounts: readonly Uint32Array[];
  private readonly sum = new Uint32Array(BINS);

  constructor(rows: SampledRows, widths: number) {
    this.rows = rows;
    this.widths = widths;
    const codes = rows.floors.map((floor) => codesOf(rows, floor));
    this.raised = codes;
    this.raisedCounts = codes.map((list) => {
      const counts = new Uint32Array(BINS);
      for (let i = 0; i < list.length; i++) counts[list[i]!]!++;
      return counts;
    });
    this.fits = new Uint8Array(rows.steps.length).fill(widths);
    this.freeCounts = codes.map(() => new Uint32Array(BINS));
  }

  /** Rounds at a relative step that is larger than the last one. Returns the narrowest width at which no row is raised, or the last one. */
  roundAt(relative: number): number {
    const { values, starts, steps, floors } = this.rows;
    const { fits, freeCounts, widths } = this;
    for (const counts of freeCounts) counts.fill(0);
    let narrowest = 0;
    for (let r = 0; r < steps.length; r++) {
      const step = Math.max(steps[r]! * relative, SMALLEST);
      while (fits[r]! > 0 && step >= floors[fits[r]! - 1]![r]!) this.lower(r);
      const first = fits[r]!;
      narrowest = Math.max(narrowest, first);
      if (first === widths) continue;
      const counts = freeCounts[first]!;
      for (let i = starts[r]!; i < starts[r + 1]!; i++) counts[Math.round(values[i]! / step) + 128]!++;
    }
    return Math.min(narrowest, widths - 1);
  }

  /** Lets a row have its own step at one width more. */
  private lower(r: number): void {
    const { starts } = this.rows;
    const width = --this.fits[r]!;
    const [codes, counts] = [this.raised[width]!, this.raisedCounts[width]!];
    for (let i = starts[r]!; i < starts[r + 1]!; i++) counts[codes[i]!]!--;
  }

  addFree(width: number, counts: Uint32Array): void {
    const free = this.freeCounts[width]!;
    for (let i = 0; i < BINS; i++) counts[i]! += free[i]!;
  }

  /** The sum, good until the next one. */
  withRaised(width: number, free: Uint32Array): Uint32Array {
    const raised = this.raisedCounts[width]!;
    for (let i = 0; i < BINS; i++) this.sum[i] = free[i]! + raised[i]!;
    return this.sum;
  }
}

/** Codes + 128 with a step for every row. */
function codesOf({ values, starts }: SampledRows, steps: Float64Array): Uint8Array {
  const codes = new Uint8Array(values.length);
  for (let r = 0; r < steps.length; r++) {
    const step = Math.max(steps[r]!, SMALLEST);
    for (let i = starts[r]!; i < starts[r + 1]!; i++) codes[i] = Math.round(values[i]! / step) + 128;
  }
  return codes;
}

/** Counts of |code| from counts of codes + 128. */
function magnitudesOf(counts: Uint32Array): Uint32Array {
  const out = new Uint32Array(129);
  out[0] = counts[128]!;
  for (let m = 1; m < out.length; m++) out[m] = counts[128 + m]! + counts[128 - m]!;
  return out;
}

const at = (curve: Float64Array, x: number): number => {
  const i = Math.max(0, Math.min(POINTS - 2, Math.floor(x)));
  return curve[i]! + (curve[i + 1]! - curve[i]!) * Math.max(0, Math.min(1, x - i));
};

/** Grid position of a relative step. */
const positionOf = (step: number): number => (Math.log2(step) + OCTAVES) * PER_OCTAVE;
const POSITIONS = STEPS.map(positionOf);

/** What a unit costs at a relative step, at grid position x, with codes of at most `curve.bits`. */
function choiceAt(unit: Unit, curve: WidthCurve, step: number, x = positionOf(step)): Choice {
  return {
    step,
    bits: curve.bits,
    entropy: Math.max(0, at(curve.entropy, x) + (unit.excess?.wire ?? 0)),
    resident: Math.max(0, at(curve.resident, x) + (unit.excess?.resident ?? 0)),
    divergence: unit.sensitivity * at(curve.square, x),
  };
}

export interface Budgets {
  /** Bits for the codes of all units on the wire and resident. */
  readonly wireBits: number;
  readonly residentBits: number;
}

/**
 * Minimises the sum of divergences under both budgets: every unit takes the step and width with the least
 * divergence + wirePrice * wire bits + residentPrice * resident bits; the prices are found by bisection.
 * Budgets that cannot be met give the smallest plan.
 */
export function allocate(units: readonly Unit[], budgets: Budgets): Choice[] {
  const all = units.map(menuOf);
  const free = atWireBudget(units, all, budgets.wireBits, 0);
  if (residentOf(units, free) <= budgets.residentBits) return free;
  const price = bisect((p) => residentOf(units, atWireBudget(units, all, budgets.wireBits, p)) <= budgets.residentBits);
  return atWireBudget(units, all, budgets.wireBits, price);
}

export const wireOf = (units: readonly Unit[], choices: readonly Choice[]): number =>
  choices.reduce((sum, c, i) => sum + c.entropy * units[i]!.params, 0);

export const residentOf = (units: readonly Unit[], choices: readonly Choice[]): number =>
  choices.reduce((sum, c, i) => sum + c.resident * units[i]!.params, 0);

export const divergenceOf = (choices: Iterable<Choice>): number => {
  let sum = 0;
  for (const c of choices) sum += c.divergence;
  return sum;
};

const menus = new WeakMap<Unit, readonly Choice[]>();

/** Every step and width of a unit that no other one beats in all of divergence, wire and memory; widest first. */
function menuOf(unit: Unit): readonly Choice[] {
  const known = menus.get(unit) ?? newMenuOf(unit);
  menus.set(unit, known);
  return known;
}

function newMenuOf(unit: Unit): Choice[] {
  const all: Choice[] = [];
  for (const curve of unit.curves.toReversed())
    for (let i = 0; i < STEPS.length; i++) all.push(choiceAt(unit, curve, STEPS[i]!, POSITIONS[i]));
  // By divergence, so that only earlier ones can beat a choice; of equal ones the wider comes first.
  const order = all.map((_, i) => i).sort((a, b) => all[a]!.divergence - all[b]!.divergence || a - b);
  const stairs = new Stairs();
  return order.map((i) => all[i]!).filter((c) => stairs.add(c));
}

/** Of the choices so far those that no other one beats in both wire and memory: more wire from one to the next, and less memory. */
class Stairs {
  private readonly steps: Choice[] = [];

  /** Whether none beats the choice or is as good; then it is one of them. */
  add(c: Choice): boolean {
    const { steps } = this;
    let [low, high] = [0, steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle]!.entropy <= c.entropy) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && steps[low - 1]!.resident <= c.resident) return false;
    let end = low;
    while (end < steps.length && steps[end]!.resident >= c.resident) end++;
    steps.splice(low, end - low, c);
    return true;
  }
}

function atWireBudget(
  units: readonly Unit[],
  all: readonly (readonly Choice[])[],
  wireBits: number,
  residentPrice: number,
): Choice[] {
  const plan = (price: number): Choice[] => units.map((u, i) => cheapest(u, all[i]!, price, residentPrice));
  const price = bisect((p) => wireOf(units, plan(p)) <= wireBits);
  return plan(price);
}

/** Smallest price, to 0.1 %, at which `fits` holds; fits is monotone. */
function bisect(fits: (price: number) => boolean): number {
  let low = 1e-16;
  let high = 1e4;
  if (fits(low)) return low;
  while (high / low > 1.001) {
    const middle = Math.sqrt(low * high);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function cheapest(unit: Unit, menu: readonly Choice[], wirePrice: number, residentPrice: number): Choice {
  const [wire, resident] = [wirePrice * unit.params, residentPrice * unit.params];
  let best = menu[0]!;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const choice of menu) {
    const cost = choice.divergence + wire * choice.entropy + resident * choice.resident;
    if (cost < bestCost) {
      bestCost = cost;
      best = choice;
    }
  }
  return best;
}

/** The same relative step for every unit, at the wire budget: what plain rounding without measurements does. */
export function allocateUniform(units: readonly Unit[], wireBits: number): Choice[] {
  const plan = (step: number): Choice[] => units.map((u) => choiceAt(u, u.curves.at(-1)!, step));
  let low = 2 ** -OCTAVES;
  let high = 2 ** OCTAVES;
  while (high / low > 1.0005) {
    const middle = Math.sqrt(low * high);
    if (wireOf(units, plan(middle)) <= wireBits) high = middle;
    else low = middle;
  }
  return plan(high);
}
