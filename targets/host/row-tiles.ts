import { range, type Width } from './width.ts';

/**
 * Products of one row with tiles that the engine holds in the form of sdk/wire/row-tiles.ts: four bits of every code are multiplied where
 * they are, unsigned, and what is listed is added. A vector of 256 bits has eight columns of the eight rows, even places of `NIBBLES` in the lower
 * halves of its bytes, odd ones in the upper; one of 512 bits the next eight columns behind them.
 */

/** Bytes a column of what `ew_put_order` writes, and of what is added for the list. */
export const orderBytes = ({ lanes }: Width): number => (lanes === 16 ? 8 : 1);
export const SIGN_BYTES = 8;

/** Columns of a row as their halves of bytes meet them, in the order of `NIBBLES`. */
const ORDER = '_mm_setr_epi8(0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15)';

/** `ew_put_order(v, k, d)`: columns k to k + 15 of a row, as operands of the products, from d on. */
function putOrder({ lanes }: Width): string {
  const body =
    lanes === 16
      ? `const ew_mx o = _mm512_castsi128_si512(_mm_shuffle_epi8(v, ${ORDER}));
  ${[0, 1].map((half) => `_mm512_storeu_si512(d + 8 * k + ${64 * half}, _mm512_permutexvar_epi32(${indexes(half, half + 2)}, o));`).join(' ')}`
      : `_mm_storeu_si128((__m128i *)(d + k), _mm_shuffle_epi8(v, ${ORDER}));`;
  return `EW_INLINE void ew_put_order(__m128i v, i32 k, i8 *d) { ${body} }`;
}

/** Lanes of a vector of 512 bits: the first eight, and the others. */
export function indexes(first: number, second: number): string {
  return `_mm512_set_epi32(${[...Array(8).fill(second), ...Array(8).fill(first)].join(', ')})`;
}

/** Vectors in one pass of the loop: sums of 16 bits take the products of so many, and those of 32 bits wait for nothing. */
const PASS = 4;

/** C text that multiplies vector `i` of a pass. */
function vector(w: Width, i: number, load: string): string {
  const { mm, si } = w;
  const low = `${mm}_set1_epi8(15)`;
  const operand = (half: number): string =>
    w.lanes === 16
      ? `EW_LOADX(x + ${128 * i + 64 * half})`
      : `${mm}_set1_epi32(*(const ew_any4 *)(x + ${8 * i + 4 * half}))`;
  const multiply = (half: number): string => {
    const u = `u${half}`;
    if (w.vnni) {
      const c = `c${(2 * i + half) % 4}`;
      return `__asm__("${w.dpbusd} %2, %1, %0" : "+v"(${c}) : "v"(${u}), "v"(${operand(half)}));`;
    }
    const product = `${mm}_maddubs_epi16(${u}, ${operand(half)})`;
    return i === 0 ? `h${half} = ${product};` : `h${half} = ${mm}_add_epi16(h${half}, ${product});`;
  };
  return `{ const ew_mx v = ${load}, u0 = ${mm}_and_${si}(v, ${low}), u1 = ${mm}_and_${si}(${mm}_srli_epi16(v, 4), ${low});
      ${multiply(0)} ${multiply(1)}
      if (zp) s = ${mm}_add_epi32(s, ${mm}_madd_epi16(${mm}_maddubs_epi16(${mm}_add_epi8(u0, u1), ${mm}_set1_epi8(1)), ${mm}_set1_epi16(1))); }`;
}

/** `ew_row_nibbles`: products with the halves of bytes. */
function nibbles(w: Width): string {
  const { mm, si, bytes, lanes, vnni } = w;
  const zero = `${mm}_setzero_${si}()`;
  const groups = lanes / 8;
  const pass = (n: number): string => {
    const vectors = range(n).map((i) => vector(w, i, `EW_LOADX(w + ${bytes * i})`));
    return halves(vectors.join('\n      '));
  };
  const halves = (text: string): string =>
    vnni
      ? `{ ${text} }`
      : `{ ew_mx h0, h1;
      ${text}
      c0 = ${mm}_add_epi32(c0, ${mm}_madd_epi16(${mm}_add_epi16(h0, h1), ${mm}_set1_epi16(1))); }`;
  const operands = orderBytes(w) * 8 * groups;
  const next = (n: number): string => `groups -= ${n * groups}, w += ${n * bytes}, x += ${n * operands}`;
  // The last eight columns by themselves.
  const last =
    lanes === 16
      ? `if (groups > 0) ${vector(w, 0, '_mm512_zextsi256_si512(_mm256_loadu_si256((const __m256i *)w))')}`
      : '';
  const sum = vnni ? `${mm}_add_epi32(${mm}_add_epi32(c0, c1), ${mm}_add_epi32(c2, c3))` : 'c0';
  const narrow = (v: string): string =>
    lanes === 16 ? `_mm256_add_epi32(_mm512_castsi512_si256(${v}), _mm512_extracti64x4_epi64(${v}, 1))` : v;
  return `/* products of a row with a tile of (cols + 7) / 8 * 32 bytes at w: x as ew_put_order wrote it, sum that of the row */
EW_SHARED void ew_row_nibbles(const u8 *w, i32 cols, const i8 *x, i32 sum, i32 zp, i32 *out) {
  i32 groups = (cols + 7) / 8; const i32 all = groups;
  ew_mx ${vnni ? `c0 = ${zero}, c1 = c0, c2 = c0, c3 = c0` : `c0 = ${zero}`}, s = ${zero};
  for (; groups >= ${PASS * groups}; ${next(PASS)}) ${pass(PASS)}
  for (; groups >= ${groups}; ${next(1)}) ${pass(1)}
  ${last}
  const ew_mx total = ${sum}; __m256i y = _mm256_sub_epi32(${narrow('total')}, _mm256_set1_epi32(8 * sum));
  if (zp) y = _mm256_sub_epi32(y, _mm256_mullo_epi32(_mm256_set1_epi32(zp), _mm256_sub_epi32(${narrow('s')}, _mm256_set1_epi32(64 * all))));
  _mm256_storeu_si256((__m256i *)out, y);
}`;
}

const LIST = `/* adds the n bytes of a list to sums; signs are those of ew_put_signs */
EW_SHARED void ew_row_above(const u8 *list, i32 n, const i32 *signs, i32 *out) {
  static const i32 rows[8][8] = {${range(8)
    .map((r) => `{${range(8).map((i) => (i === r ? -1 : 0))}}`)
    .join(', ')}};
  __m256i c = _mm256_loadu_si256((const __m256i *)out); u32 at = 0;
  for (const u8 *end = list + n; list != end; list++) {
    at += *list;
    c = _mm256_add_epi32(c, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)rows[at & 7]), _mm256_set1_epi32(signs[at >> 3])));
  }
  _mm256_storeu_si256((__m256i *)out, c);
}
/* for columns k to k + 15: 16 times what they are less the zero point, and minus that */
EW_INLINE void ew_put_signs(__m128i v, i32 k, i32 zp, i32 *d) {
  for (i32 i = 0; i < 2; i++, v = _mm_srli_si128(v, 8)) {
    const __m256i x = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_cvtepi8_epi32(v), _mm256_set1_epi32(zp)), 4), y = _mm256_sub_epi32(_mm256_setzero_si256(), x);
    const __m256i low = _mm256_unpacklo_epi32(x, y), high = _mm256_unpackhi_epi32(x, y);
    _mm256_storeu_si256((__m256i *)(d + 2 * k + 16 * i), _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(d + 2 * k + 16 * i + 8), _mm256_permute2x128_si256(low, high, 0x31));
  }
}`;

/** Of a thousand codes: with more of them listed, tiles of panels are faster, for which AVX-512 has instructions. */
const MOST_LISTED_512 = 20;

export function rowTileProducts(w: Width): string {
  return `
${w.lanes === 16 ? `#undef EW_ROW_LISTS\n#define EW_ROW_LISTS ${MOST_LISTED_512}` : ''}
${putOrder(w)}
${nibbles(w)}
${LIST}
`;
}
