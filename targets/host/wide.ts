import { PANELS_512 } from './panels.ts';

/**
 * Wide vectors of x86-64 (`Vectors.wide`): the words of sdk/compile/emit/c/lanes.ts for 8 lanes (AVX2) and 16 (AVX-512 VNNI), and the
 * micro-kernels of integer products. Bytes of activations are unsigned here (their sign bit is turned), codes signed: what the
 * instructions multiply.
 */

/** What differs between 256 and 512 bits. */
interface Width {
  readonly lanes: 8 | 16;
  readonly bytes: 32 | 64;
  /** Prefix of the intrinsics, and their names of a vector of integers. */
  readonly mm: '_mm256' | '_mm512';
  readonly si: 'si256' | 'si512';
}

const WIDTHS: Readonly<Record<8 | 16, Width>> = {
  8: { lanes: 8, bytes: 32, mm: '_mm256', si: 'si256' },
  16: { lanes: 16, bytes: 64, mm: '_mm512', si: 'si512' },
};

/** Shape of the micro-kernels: rows by vectors of channels, as the registers allow. */
export const SHAPES = { 8: { rows: 6, columns: 2 }, 16: { rows: 8, columns: 3 } } as const;

/**
 * Steps of four columns in one pass of a loop: with 32 registers gcc schedules long bodies better (rows of matrices are padded to 16
 * columns), with 16 it spills, so that a pass is as short as it can be there.
 */
const UNROLL = 4;
const UNROLL_16_256 = 2;

export function wideHeader(lanes: 8 | 16): string {
  const w = WIDTHS[lanes];
  return `${words(w)}${lanes === 16 ? WORDS_512 : WORDS_256}${products(w)}${lanes === 16 ? PANELS_512 : ''}`;
}

function words({ lanes, bytes, mm, si }: Width): string {
  return `
#define EW_LANES ${lanes}
typedef int ew_wi __attribute__((vector_size(${bytes})));
typedef unsigned ew_wu __attribute__((vector_size(${bytes})));
typedef float ew_wf __attribute__((vector_size(${bytes})));
typedef short ew_wh __attribute__((vector_size(${bytes})));
typedef ew_wi fx; typedef ew_wi ix;
typedef ew_wi ew_anyx __attribute__((aligned(1), may_alias));
typedef __m${bytes * 8}i ew_mx; typedef __m${bytes * 8} ew_mf;
EW_INLINE fx fx_load(const void *p) { return *(const ew_anyx *)p; }
#define fx_store(p, v) (*(ew_anyx *)(p) = (v))
EW_INLINE ix ix_splat(i32 x) { return (ix)${mm}_set1_epi32(x); }
EW_INLINE fx fx_splat(float x) { return (fx)${mm}_set1_ps(x); }
#define fx_load_splat(p) ix_splat(*(const ew_any4 *)(p))
#define fx_add(a, b) ((fx)((ew_wf)(a) + (ew_wf)(b)))
#define fx_sub(a, b) ((fx)((ew_wf)(a) - (ew_wf)(b)))
#define fx_mul(a, b) ((fx)((ew_wf)(a) * (ew_wf)(b)))
#define fx_div(a, b) ((fx)((ew_wf)(a) / (ew_wf)(b)))
#define fx_min(a, b) ((fx)${mm}_min_ps((ew_mf)(b), (ew_mf)(a)))
#define fx_max(a, b) ((fx)${mm}_max_ps((ew_mf)(b), (ew_mf)(a)))
#define fx_sqrt(v) ((fx)${mm}_sqrt_ps((ew_mf)(v)))
#define fx_neg(a) x_xor((a), ix_splat((i32)0x80000000u))
#define fx_abs(a) x_and((a), ix_splat(0x7fffffff))
#define fx_eq(a, b) ((fx)((ew_wf)(a) == (ew_wf)(b)))
#define fx_lt(a, b) ((fx)((ew_wf)(a) < (ew_wf)(b)))
#define fx_le(a, b) ((fx)((ew_wf)(a) <= (ew_wf)(b)))
#define fx_from_i4(v) ((fx)${mm}_cvtepi32_ps((ew_mx)(v)))
#define x_and(a, b) ((a) & (b))
#define x_or(a, b) ((a) | (b))
#define x_xor(a, b) ((a) ^ (b))
#define x_andnot(a, b) ((a) & ~(b))
#define x_not(a) (~(a))
EW_INLINE fx x_select(fx mask, fx a, fx b) { return (a & mask) | (b & ~mask); }
#define ix_load(p) fx_load(p)
#define ix_store(p, v) fx_store((p), (v))
#define ix_add(a, b) ((ix)((ew_wu)(a) + (ew_wu)(b)))
#define ix_sub(a, b) ((ix)((ew_wu)(a) - (ew_wu)(b)))
#define ix_mul(a, b) ((ix)((ew_wu)(a) * (ew_wu)(b)))
#define ix_shl(v, n) ((ix)((ew_wu)(v) << ((n) & 31)))
#define ix_shr(v, n) ((ix)((ew_wi)(v) >> ((n) & 31)))
EW_INLINE ix ix_from_f4(fx v) {
  const fx number = x_and(v, fx_eq(v, v));
  return x_xor((ix)${mm}_cvttps_epi32((ew_mf)number), fx_le(fx_splat(2147483648.0f), number));
}
#define EW_LOADX(p) ${mm}_loadu_${si}((const ew_mx *)(p))
#define EW_STOREX(p, v) ${mm}_storeu_${si}((ew_mx *)(p), (v))
`;
}

const WORDS_512 = `
/* lanes of a table of eight */
#define fx_of_eight(table, i) ((fx)_mm512_permutexvar_ps((ew_mx)(i), _mm512_castps256_ps512(_mm256_loadu_ps(table))))
#define fx_floor(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC))
#define fx_ceil(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC))
#define fx_round(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define ix_load_i8(p) ((ix)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p))))
#define ix_load_i16(p) ((ix)_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p))))
#define fx_load_bool(p) ((fx)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))))
/* saturated; _part: the first n lanes */
#define ix_store_i8(p, v) _mm_storeu_si128((__m128i *)(p), _mm512_cvtsepi32_epi8((ew_mx)(v)))
#define ix_store_i16(p, v) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtsepi32_epi16((ew_mx)(v)))
#define ix_store_i8_part(p, v, n) _mm512_mask_cvtsepi32_storeu_epi8((p), (__mmask16)((1u << (n)) - 1), (ew_mx)(v))
#define ix_store_i16_part(p, v, n) _mm512_mask_cvtsepi32_storeu_epi16((p), (__mmask16)((1u << (n)) - 1), (ew_mx)(v))
`;

const WORDS_256 = `
#define fx_of_eight(table, i) ((fx)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (ew_mx)(i)))
#define fx_floor(v) ((fx)_mm256_floor_ps((ew_mf)(v)))
#define fx_ceil(v) ((fx)_mm256_ceil_ps((ew_mf)(v)))
#define fx_round(v) ((fx)_mm256_round_ps((ew_mf)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define ix_load_i8(p) ((ix)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p))))
#define ix_load_i16(p) ((ix)_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p))))
#define fx_load_bool(p) ((fx)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))))
/* saturated; _part: the first n lanes */
EW_INLINE __m128i ew_narrow_i16(ix v) { return _mm_packs_epi32(_mm256_castsi256_si128((ew_mx)v), _mm256_extracti128_si256((ew_mx)v, 1)); }
#define ix_store_i16(p, v) _mm_storeu_si128((__m128i *)(p), ew_narrow_i16(v))
EW_INLINE void ix_store_i8(i8 *p, ix v) { const __m128i h = ew_narrow_i16(v); _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(h, h)); }
EW_INLINE void ix_store_i16_part(i16 *p, ix v, i32 n) { i16 t[8]; ix_store_i16(t, v); for (i32 j = 0; j < n; j++) p[j] = t[j]; }
EW_INLINE void ix_store_i8_part(i8 *p, ix v, i32 n) { i8 t[8]; ix_store_i8(t, v); for (i32 j = 0; j < n; j++) p[j] = t[j]; }
`;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/**
 * `ew_dot8(reach, a, pitch, rows, b, columns, steps, init, more, acc)`: rows of unsigned bytes times codes; `ew_dot16`: of 16 bits. b is
 * [step][columns * EW_LANES channels][4 codes], steps (of four columns of the matrix) are a multiple of four, acc is
 * [rows][columns * EW_LANES] i32 and begins with init, which is `more` further for every row. `reach` is what `ew_reach` gave for the
 * codes, or what is known of them: the steps whose products cannot overflow a sum of 16 bits, as AVX2 adds them up.
 */
function products(w: Width): string {
  const { rows, columns } = SHAPES[w.lanes];
  const kernels = reaches(w).flatMap((reach) =>
    range(rows).flatMap((r) => range(columns).map((c) => dot8(w, r + 1, c + 1, reach))),
  );
  const sixteen = [...range(rows).map((r) => dot16(w, r + 1)), WIDE_16(rows)];
  const own = w.lanes === 16 ? `${BLOCK_SUM_512}${DEPTHWISE_512}` : `${BLOCK_SUM_256}${REACH_256}${DEPTHWISE_256}`;
  return `${kernels.join('')}${dispatch(w)}${sixteen.join('')}${DEPTHWISE_PAIRS}${own}${BLOCKS}${DEPTHWISE}`;
}

/** Kernels of products of bytes by what they sum in 16 bits: VNNI sums in 32 bits at once. */
function reaches({ lanes }: Width): readonly (0 | 1 | 2 | 4)[] {
  return lanes === 16 ? [0] : [0, 1, 2, 4];
}

function dot8({ lanes, mm }: Width, rows: number, columns: number, reach: 0 | 1 | 2 | 4): string {
  // Few accumulators would wait for each other: every step has its own.
  const sets = lanes === 16 && rows * columns < 8 ? UNROLL : 1;
  const acc = (r: number, c: number, u: number): string => `c${r}_${c}_${u % sets}`;
  const cells = range(rows).flatMap((r) => range(columns).map((c) => [r, c] as const));
  const start = cells.map(([r, c]) =>
    range(sets)
      .map(
        (s) =>
          `ew_mx ${acc(r, c, s)} = ${s === 0 ? `EW_LOADX(init + ${r} * more + ${c * lanes})` : `${mm}_setzero_si${lanes * 32}()`};`,
      )
      .join(' '),
  );
  const b = (u: number, c: number): string => `EW_LOADX(b + ${(u * columns + c) * lanes * 4})`;
  const a = (r: number, u: number): string => `${mm}_set1_epi32(*(const ew_any4 *)(a + ${r} * pitch + ${4 * u}))`;
  const add = (to: string, x: string): string => `${to} = ${mm}_add_epi32(${to}, ${x});`;
  const step = (
    u: number,
    declared: (c: number) => string,
    dots: (r: number, c: number) => string,
    more: string,
  ): string =>
    `{ const ew_mx ${range(columns).map(declared).join(', ')};
      ${range(rows)
        .map(
          (r) =>
            `{ const ew_mx s = ${a(r, u)}${more}; ${range(columns)
              .map((c) => dots(r, c))
              .join(' ')} }`,
        )
        .join(' ')} }`;
  const vnni = (u: number): string =>
    step(
      u,
      (c) => `b${c} = ${b(u, c)}`,
      (r, c) => `${acc(r, c, u)} = ${mm}_dpbusd_epi32(${acc(r, c, u)}, s, b${c});`,
      '',
    );
  // Bytes of even places and of odd ones, widened.
  const apart = (): string =>
    step(
      0,
      (c) =>
        `b${c} = ${b(0, c)}, e${c} = ${mm}_srai_epi16(${mm}_slli_epi16(b${c}, 8), 8), o${c} = ${mm}_srai_epi16(b${c}, 8)`,
      (r, c) =>
        `${add(acc(r, c, 0), `${mm}_madd_epi16(se, e${c})`)} ${add(acc(r, c, 0), `${mm}_madd_epi16(so, o${c})`)}`,
      `, se = ${mm}_and_si256(s, ${mm}_set1_epi16(255)), so = ${mm}_srli_epi16(s, 8)`,
    );
  const sum16 = (r: number, c: number): string =>
    range(reach)
      .map((i) => `${mm}_maddubs_epi16(${a(r, i)}, ${b(i, c)})`)
      .reduce((x, y) => `${mm}_add_epi16(${x}, ${y})`);
  const chained = (): string =>
    cells.map(([r, c]) => add(acc(r, c, 0), `${mm}_madd_epi16(${sum16(r, c)}, ${mm}_set1_epi16(1))`)).join('\n      ');
  const pass = lanes === 16 ? UNROLL : Math.max(1, reach);
  const loop = lanes === 16 ? range(pass).map(vnni) : reach === 0 ? [apart()] : [chained()];
  const total = (r: number, c: number): string =>
    range(sets)
      .map((s) => acc(r, c, s))
      .reduce((x, y) => `${mm}_add_epi32(${x}, ${y})`);
  return `
EW_SHARED void ew_dot8_${reach}_${rows}_${columns}(const u8 *a, i64 pitch, const i8 *b, i32 steps, const i32 *init, i64 more, i32 *acc) {
  ${start.join('\n  ')}
  for (; steps > 0; steps -= ${pass}, a += ${4 * pass}, b += ${pass * columns * lanes * 4}) {
    ${loop.join('\n    ')}
  }
  ${cells.map(([r, c]) => `EW_STOREX(acc + ${(r * columns + c) * lanes}, ${total(r, c)});`).join(' ')}
}`;
}

/** Four 16-bit values of a row times four codes of each channel: two sums a channel, added at the end. */
function dot16({ lanes, mm }: Width, rows: number): string {
  const half = lanes * 2;
  const pass = lanes === 16 ? UNROLL : UNROLL_16_256;
  const widen = (at: number): string =>
    lanes === 16
      ? `_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + ${at})))`
      : `_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + ${at})))`;
  const step = (c: string, b: string): string =>
    lanes === 16 ? `_mm512_dpwssd_epi32(${c}, s, ${b})` : `_mm256_add_epi32(${c}, _mm256_madd_epi16(s, ${b}))`;
  const sum =
    lanes === 16
      ? (x: string, y: string) =>
          `_mm512_add_epi32(_mm512_permutex2var_epi32(${x}, even, ${y}), _mm512_permutex2var_epi32(${x}, odd, ${y}))`
      : (x: string, y: string) => `_mm256_permute4x64_epi64(_mm256_hadd_epi32(${x}, ${y}), 0xd8)`;
  const tables =
    lanes === 16
      ? `const ew_mx even = _mm512_setr_epi32(${range(16).map((i) => 2 * i)}), odd = _mm512_setr_epi32(${range(16).map((i) => 2 * i + 1)});`
      : '';
  return `
EW_SHARED void ew_dot16_${rows}(const i16 *a, i64 pitch, const i8 *b, i64 stride, i32 steps, const i32 *init, i64 more, i32 *acc, i64 row) {
  ${range(rows)
    .map((r) => `ew_mx c${r} = ${mm}_setzero_si${lanes * 32}(), d${r} = c${r};`)
    .join(' ')} ${tables}
  for (; steps > 0; steps -= ${pass}, a += ${4 * pass}) {
    ${range(pass)
      .map(
        (u) => `{ const ew_mx x = ${widen(0)}, y = ${widen(half)}; b += stride;
    ${range(rows)
      .map(
        (r) =>
          `{ const ew_mx s = ${mm}_set1_epi64${lanes === 16 ? '' : 'x'}(*(const ew_any8 *)(a + ${r} * pitch + ${4 * u})); c${r} = ${step(`c${r}`, 'x')}; d${r} = ${step(`d${r}`, 'y')}; }`,
      )
      .join('\n    ')} }`,
      )
      .join('\n    ')}
  }
  ${range(rows)
    .map((r) => `EW_STOREX(acc + ${r} * row, ${mm}_add_epi32(EW_LOADX(init + ${r} * more), ${sum(`c${r}`, `d${r}`)}));`)
    .join(' ')}
}`;
}

/** The kernel for so many rows and columns, from a table. */
function dispatch(w: Width): string {
  const { rows, columns } = SHAPES[w.lanes];
  const all = reaches(w);
  const tables = all.map(
    (reach) => `{${range(rows).map((r) => `{${range(columns).map((c) => `ew_dot8_${reach}_${r + 1}_${c + 1}`)}}`)}}`,
  );
  const place = all.length === 1 ? '0' : `reach == 4 ? 3 : reach`;
  return `
EW_INLINE void ew_dot8(i32 reach, const u8 *a, i64 pitch, i32 rows, const i8 *b, i32 columns, i32 steps, const i32 *init, i64 more, i32 *acc) {
  static void (*const kernels[${all.length}][${rows}][${columns}])(const u8 *, i64, const i8 *, i32, const i32 *, i64, i32 *) = {${tables}};
  (void)reach; kernels[${place}][rows - 1][columns - 1](a, pitch, b, steps, init, more, acc);
}`;
}

/** Sums of 16 bits take one vector of channels at a time. */
const WIDE_16 = (rows: number): string => `
EW_INLINE void ew_dot16(const i16 *a, i64 pitch, i32 rows, const i8 *b, i32 columns, i32 steps, const i32 *init, i64 more, i32 *acc) {
  static void (*const kernels[${rows}])(const i16 *, i64, const i8 *, i64, i32, const i32 *, i64, i32 *, i64) = {${range(rows).map((r) => `ew_dot16_${r + 1}`)}};
  for (i32 c = 0; c < columns; c++)
    kernels[rows - 1](a, pitch, b + c * EW_LANES * 4, columns * EW_LANES * 4, steps, init + c * EW_LANES, more, acc + c * EW_LANES, columns * EW_LANES);
}`;

const BLOCK_SUM_512 = `
#define ew_reach(t, vectors, steps) 4
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) { return _mm256_dpbusd_epi32(sum, _mm256_set1_epi8(1), codes); }`;
/**
 * 255 times the positive codes of a sum, and 255 times the negative ones, must fit 16 bits: with s the sum of the codes and a that of
 * their magnitudes, a + |s| is twice the larger of the two, at most 2 * 128.
 */
const REACH_256 = `
#define EW_REACHES
/* the steps that products may be summed for in 16 bits (4, 2, 1 or 0) by the codes of \`vectors\` vectors a step, which begin with their first */
EW_SHARED i32 ew_reach(const i8 *t, i32 vectors, i32 steps) {
  const __m256i one = _mm256_set1_epi8(1); __m256i most1 = _mm256_setzero_si256(), most2 = most1, most4 = most1;
  for (i32 v = 0; v < vectors; v++) {
    const i8 *p = t + 32 * v;
    for (i32 k = 0; k < steps; k += 4, p += 128 * vectors) {
      __m256i s[4], a[4];
      for (i32 i = 0; i < 4; i++) {
        const __m256i w = EW_LOADX(p + 32 * i * vectors);
        s[i] = _mm256_maddubs_epi16(one, w); a[i] = _mm256_maddubs_epi16(_mm256_abs_epi8(w), one);
        most1 = _mm256_max_epi16(most1, _mm256_add_epi16(a[i], _mm256_abs_epi16(s[i])));
      }
      const __m256i s0 = _mm256_add_epi16(s[0], s[1]), s1 = _mm256_add_epi16(s[2], s[3]), a0 = _mm256_add_epi16(a[0], a[1]), a1 = _mm256_add_epi16(a[2], a[3]);
      most2 = _mm256_max_epi16(most2, _mm256_max_epi16(_mm256_add_epi16(a0, _mm256_abs_epi16(s0)), _mm256_add_epi16(a1, _mm256_abs_epi16(s1))));
      most4 = _mm256_max_epi16(most4, _mm256_add_epi16(_mm256_add_epi16(a0, a1), _mm256_abs_epi16(_mm256_add_epi16(s0, s1))));
    }
  }
#define EW_FITS(most) (_mm256_movemask_epi8(_mm256_cmpgt_epi16(most, _mm256_set1_epi16(256))) == 0)
  return EW_FITS(most4) ? 4 : EW_FITS(most2) ? 2 : EW_FITS(most1);
}`;
const BLOCK_SUM_256 = `
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), codes), _mm256_set1_epi16(1)));
}`;

/**
 * Depthwise filters: `dw_taps_u8(p)` takes four neighbouring pixels of EW_LANES channels each, one after another, and `dw_filter_u8(p)`
 * codes as [channel][4], in whatever form `dw_dot_u8(acc, taps, filter)` multiplies; `_i16`: the same for pixels of 16 bits.
 */
const DEPTHWISE_512 = `
typedef ix dw_u8;
EW_INLINE ix dw_taps_u8(const u8 *p) {
  const ew_mx order = _mm512_set_epi32(${[...range(16)].reverse().map((c) => `0x${[48, 32, 16, 0].map((t) => (t + c).toString(16).padStart(2, '0')).join('')}`)});
  return (ix)_mm512_permutexvar_epi8(order, _mm512_loadu_si512(p));
}
#define dw_filter_u8(p) fx_load(p)
#define dw_dot_u8(acc, taps, w) ((ix)_mm512_dpbusd_epi32((ew_mx)(acc), (ew_mx)(taps), (ew_mx)(w)))
EW_INLINE void dw_copy_i8(u8 *d, const void *s, u8 turned) { _mm_storeu_si128((__m128i *)d, _mm_xor_si128(_mm_loadu_si128(s), _mm_set1_epi8((char)turned))); }
EW_INLINE void dw_copy_i16(i16 *d, const void *s) { _mm256_storeu_si256((__m256i *)d, _mm256_loadu_si256(s)); }
/* pixels p and q as [channel][2] */
EW_INLINE ix dw_pair(const i16 *p, const i16 *q) {
  const ew_mx order = _mm512_set_epi32(${[...range(16)].reverse().map((c) => `0x${(((16 + c) << 16) | c).toString(16)}`)});
  return (ix)_mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p)), _mm256_loadu_si256((const __m256i *)q), 1));
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w) { return (ix)_mm512_dpwssd_epi32((ew_mx)acc, (ew_mx)a, (ew_mx)w); }`;

const DEPTHWISE_256 = `
typedef dw_i16 dw_u8;
EW_INLINE dw_u8 dw_taps_u8(const u8 *p) {
  const ew_mx bytes = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const ew_mx taps = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(EW_LOADX(p), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)), bytes);
  return (dw_u8){(ix)_mm256_and_si256(taps, _mm256_set1_epi16(255)), (ix)_mm256_srli_epi16(taps, 8)};
}
#define dw_filter_u8 dw_filter_i16
#define dw_dot_u8 dw_dot_i16
EW_INLINE void dw_copy_i8(u8 *d, const void *s, u8 turned) { _mm_storel_epi64((__m128i *)d, _mm_xor_si128(_mm_loadl_epi64(s), _mm_set1_epi8((char)turned))); }
EW_INLINE void dw_copy_i16(i16 *d, const void *s) { _mm_storeu_si128((__m128i *)d, _mm_loadu_si128(s)); }
EW_INLINE ix dw_pair(const i16 *p, const i16 *q) {
  const __m128i x = _mm_loadu_si128((const __m128i *)p), y = _mm_loadu_si128((const __m128i *)q);
  return (ix)_mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(x, y)), _mm_unpackhi_epi16(x, y), 1);
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w) { return ix_add(acc, (ix)_mm256_madd_epi16((ew_mx)a, (ew_mx)w)); }`;

/** Taps 0 and 2 of a channel side by side, and taps 1 and 3. */
const DEPTHWISE_PAIRS = `
typedef struct { ix even, odd; } dw_i16;
EW_INLINE dw_i16 dw_filter_i16(const i8 *p) {
  const ix w = fx_load(p);
  return (dw_i16){(ix)((ew_wh)((ew_wh)w << 8) >> 8), (ix)((ew_wh)w >> 8)};
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w);
EW_INLINE ix dw_dot_i16(ix acc, dw_i16 a, dw_i16 w) { return dw_dot_pair(dw_dot_pair(acc, a.even, w.even), a.odd, w.odd); }
`;

const DEPTHWISE = `
EW_INLINE dw_i16 dw_taps_i16(const i16 *p) { return (dw_i16){dw_pair(p, p + 2 * EW_LANES), dw_pair(p + EW_LANES, p + 3 * EW_LANES)}; }
/* a line of \`pixels\` pixels of EW_LANES channels: \`left\` of padding, w of the image (pitch apart), padding; the image's line may lie outside. Bytes are made unsigned, as those of pad are */
EW_SHARED void dw_line_u8(u8 *d, const i8 *s, i64 pitch, i32 left, i32 w, i32 pixels, i32 outside, const u8 *pad) {
  i32 i = 0; const i32 end = outside ? 0 : left + w < pixels ? left + w : pixels;
  for (; i < (outside ? 0 : left); i++, d += EW_LANES) dw_copy_i8(d, pad, 0);
  for (; i < end; i++, d += EW_LANES, s += pitch) dw_copy_i8(d, s, 0x80);
  for (; i < pixels; i++, d += EW_LANES) dw_copy_i8(d, pad, 0);
}
EW_SHARED void dw_line_i16(i16 *d, const i16 *s, i64 pitch, i32 left, i32 w, i32 pixels, i32 outside, const i16 *pad) {
  i32 i = 0; const i32 end = outside ? 0 : left + w < pixels ? left + w : pixels;
  for (; i < (outside ? 0 : left); i++, d += EW_LANES) dw_copy_i16(d, pad);
  for (; i < end; i++, d += EW_LANES, s += pitch) dw_copy_i16(d, s);
  for (; i < pixels; i++, d += EW_LANES) dw_copy_i16(d, pad);
}
`;

/** What products need around them. */
const BLOCKS = `
/* one tile of codes, [step][8 channels][4] at s, into a block of \`width\` channels at t; the sum of each channel's codes */
EW_SHARED void ew_place_tile(const u8 *s, i8 *t, i64 width, i32 steps, i32 *sums) {
  __m256i c0 = _mm256_setzero_si256(), c1 = c0, c2 = c0, c3 = c0;
#define EW_PLACE(c, i) { const __m256i v = _mm256_loadu_si256((const __m256i *)(s + 32 * (i))); _mm256_storeu_si256((__m256i *)(t + 4 * (i) * width), v); c = ew_sum_codes(c, v); }
  for (; steps > 0; steps -= 4, s += 128, t += 16 * width) { EW_PLACE(c0, 0) EW_PLACE(c1, 1) EW_PLACE(c2, 2) EW_PLACE(c3, 3) }
  _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(_mm256_add_epi32(c0, c1), _mm256_add_epi32(c2, c3)));
}
/* a tile of codes, [column / 4][8 channels][4], in segments of \`length\` columns: as [segment][step][\`stride\` bytes on][8 channels][4], segments filled up to so many steps; the sum of each channel's codes */
EW_SHARED void ew_place_segments(const u8 *s, i8 *t, i64 stride, i32 segments, i32 length, i32 steps, i32 *sums) {
  __m256i sum = _mm256_setzero_si256();
  for (i32 i = 0; i < segments; i++) for (i32 k = 0; k < 4 * steps; k += 4, t += stride) {
    __m256i v = _mm256_setzero_si256();
    if (k < length) {
      const i32 at = i * length + k, n = length - k < 4 ? length - k : 4, shift = 8 * (at & 3);
      const __m256i low = _mm256_loadu_si256((const __m256i *)(s + at / 4 * 32)), high = _mm256_loadu_si256((const __m256i *)(s + (at / 4 + 1) * 32));
      v = _mm256_or_si256(_mm256_srl_epi32(low, _mm_cvtsi32_si128(shift)), _mm256_sll_epi32(high, _mm_cvtsi32_si128(32 - shift)));
      v = _mm256_and_si256(v, _mm256_srl_epi32(_mm256_set1_epi32(-1), _mm_cvtsi32_si128(32 - 8 * n)));
    }
    _mm256_storeu_si256((__m256i *)t, v); sum = ew_sum_codes(sum, v);
  }
  _mm256_storeu_si256((__m256i *)sums, sum);
}
/* n bytes with their sign bits turned; up to a vector more is read and written */
EW_SHARED void ew_flip(u8 *d, const i8 *s, i64 n) {
  for (i64 i = 0; i < n; i += 4 * EW_LANES) EW_STOREX(d + i, (ew_mx)x_xor(fx_load(s + i), ix_splat((i32)0x80808080u)));
}
EW_INLINE void ew_fill_i16(i16 *d, i32 v, i32 n) { for (i32 i = 0; i < n; i++) d[i] = (i16)v; }
/* a line of n elements: \`left\` of padding, w of the image (none where s is null), padding again; up to a vector more is written */
EW_SHARED void ew_line_u8(u8 *d, const i8 *s, i32 left, i32 w, i32 n, i32 zp) {
  if (!s) left = w = 0;
  ew_fill(d, zp + 128, (u64)left); ew_flip(d + left, s, w); ew_fill(d + left + w, zp + 128, (u64)(n - left - w));
}
EW_SHARED void ew_line_i8(i16 *d, const i8 *s, i32 left, i32 w, i32 n, i32 zp) {
  if (!s) left = w = 0;
  ew_fill_i16(d, zp, left);
  for (i32 i = 0; i < w; i += 8) h8_store(d + left + i, h8_load_i8(s + i));
  ew_fill_i16(d + left + w, zp, n - left - w);
}
EW_SHARED void ew_line_i16(i16 *d, const i16 *s, i32 left, i32 w, i32 n, i32 zp) {
  /* not a copy of no bytes: the compiler would take it that s is not null */
  if (!s) { ew_fill_i16(d, zp, n); return; }
  ew_fill_i16(d, zp, left); ew_copy(d + left, s, (u64)w * 2); ew_fill_i16(d + left + w, zp, n - left - w);
}
`;
