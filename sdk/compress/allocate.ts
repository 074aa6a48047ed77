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

const stepAt = (i: number): number => 2 ** (i / PER_OCTAVE - OCTAVES);

export interface CurveMatrix {
  readonly weights: Float32Array;
  readonly rows: number;
  /** Step of every row at relative step 1. */
  readonly steps: Float64Array;
}

/** Codes sampled for a curve. */
const SAMPLED = 8192;

/** Entropy and step curves of a unit by plain rounding: error feedback hardly changes the histogram. */
export function curveOf(matrices: readonly CurveMatrix[], bits: number): WidthCurve {
  const limit = 2 ** (bits - 1) - 1;
  const entropy = new Float64Array(POINTS);
  const square = new Float64Array(POINTS);
  const resident = new Float64Array(POINTS);
  const floors = matrices.map((m) => {
    const cols = m.weights.length / m.rows;
    return m.steps.map((_, r) => maxAbs(m.weights, r * cols, (r + 1) * cols) / reachOf(limit));
  });
  for (let p = 0; p < POINTS; p++) {
    const counts = new Uint32Array(257);
    let total = 0;
    let rows = 0;
    for (let i = 0; i < matrices.length; i++) {
      const m = matrices[i]!;
      const steps = m.steps.map((s, r) => Math.max(s * stepAt(p), floors[i]![r]!, 1e-30));
      total += countCodes(m, steps, limit, counts);
      for (let r = 0; r < m.rows; r++) square[p]! += (steps[r]! / m.steps[r]!) ** 2;
      rows += m.rows;
    }
    square[p]! /= rows;
    entropy[p] = entropyOfCounts(counts, total);
    resident[p] = residentBits(magnitudesOf(counts)) / total;
  }
  return { bits, entropy, resident, square };
}

/** Counts of |code| from counts of codes + 128. */
function magnitudesOf(counts: Uint32Array): Uint32Array {
  return Uint32Array.from({ length: 129 }, (_, m) => counts[128 + m]! + (m > 0 ? counts[128 - m]! : 0));
}

function countCodes(m: CurveMatrix, steps: Float64Array, limit: number, counts: Uint32Array): number {
  const cols = m.weights.length / m.rows;
  const stride = Math.max(1, Math.floor(m.weights.length / SAMPLED));
  let n = 0;
  // A stride prime to the row length visits all columns.
  const step = cols % stride === 0 && stride > 1 ? stride + 1 : stride;
  for (let i = 0; i < m.weights.length; i += step) {
    const q = Math.round(m.weights[i]! / steps[Math.floor(i / cols)]!);
    counts[Math.max(-limit, Math.min(limit, q)) + 128]!++;
    n++;
  }
  return n;
}

const at = (curve: Float64Array, x: number): number => {
  const i = Math.max(0, Math.min(POINTS - 2, Math.floor(x)));
  return curve[i]! + (curve[i + 1]! - curve[i]!) * Math.max(0, Math.min(1, x - i));
};

/** Grid position of a relative step. */
const positionOf = (step: number): number => (Math.log2(step) + OCTAVES) * PER_OCTAVE;

/** What a unit costs at a relative step with codes of at most `curve.bits`. */
export function choiceAt(unit: Unit, curve: WidthCurve, step: number): Choice {
  const x = positionOf(step);
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
  const menus = units.map(menuOf);
  const free = atWireBudget(units, menus, budgets.wireBits, 0);
  if (residentOf(units, free) <= budgets.residentBits) return free;
  const price = bisect(
    (p) => residentOf(units, atWireBudget(units, menus, budgets.wireBits, p)) <= budgets.residentBits,
  );
  return atWireBudget(units, menus, budgets.wireBits, price);
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

/** Every step and width of a unit that no other one beats in all of divergence, wire and memory; widest first. */
function menuOf(unit: Unit): Choice[] {
  const all = [...unit.curves]
    .reverse()
    .flatMap((curve) =>
      Array.from({ length: (POINTS - 1) * FINE + 1 }, (_, p) => choiceAt(unit, curve, stepAt(p / FINE))),
    );
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
  menus: readonly (readonly Choice[])[],
  wireBits: number,
  residentPrice: number,
): Choice[] {
  const plan = (price: number): Choice[] => units.map((u, i) => cheapest(u, menus[i]!, price, residentPrice));
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
