import { LIST_BITS, PANEL_ROWS, TILES_PER_START } from '../../sdk/wire/panels.ts';
import { placedPanels } from './place.ts';
import type { Width } from './width.ts';

/** What products need around them: codes put into blocks, lines of the image copied. */
export function codeBlocks(w: Width): string {
  const wide = w.lanes === 16;
  return `${wide ? SUM_VNNI : SUM_256}${BLOCKS}${placedPanels(w)}${WALK}${wide ? FILTER_512 : FILTER_256}${UNPACKING}`;
}

const SUM_VNNI = `
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) { return _mm256_dpbusd_epi32(sum, _mm256_set1_epi8(1), codes); }`;

const SUM_256 = `
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), codes), _mm256_set1_epi16(1)));
}`;

const BLOCKS = `
/* a step of 8 channels for products of bytes, and two of them for those of 16 bits, \`stride\` bytes from one to the next */
#define EW_PUT8(t, stride, v) _mm256_storeu_si256((__m256i *)(t), v)
EW_INLINE void ew_put16(i8 *t, i64 stride, __m256i v) {
  const __m256i x = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)), y = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1));
#define EW_PAIRS(half) _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(y), half)), 0xd8)
  _mm256_storeu_si256((__m256i *)t, EW_PAIRS(0x88)); _mm256_storeu_si256((__m256i *)(t + stride), EW_PAIRS(0xdd));
}
${placing('', 'EW_PUT8', 1)}${placing('16', 'ew_put16', 2)}/* n bytes with their sign bits turned; up to a vector more is read and written */
EW_SHARED void ew_flip(u8 *d, const i8 *s, i64 n) {
  for (i64 i = 0; i < n; i += 4 * EW_LANES) EW_STOREX(d + i, (ew_mx)x_xor(fx_load(s + i), ix_splat((i32)0x80808080u)));
}
EW_INLINE void ew_fill_i16(i16 *d, i32 v, i32 n) { for (i32 i = 0; i < n; i++) d[i] = (i16)v; }
/* n bytes of padding, where up to a vector more is written */
EW_INLINE void ew_pad_u8(u8 *d, i32 v, i64 n) {
  if (n > 4 * EW_LANES) ew_fill(d, v, (u64)n); else if (n > 0) EW_STOREX(d, (ew_mx)ix_splat((i32)(0x01010101u * (u32)v)));
}
/* a line of n elements: \`left\` of padding, w of the image (none where s is null), padding again; up to a vector more is written */
EW_SHARED void ew_line_u8(u8 *d, const i8 *s, i32 left, i32 w, i32 n, i32 zp) {
  if (!s) left = w = 0;
  ew_pad_u8(d, zp + 128, left); ew_flip(d + left, s, w); ew_pad_u8(d + left + w, zp + 128, n - left - w);
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

/**
 * `ew_block(p, tile, tiles, rows, cols, segments, steps, t, width, room, sums)`: tiles of the panels at p into a block of `width` channels
 * at t, as [step of four columns][channel][4], and the sum of each channel's codes; with more than one segment, those are filled up to so
 * many steps each, and what a block ends with is written over. `ew_block16`: as [step of two columns][channel][2 i16]. room: see
 * sdk/compile/emit/c/panels.ts.
 */
const WALK = `
EW_SHARED const u8 *ew_tile(const u8 *p, i32 tile, i32 rows, i32 cols, i32 *entry);
EW_SHARED const u8 *ew_panel_at(const u8 *w, i32 entry, i32 height, i32 cols, i32 offset, u8 *t, u8 *room);
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d);
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d);
/* tiles one after another: the bytes of one, its entry, its bits (1: it is one of sdk/wire/row-tiles.ts), its bytes before its list and those of that, its rows */
typedef struct { const u8 *w; const u16 *entries; i32 tile, rows, cols, entry, bits, dense, list, height; } ew_walk;
EW_INLINE ew_walk ew_walk_from(const u8 *p, i32 tile, i32 rows, i32 cols) {
  i32 entry; const i32 tiles = (rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS};
  ew_walk t = {ew_tile(p, tile, rows, cols, &entry), (const u16 *)(p + 4 * ((tiles + ${TILES_PER_START - 1}) / ${TILES_PER_START} - 1)), tile, rows, cols, 0, 0, 0, 0, 0};
  return t;
}
EW_INLINE void ew_walk_on(ew_walk *t) {
  const i32 entry = t->entry = t->entries[t->tile], rest = t->rows - t->tile * ${PANEL_ROWS};
  t->bits = (entry >> ${LIST_BITS}) + 1; t->list = entry & ${2 ** LIST_BITS - 1}; t->height = rest < ${PANEL_ROWS} ? rest : ${PANEL_ROWS};
  t->dense = t->bits == 1 ? (t->cols + 7) / 8 * ${4 * PANEL_ROWS} : (t->bits * t->height * t->cols + 7) / 8;
}
#define EW_TILES(t, p, tile, tiles, rows, cols) for (ew_walk t = ew_walk_from(p, tile, rows, cols); t.tile < tile + tiles && (ew_walk_on(&t), 1); t.w += t.dense + t.list, t.tile++)
/* whether a tile goes to a block as it is unpacked, and its list, where it has one, for that */
#define EW_IS_PLACED(x) ((x).bits > 1 && (x).height == ${PANEL_ROWS})
EW_INLINE void ew_list_of(const ew_walk *x, i32 padded, u8 *d) {
  if (x->list) ew_list(x->w + x->dense, x->list, padded * ${PANEL_ROWS}, 1 << (x->bits - 1), d);
}
`;

/**
 * `ew_put_filters(w, bits, kh, kw, d, room, sums)`: a whole tile of filters of fewer than 16 taps, four a line at most, none of whose codes
 * are listed, to d.
 */
const FILTER_512 = `
EW_INLINE void ew_put_filters(const u8 *w, i32 bits, i32 kh, i32 kw, i8 *d, u8 *room, i32 *sums) {
  const i32 n = kh * kw * ${PANEL_ROWS};
  const __mmask64 first = n < 64 ? (1ull << n) - 1 : ~0ull, rest = n > 64 ? (1ull << (n - 64)) - 1 : 0;
  ew_mx v0, v1;
  if (bits == 8) {
    const ew_mx zero = _mm512_set1_epi8((char)128);
    v0 = _mm512_sub_epi8(_mm512_maskz_loadu_epi8(first, w), zero); v1 = _mm512_sub_epi8(_mm512_maskz_loadu_epi8(rest, w + 64), zero);
  } else {
    ew_unpack_fields(w, bits, 0, n, -(1 << (bits - 1)), room);
    v0 = _mm512_loadu_si512(room); v1 = _mm512_loadu_si512(room + 64);
  }
  /* two lines of [channel][4] at a time, of [tap][channel] */
  const u64 taps = 0x1111111111111111ull * (u64)((1 << kw) - 1);
  ew_mx at = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8((char)(kw * ${PANEL_ROWS})), 1), sum = _mm512_setzero_si512();
  at = _mm512_add_epi8(at, _mm512_set_epi32(${[...Array(16).keys()].reverse().map((c) => `0x${[24, 16, 8, 0].map((t) => (t + (c % 8)).toString(16).padStart(2, '0')).join('')}`)}));
  for (i32 k = 0; k < kh; k += 2, d += 2 * EW_LANES * 4, at = _mm512_add_epi8(at, _mm512_set1_epi8((char)(2 * kw * ${PANEL_ROWS})))) {
    const ew_mx v = _mm512_maskz_permutex2var_epi8(k + 1 < kh ? taps : taps & 0xffffffffu, v0, at, v1);
    _mm256_storeu_si256((__m256i *)d, _mm512_castsi512_si256(v));
    if (k + 1 < kh) _mm256_storeu_si256((__m256i *)(d + EW_LANES * 4), _mm512_extracti64x4_epi64(v, 1));
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), v);
  }
  _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1)));
}
`;

const FILTER_256 = `
/* four taps of 8 channels each, n of which are real, as [channel][4] */
EW_INLINE __m256i ew_four_taps(const u8 *d, i32 n) {
#define EW_TAP(i) (i < n ? _mm_loadl_epi64((const __m128i *)(d + 8 * i)) : _mm_setzero_si128())
  const __m128i x = _mm_unpacklo_epi8(EW_TAP(0), EW_TAP(1)), y = _mm_unpacklo_epi8(EW_TAP(2), EW_TAP(3));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(x, y)), _mm_unpackhi_epi16(x, y), 1);
}
EW_INLINE void ew_put_filters(const u8 *w, i32 bits, i32 kh, i32 kw, i8 *d, u8 *room, i32 *sums) {
  __m256i sum = _mm256_setzero_si256();
  ew_unpack_fields(w, bits, 0, kh * kw * ${PANEL_ROWS}, -(1 << (bits - 1)), room);
  for (i32 k = 0; k < kh; k++, d += EW_LANES * 4) {
    const __m256i v = ew_four_taps(room + ${PANEL_ROWS} * kw * k, kw);
    _mm256_storeu_si256((__m256i *)d, v); sum = ew_sum_codes(sum, v);
  }
  _mm256_storeu_si256((__m256i *)sums, sum);
}
`;

const UNPACKING = `
/* filters of kh * kw taps as [block of EW_LANES channels][line][step of four taps][channel][4] */
EW_SHARED void ew_filters(const u8 *p, i32 tile, i32 tiles, i32 rows, i32 kh, i32 kw, i8 *t, u8 *room, i32 *sums) {
  const i32 steps = (kw + 3) / 4, taps = kh * kw; i32 at = 0;
  EW_TILES(x, p, tile, tiles, rows, taps) {
    i8 *d = t + at / EW_LANES * EW_LANES * 4 * kh * steps + at % EW_LANES * 4;
    if (taps < 16 && steps == 1 && x.height == ${PANEL_ROWS} && x.list == 0) ew_put_filters(x.w, x.bits, kh, kw, d, room, sums + at);
    else {
      ew_panel_at(x.w, x.entry, x.height, taps, 0, room, room + (taps + 15) / 16 * 16 * ${PANEL_ROWS});
      ew_place_segments(room, d, EW_LANES * 4, kh, kw, steps, sums + at);
    }
    at += ${PANEL_ROWS};
  }
}
${block('')}${block('16')}`;

function block(form: '' | '16'): string {
  return `EW_SHARED void ew_block${form}(const u8 *p, i32 tile, i32 tiles, i32 rows, i32 cols, i32 segments, i32 steps, i8 *t, i32 width, u8 *room, i32 *sums) {
  /* whole steps in every segment: they follow one another as they do in the tile */
  const i32 padded = (cols + 15) / 16 * 16, whole = segments == 1 || cols % (4 * segments) == 0;
  u8 *const behind = room + padded * ${PANEL_ROWS};
  ew_walk x = ew_walk_from(p, tile, rows, cols), next;
  ew_walk_on(&x);
  for (i32 i = 0, known = 0; i < tiles; i++, x = next, t += 4 * ${PANEL_ROWS}, sums += ${PANEL_ROWS}) {
    u8 *const list = i & 1 ? behind : room;
    next = x; next.w += x.dense + x.list; next.tile++;
    if (i + 1 < tiles) ew_walk_on(&next);
    if (whole && EW_IS_PLACED(x)) {
      if (!known) ew_list_of(&x, padded, list);
      /* the list of the next tile is made here: bytes that were only just stored are slow to load across the borders of those stores */
      known = i + 1 < tiles && EW_IS_PLACED(next);
      if (known) ew_list_of(&next, padded, i & 1 ? room : behind);
      ew_place_panel${form}(x.w, x.bits, x.list ? list : 0, cols, t, 4 * width, sums);
    } else {
      known = 0;
      ew_panel_at(x.w, x.entry, x.height, cols, 0, room, behind);
      if (whole) ew_place_tile${form}(room, t, 4 * width, padded / 4, sums);
      else ew_place_segments${form}(room, t, 4 * width, segments, cols / segments, steps, sums);
    }
  }
}
`;
}

/** `put` takes codes of four columns to so many steps of the product. */
function placing(name: string, put: string, steps: number): string {
  return `/* one tile of codes, [step][8 channels][4] at s, into a block at t, \`stride\` bytes a step; the sum of each channel's codes */
EW_SHARED void ew_place_tile${name}(const u8 *s, i8 *t, i64 stride, i32 steps, i32 *sums) {
  __m256i c0 = _mm256_setzero_si256(), c1 = c0;
  for (; steps > 0; steps -= 2, s += 64, t += ${2 * steps} * stride) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)s), w = _mm256_loadu_si256((const __m256i *)(s + 32));
    ${put}(t, stride, v); ${put}(t + ${steps} * stride, stride, w); c0 = ew_sum_codes(c0, v); c1 = ew_sum_codes(c1, w);
  }
  _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(c0, c1));
}
/* a tile of codes, [column / 4][8 channels][4], in segments of \`length\` columns: as [segment][step], segments filled up to so many steps; the sum of each channel's codes */
EW_SHARED void ew_place_segments${name}(const u8 *s, i8 *t, i64 stride, i32 segments, i32 length, i32 steps, i32 *sums) {
  __m256i sum = _mm256_setzero_si256();
  for (i32 i = 0; i < segments; i++) for (i32 k = 0, left = steps; left > 0; k += 4, t += (left < ${steps} ? left : ${steps}) * stride, left -= ${steps}) {
    __m256i v = _mm256_setzero_si256();
    if (k < length) {
      const i32 at = i * length + k, n = length - k < 4 ? length - k : 4, shift = 8 * (at & 3);
      const __m256i low = _mm256_loadu_si256((const __m256i *)(s + at / 4 * 32)), high = _mm256_loadu_si256((const __m256i *)(s + (at / 4 + 1) * 32));
      v = _mm256_or_si256(_mm256_srl_epi32(low, _mm_cvtsi32_si128(shift)), _mm256_sll_epi32(high, _mm_cvtsi32_si128(32 - shift)));
      v = _mm256_and_si256(v, _mm256_srl_epi32(_mm256_set1_epi32(-1), _mm_cvtsi32_si128(32 - 8 * n)));
    }
    ${put}(t, stride, v); sum = ew_sum_codes(sum, v);
  }
  _mm256_storeu_si256((__m256i *)sums, sum);
}
`;
}
