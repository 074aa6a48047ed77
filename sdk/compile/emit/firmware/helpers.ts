import { tilesOf } from './tiles.ts';

/**
 * C functions that kernels for microcontrollers share. Each stands once in a file however many layers use it, so that the code of a
 * network grows with what it does and not with how many layers do it.
 *
 * The instruction sets: SXTB16 and SMLAD (Cortex-M4, M7, M33 with DSP), MVE (Cortex-M55), and plain C for every other processor;
 * which, is decided by the macros that the compiler defines. A tile of unpacked codes is [column / 4][8 rows][column % 4], so that one
 * pointer finds the four next codes of every row; for MVE it is [8 rows][columns], since vectors run along columns there.
 */
const INSTRUCTIONS = `
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define EW_MVE 1
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
#define EW_DSP 1
#endif
/* words at any address: one instruction, also where a free-standing compiler would call a function */
#ifdef __GNUC__
#define EW_MOVE(d, s) __builtin_memcpy((d), (s), 4)
#else
#define EW_MOVE(d, s) memcpy((d), (s), 4)
#endif
EW_INLINE u32 ew_load4(const void *p) { u32 v; EW_MOVE(&v, p); return v; }
EW_INLINE void ew_store4(void *p, u32 v) { EW_MOVE(p, &v); }
`;

const narrow = (bits: number, low: number, high: number): string => `
/* to ${bits} bits, saturated */
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
EW_INLINE i${bits} ew_narrow${bits}(i4 a) { i32 d; __asm__("ssat %0, #${bits}, %1" : "=r"(d) : "r"(a)); return (i${bits})d; }
#else
EW_INLINE i${bits} ew_narrow${bits}(i4 a) { const i32 v = (i32)a; return (i${bits})(v < ${low} ? ${low} : v > ${high} ? ${high} : v); }
#endif
`;

const ROUNDING = `${narrow(8, -128, 127)}${narrow(16, -32768, 32767)}
/* round to nearest even; exact for |v| < 2^22, so v is clamped to +-2^21 first */
EW_INLINE i4 ew_round(f4 v) {
  if ((v & 0x7fffffffu) > 0x4a000000u) v = 0x4a000000u | (v & 0x80000000u);
  return f4_add(v, 0x4b400000u) - 0x4b400000u;
}
`;

const CHANNELS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const channels = (text: (r: number) => string): string => CHANNELS.map(text).join(' ');
/** Eight sums in variables, from where they start to where they go. */
const sumsFrom = (type: string): string => `${type} ${CHANNELS.map((r) => `c${r} = from[${r}]`).join(', ')};`;
const SUMS_TO = channels((r) => `acc[${r}] = c${r};`);

/** What products of activations of a width differ in. */
interface Width {
  readonly type: 'i8' | 'i16';
  /** Four activations at `a` as halves: the first and the third in x0, the others in x1. */
  readonly dsp: string;
  /** Vectors of activations and of codes, and columns in one. */
  readonly mve: { readonly step: number; readonly a: string; readonly b: (at: string) => string; readonly dot: string };
}

const WIDTHS: readonly Width[] = [
  {
    type: 'i8',
    dsp: 'const u32 x = ew_load4(a), x0 = ew_even(x), x1 = ew_odd(x);',
    mve: {
      step: 16,
      a: 'const int8x16_t x = vldrbq_z_s8(a + k, vctp8q((u32)(cols - k)));',
      b: (at) => `vldrbq_s8(${at})`,
      dot: 'vmladavaq_s8',
    },
  },
  {
    type: 'i16',
    dsp: 'const u32 x = ew_load4(a), y = ew_load4(a + 2), x0 = (x & 0xffffu) | y << 16, x1 = x >> 16 | (y & 0xffff0000u);',
    mve: {
      step: 8,
      a: 'const int16x8_t x = vldrhq_z_s16(a + k, vctp16q((u32)(cols - k)));',
      b: (at) => `vldrbq_s16(${at})`,
      dot: 'vmladavaq_s16',
    },
  },
];

const product = ({ type, dsp, mve }: Width): string => `
/* acc[r] = from[r] + sum of a[k] * code of row r and column k; up to the next multiple of 4 columns are read of a; pitch is the tile's */
static void ew_dot8_${type}(const ${type} *a, const i8 *t, i32 pitch, i32 cols, const i32 *from, i32 *acc) {
#if defined(EW_MVE)
  i32 h, k;
  for (h = 0; h < 2; h++, from += 4, acc += 4, t += 4 * pitch) {
    i32 c0 = from[0], c1 = from[1], c2 = from[2], c3 = from[3];
    for (k = 0; k < cols; k += ${mve.step}) {
      ${mve.a}
      const i8 *b = t + k;
      ${[0, 1, 2, 3].map((r) => `c${r} = ${mve.dot}(c${r}, x, ${mve.b(r === 0 ? 'b' : `b + ${r === 1 ? '' : `${r} * `}pitch`)});`).join(' ')}
    }
    acc[0] = c0; acc[1] = c1; acc[2] = c2; acc[3] = c3;
  }
#else
  const ${type} *const end = a + cols;
  ${sumsFrom('i32')}
  (void)pitch;
#ifdef EW_DSP
  for (; a < end; a += 4, t += 32) {
    ${dsp}
    u32 w;
    ${channels((r) => `w = ew_load4(t + ${4 * r}); c${r} = ew_pair(x0, ew_even(w), c${r}); c${r} = ew_pair(x1, ew_odd(w), c${r});`)}
  }
#else
  for (; a < end; t += 28) {
    i32 k;
    for (k = 0; k < 4 && a < end; k++, t++) { const i32 x = *a++; ${channels((r) => `c${r} += x * t[${4 * r}];`)} }
  }
#endif
  ${SUMS_TO}
#endif
}
`;

const PRODUCTS = `
static const i32 ew_none[8] = {0};
#ifdef EW_DSP
/* bytes 0 and 2, and bytes 1 and 3, as signed halves; c + a0 * b0 + a1 * b1 of halves */
EW_INLINE u32 ew_even(u32 x) { u32 d; __asm__("sxtb16 %0, %1" : "=r"(d) : "r"(x)); return d; }
EW_INLINE u32 ew_odd(u32 x) { u32 d; __asm__("sxtb16 %0, %1, ror #8" : "=r"(d) : "r"(x)); return d; }
EW_INLINE i32 ew_pair(u32 a, u32 b, i32 c) { i32 d; __asm__("smlad %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c)); return d; }
#endif
${WIDTHS.map(product).join('')}
/* sums of the codes of a tile's rows, each times factor */
static void ew_tile_sums(const i8 *t, i32 cols, i32 factor, i32 *sums) {
  static const i8 ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const i32 pitch = EW_PITCH(cols);
  const i32 *from = ew_none;
  i32 c;
  for (c = 0; c < cols; c += 16, from = sums) ew_dot8_i8(ones, EW_CODE(t, 0, c, pitch), pitch, cols - c < 16 ? cols - c : 16, from, sums);
  for (c = 0; c < 8; c++) sums[c] *= factor;
}
/* acc[r] += sum in order of a[k] * b[k][r] */
static void ew_dot8_f32(const float *a, const float *b, i32 k, float *acc) {
  const float *from = acc;
  ${sumsFrom('float')}
  for (; k > 0; k--, a++, b += 8) { const float s = *a; ${channels((r) => `c${r} = c${r} + s * b[${r}];`)} }
  ${SUMS_TO}
}
`;

/** Taps of a depthwise window: rows x cols of them, steps in elements, filters [tap][8]. */
const WINDOWS = ['i8', 'i16']
  .map(
    (type) => `
/* acc[r] = from[r] + sum over a window's taps of x[tap][r] * w[tap][r]; xs and ws are the steps from a row of the window to the next */
static void ew_window8_${type}(const ${type} *x, i32 xs, i32 step, const i8 *w, i32 ws, i32 rows, i32 cols, const i32 *from, i32 *acc) {
  ${sumsFrom('i32')}
  for (; rows > 0; rows--, x += xs, w += ws) {
    const ${type} *a = x;
    const i8 *b = w;
    i32 k;
    for (k = 0; k < cols; k++, a += step, b += 8) { ${channels((r) => `c${r} += a[${r}] * b[${r}];`)} }
  }
  ${SUMS_TO}
}
`,
  )
  .join('');

const ROWS = `
/* n i8 -> i16 */
static void ew_widen(i16 *d, const i8 *s, i32 n) { i32 i; for (i = 0; i < n; i++) d[i] = s[i]; }
static void ew_fill16(i16 *d, i32 v, i32 n) { i32 i; for (i = 0; i < n; i++) d[i] = (i16)v; }
/* n finite half precision values; the product scales the exponent, and is exact */
EW_SHARED void ew_halves(const u16 *p, i32 n, float *d) {
  i32 i;
  for (i = 0; i < n; i++) {
    const f4 magnitude = f4_mul((u32)(p[i] & 0x7fff) << 13, f4_splat(5192296858534827628530496329220096.0f));
    f4_store(d + i, magnitude | (u32)(p[i] & 0x8000) << 16);
  }
}
/* one row to i8: scale = max|x| / 127, codes round(x * (127 / max|x|)); a zero row gives 0 */
static float ew_quantize_row(const float *x, i8 *q, i32 n) {
  f4 m = 0;
  i32 k;
  for (k = 0; k < n; k++) m = f4_max(m, f4_abs(f4_load(x + k)));
  const float top = ew_float(m);
  if (top == 0.0f) { memset(q, 0, (size_t)n); return 0.0f; }
  const f4 inv = f4_splat(127.0f / top);
  for (k = 0; k < n; k++) q[k] = ew_narrow8(ew_round(f4_mul(f4_load(x + k), inv)));
  return top / 127.0f;
}
/* h in [-1, 1] to round(h * 127) */
static void ew_quantize_h(const float *h, i8 *q, i32 n) {
  i32 k;
  for (k = 0; k < n; k++) q[k] = ew_narrow8(ew_round(f4_mul(f4_load(h + k), f4_splat(127.0f))));
}
/* sum of four partial sums, in the order that all engines take it in */
EW_INLINE float ew_sum4(const float *s) { return (s[0] + s[1]) + (s[2] + s[3]); }
/* n scores to codes of e^(s - max) in steps of 1 / limit; returns one over their sum */
static float ew_weights(const float *s, i32 n, float limit, i16 *w) {
  f4 m = f4_load(s);
  i32 k, total = 0;
  for (k = 1; k < n; k++) m = f4_max(m, f4_load(s + k));
  if (m == 0xff800000u) m = 0;
  for (k = 0; k < n; k++) { w[k] = ew_narrow16(ew_round(f4_mul(ew_exp(f4_sub(f4_load(s + k), m)), f4_splat(limit)))); total += w[k]; }
  return total > 0 ? 1.0f / (float)total : 0.0f;
}
`;

/** Everything a kernel may use, taken apart by chunks.ts; panels have tiles of these widths. */
export const helpersOf = (widths: readonly number[]): readonly string[] => [
  INSTRUCTIONS,
  ROUNDING,
  tilesOf(widths),
  PRODUCTS,
  WINDOWS,
  ROWS,
];
