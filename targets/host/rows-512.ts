import { PANEL_ROWS } from '../../sdk/wire/panels.ts';
import { SHIFTS, unit512 } from './panels.ts';
import { indexes } from './row-tiles.ts';
import { ROW_WIDTHS } from './rows.ts';

/**
 * Products of one row of bytes with panels on vectors of 512 bits: codes go into the product as they are unpacked. A vector has four columns
 * of eight rows of the matrix, and behind them the next four; what is multiplied is a code plus 128, which is unsigned.
 */

/** Bytes a column of a row as these products want it. */
export const ROW_BYTES_512 = 8;

const ADD = 'EW_ADD_PRODUCTS';

function multiply(bits: number): string {
  const head = `
static __attribute__((unused)) const u8 *ew_multiply${bits}(const u8 *w, i32 units, const i8 *x, i32 padded, i32 zp, i32 reach, const u8 *list, i32 listed, ew_sums *sums) {
  ew_mx c0 = sums->c0, c1 = sums->c1, s = sums->codes; (void)padded; (void)reach; (void)listed;`;
  const end = `
  sums->c0 = c0; sums->c1 = c1; sums->codes = s;
  return list;
}`;
  if (bits === 8)
    return `${head}
  for (; units > 0; units--, w += 128, x += 128) {
    ${[0, 1].map((i) => `{ const ew_mx u = _mm512_loadu_si512(w + ${64 * i}); ${ADD}(c${i}, s, u, x + ${64 * i}) }`).join(' ')}
  }${end}`;
  const unit = unit512(bits);
  const halves = [0, 1].map(
    (i) => `{ const ew_mx u = _mm512_add_epi8(${unit.whole}, up); ${ADD}(c${i}, s, u, x + ${64 * i}) }`,
  );
  return `${head}
  ${SHIFTS} const ew_mx up = _mm512_set1_epi8(${128 - (1 << (bits - 1))});
  for (; units > 0; units--, w += ${unit.bytes}, x += 128) {
    ${unit.loads}
    ${halves.join(` ${unit.shifts} `)}
  }${end}`;
}

/** What the walk over tiles (row-walk.ts) is written with. */
export const ROWS_512 = `
/* vectors that meet those of codes: eight times as many bytes */
EW_INLINE void ew_put_row(__m128i v, i32 k, i32 padded, i8 *d) {
  const ew_mx x = _mm512_castsi128_si512(v); (void)padded;
  _mm512_storeu_si512(d + 8 * k, _mm512_permutexvar_epi32(${indexes(0, 1)}, x)); _mm512_storeu_si512(d + 8 * k + 64, _mm512_permutexvar_epi32(${indexes(2, 3)}, x));
}
typedef struct { ew_mx c0, c1, codes; } ew_sums;
#define EW_NO_SUMS {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()}
#define ${ADD}(c, s, u, p) { c = _mm512_dpbusd_epi32(c, u, _mm512_loadu_si512(p)); if (zp) s = _mm512_dpbusd_epi32(s, u, _mm512_set1_epi8(1)); }
${ROW_WIDTHS.map(multiply).join('')}
EW_INLINE void ew_multiply_rest(const u8 *t, i32 zero, i32 from, i32 padded, const i8 *x, i32 zp, ew_sums *sums) {
  x += ${PANEL_ROWS} * from;
  for (i32 n = (padded - from) * ${PANEL_ROWS}; n > 0; n -= 64, t += 64, x += 64) {
    const ew_mx u = _mm512_add_epi8(_mm512_loadu_si512(t), _mm512_set1_epi8((char)(128 - zero)));
    ${ADD}(sums->c1, sums->codes, u, x)
  }
}
/* sum((x - zp) * (u - 128)); in columns that fill up x and the code are 0 */
EW_INLINE void ew_put_sums(const ew_sums *sums, i32 sum, i32 zp, i32 padded, i32 *out) {
  const ew_mx all = _mm512_add_epi32(sums->c0, sums->c1);
  __m256i y = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  y = _mm256_sub_epi32(y, _mm256_set1_epi32(128 * sum));
  if (zp) {
    const __m256i codes = _mm256_add_epi32(_mm512_castsi512_si256(sums->codes), _mm512_extracti64x4_epi64(sums->codes, 1));
    y = _mm256_sub_epi32(y, _mm256_mullo_epi32(_mm256_set1_epi32(zp), _mm256_sub_epi32(codes, _mm256_set1_epi32(padded * 128))));
  }
  _mm256_storeu_si256((__m256i *)out, y);
}
`;
