/**
 * The project's own f32 exp, log, tanh, erf, sin, cos and pow: fixed sequences of single f32 operations, so that the C version with
 * the same operations gives the same bits on every engine. Only + - * / (each rounded to f32, never fused), floor, round to
 * nearest even, comparisons, and assembling or taking apart the exponent field are used. Polynomials after Cephes
 * (S. Moshier, single precision library), erf after the rational form used by Eigen. Accuracy against the exact function,
 * measured by test/unit/ir/math.test.ts: exp, log, tanh, sin, cos within 2 units in the last place, erf and pow within 1e-6 relative.
 */
const f = Math.fround;

const bits = new DataView(new ArrayBuffer(4));

/** Bit pattern of an f32 as a signed 32-bit integer. */
function toBits(x: number): number {
  bits.setFloat32(0, x);
  return bits.getInt32(0);
}

function fromBits(i: number): number {
  bits.setInt32(0, i);
  return bits.getFloat32(0);
}

/** 2^n for n in -126..127. */
function pow2(n: number): number {
  return fromBits((n + 127) << 23);
}

/** Nearest integer, ties to even, sign of zero kept (rint): below 2^23 the addition of 2^23 does the rounding. */
export function roundEven(x: number): number {
  const a = Math.abs(x);
  if (!(a < 8388608)) return x;
  const r = f(f(a + 8388608) - 8388608);
  return x < 0 || Object.is(x, -0) ? -r : r;
}

/** b only when it compares smaller, else a: fixes NaN and signed zeros, which Math.min treats otherwise. */
export function minOf<T extends number | bigint>(a: T, b: T): T {
  return b < a ? b : a;
}

/** b only when it compares larger, else a. */
export function maxOf<T extends number | bigint>(a: T, b: T): T {
  return a < b ? b : a;
}

/** Horner in f32: c[0] x^(n-1) + ... + c[n-1]. */
function poly(x: number, c: readonly number[]): number {
  let r = c[0]!;
  for (let i = 1; i < c.length; i++) r = f(f(r * x) + c[i]!);
  return r;
}

const floats = (...v: number[]): number[] => v.map(f);

// ln 2 in two parts: the first has 9 significant bits, so n * LN2_HI is exact.
const LN2_HI = f(0.693359375);
const LN2_LO = f(-2.1219444e-4);
const LOG2_E = f(Math.LOG2E);
const EXP_POLY = floats(
  1.98756915e-4,
  1.3981999507e-3,
  8.3334519073e-3,
  4.1665795894e-2,
  1.6666665459e-1,
  5.0000001201e-1,
);
const EXP_MAX = 89;
const EXP_MIN = -104;

/** e^x: infinity above 88.73, gradual underflow to 0 below -87.3. */
export function exp32(x: number): number {
  return expOf(x, 0);
}

/** e^(x + lo) for |lo| much smaller than 1. */
function expOf(x: number, lo: number): number {
  const y = minOf(maxOf(x, EXP_MIN), EXP_MAX);
  const n = roundEven(f(y * LOG2_E));
  const r = f(f(f(y - f(n * LN2_HI)) - f(n * LN2_LO)) + lo);
  const p = f(f(f(poly(r, EXP_POLY) * f(r * r)) + r) + 1);
  // Two factors, so that results beyond the normal range round once, in the second multiplication.
  const half = Math.floor(n / 2);
  if (Number.isNaN(n)) return Number.NaN;
  return f(f(p * pow2(half)) * pow2(n - half));
}

const SQRT_HALF = f(Math.SQRT1_2);
const LOG_POLY = floats(
  7.0376836292e-2,
  -1.151461031e-1,
  1.167699874e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
const MIN_NORMAL = f(2 ** -126);

/** x = m * 2^e with m - 1 returned as `t`, m in [sqrt(1/2), sqrt(2)). x positive and finite. */
function splitLog(x: number): { e: number; t: number } {
  const small = x < MIN_NORMAL;
  const i = toBits(small ? f(x * 8388608) : x);
  let e = ((i >> 23) & 255) - 126 - (small ? 23 : 0);
  let m = fromBits((i & 0x007fffff) | 0x3f000000);
  if (m < SQRT_HALF) {
    e -= 1;
    m = f(m + m);
  }
  return { e, t: f(m - 1) };
}

/** Natural logarithm: -infinity at 0, NaN below. */
export function log32(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  const { e, t } = splitLog(x);
  const z = f(t * t);
  let y = f(f(poly(t, LOG_POLY) * t) * z);
  y = f(y + f(e * LN2_LO));
  y = f(y - f(z * 0.5));
  return f(f(t + y) + f(e * LN2_HI));
}

const TANH_POLY = floats(-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1);
const TANH_SPLIT = f(0.625);

/** Hyperbolic tangent: polynomial below 0.625, 1 - 2 / (e^2|x| + 1) above. */
export function tanh32(x: number): number {
  const a = Math.abs(x);
  if (a < TANH_SPLIT) {
    const z = f(x * x);
    return f(f(f(poly(z, TANH_POLY) * z) * x) + x);
  }
  const r = f(1 - f(2 / f(exp32(f(a + a)) + 1)));
  return x < 0 ? -r : r;
}

const ERF_P = floats(
  -2.72614225801306e-10,
  2.77068142495902e-8,
  -2.10102402082508e-6,
  -5.69250639462346e-5,
  -7.34990630326855e-4,
  -2.95459980854025e-3,
  -1.60960333262415e-2,
);
const ERF_Q = floats(
  -1.45660718464996e-5,
  -2.13374055278905e-4,
  -1.68282697438203e-3,
  -7.37332916720468e-3,
  -1.42647390514189e-2,
);

/** Error function: x P(x^2) / Q(x^2) on [-4, 4], +-1 (to f32) outside. */
export function erf32(x: number): number {
  const y = minOf(maxOf(x, -4), 4);
  const z = f(y * y);
  return minOf(maxOf(f(f(y * poly(z, ERF_P)) / poly(z, ERF_Q)), -1), 1);
}

const TWO_OVER_PI = f(2 / Math.PI);
// pi/2 in three parts; the products of the first two with |n| < 2^13 are exact.
const PIO2_1 = f(1.5703125);
const PIO2_2 = f(4.837512969970703e-4);
const PIO2_3 = f(7.549789954891882e-8);
const SIN_POLY = floats(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
const COS_POLY = floats(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);

/** sin for quadrant shift 0, cos for 1. Full accuracy for |x| < 8192. */
function sinCos(x: number, shift: number): number {
  const n = roundEven(f(x * TWO_OVER_PI));
  const r = f(f(f(x - f(n * PIO2_1)) - f(n * PIO2_2)) - f(n * PIO2_3));
  const z = f(r * r);
  const s = f(f(f(poly(z, SIN_POLY) * z) * r) + r);
  const c = f(f(f(f(poly(z, COS_POLY) * z) * z) - f(z * 0.5)) + 1);
  if (Number.isNaN(r)) return Number.NaN;
  const q = (n + shift) & 3;
  const v = q & 1 ? c : s;
  return q & 2 ? -v : v;
}

export function sin32(x: number): number {
  return sinCos(x, 0);
}

export function cos32(x: number): number {
  return sinCos(x, 1);
}

/** x with its low 12 mantissa bits cleared: products of two such halves are exact. */
function head(x: number): number {
  return fromBits(toBits(x) & 0xfffff000);
}

/**
 * x^y = e^(y log x), the logarithm carried as a sum of two f32 numbers. Negative x: NaN unless y is an integer, else the
 * sign of y's parity. x^0 = 1, also for NaN.
 */
export function pow32(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  const integer = Math.floor(y) === y;
  const odd = integer && Math.abs(y) < 16777216 && f(y * 0.5) !== Math.floor(f(y * 0.5));
  const a = Math.abs(x);
  const magnitude = powOf(a, y);
  if (x < 0 && !integer) return Number.NaN;
  return odd && (x < 0 || Object.is(x, -0)) ? -magnitude : magnitude;
}

function powOf(a: number, y: number): number {
  if (Number.isNaN(a) || Number.isNaN(y)) return Number.NaN;
  if (a === 0) return y < 0 ? Number.POSITIVE_INFINITY : 0;
  if (a === Number.POSITIVE_INFINITY) return y < 0 ? 0 : a;
  const { e, t } = splitLog(a);
  // log a = e ln2 + t - t^2/2 + t^3 P(t); e * LN2_HI, t and the head of t^2/2 are exact.
  const th = head(t);
  const tl = f(t - th);
  const half = f(f(th * th) * 0.5);
  const rest = f(f(f(th * tl) + f(f(tl * tl) * 0.5)));
  const z = f(t * t);
  const tail = f(f(f(f(poly(t, LOG_POLY) * t) * z) + f(e * LN2_LO)) - rest);
  const s1 = twoSum(f(e * LN2_HI), t);
  const s2 = twoSum(s1.s, -half);
  const l = twoSum(s2.s, f(f(s1.e + s2.e) + tail));
  // y * (l.s + l.e) as w + lo.
  const w = f(y * l.s);
  const yh = head(y);
  const yl = f(y - yh);
  const lh = head(l.s);
  const ll = f(l.s - lh);
  const product = f(f(f(f(f(yh * lh) - w) + f(yh * ll)) + f(yl * lh)) + f(yl * ll));
  const lo = f(product + f(y * l.e));
  return expOf(w, Math.abs(w) < EXP_MAX ? lo : 0);
}

/** Knuth's exact sum: s + e = a + b. */
function twoSum(a: number, b: number): { s: number; e: number } {
  const s = f(a + b);
  const bb = f(s - a);
  return { s, e: f(f(a - f(s - bb)) + f(b - bb)) };
}

/** Remainder with the sign of a: a - b * trunc(a / b). */
export function mod32(a: number, b: number): number {
  return f(a - f(b * Math.trunc(f(a / b))));
}
