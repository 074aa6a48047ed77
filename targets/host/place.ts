import { PANEL_ROWS } from '../../sdk/wire/panels.ts';
import { SHIFTS, unit512 } from './panels.ts';
import { unit256 } from './units-256.ts';
import type { Width } from './width.ts';

/**
 * Tiles that go to their places in a block of codes as they are unpacked: `ew_place_panel(w, bits, list, cols, t, stride, sums)`, where the
 * codes of the list of the tile of eight rows at w are at `list`, or that is null. See blocks.ts for blocks, panels.ts for what tiles are.
 */
export function placedPanels(w: Width): string {
  return `${FROM_PANELS}${(['', '16'] as const).map((form) => `${WIDTHS.map((bits) => place(w, bits, form)).join('')}${panel(w, form)}`).join('')}`;
}

const WIDTHS = [2, 3, 4, 5, 6, 7, 8] as const;

/** What the panels' own text has. */
const FROM_PANELS = `
EW_SHARED void ew_rest(const u8 *w, i32 bits, i32 from, i32 cols, i32 height, i32 fill, u8 *t);
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 mark, const u8 *list);
`;

/** C text that reads a unit at w, and the vectors of its codes plus 2^(bits - 1), between which `shifts` come. */
interface Unit {
  readonly bytes: number;
  readonly loads: string;
  readonly vectors: readonly string[];
  readonly shifts: string;
}

function unitOf(bits: number, lanes: 8 | 16): Unit {
  if (lanes === 8) {
    const { bytes, loads, codes } = unit256(bits);
    return { bytes, loads, vectors: codes, shifts: '' };
  }
  if (bits === 8)
    return { bytes: 128, loads: '', vectors: [0, 64].map((at) => `_mm512_loadu_si512(w + ${at})`), shifts: '' };
  const { bytes, loads, plain, shifts } = unit512(bits);
  return { bytes, loads, vectors: [plain, plain], shifts };
}

/** `ew_place<bits>(w, to, stride, units, list)`: units to a block; returns the sums of what each lane had. With a list or, `_all`, without. */
function place(w: Width, bits: number, form: '' | '16'): string {
  const { lanes, mm, si } = w;
  const unit = unitOf(bits, lanes);
  const put = form === '' ? 'EW_PUT8' : 'ew_put16';
  const step = form === '' ? 'stride' : '2 * stride';
  const stored = lanes === 16 ? ['_mm512_castsi512_si256(v)', '_mm512_extracti64x4_epi64(v, 1)'] : ['v'];
  const sum = lanes === 16 ? '_mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), v)' : 'ew_sum_codes(sum, v)';
  const text = (listed: boolean): string => {
    const one = (u: string): string =>
      `{ const ew_mx v = ${mm}_sub_epi8(${listed ? `ew_listed_${lanes * 32}(${u}, list)` : u}, zero); sum = ${sum}; ${stored.map((x) => `${put}(to, stride, ${x}); to += ${step};`).join(' ')} }`;
    return `EW_INLINE ew_mx ew_place${bits}${form}${listed ? '' : '_all'}(const u8 *w, i8 *to, i64 stride, i32 units, const u8 **list) {
  const ew_mx zero = ${mm}_set1_epi8((char)${1 << (bits - 1)}); ew_mx sum = ${mm}_setzero_${si}(); (void)list;
  ${lanes === 16 ? SHIFTS : ''}
  for (; units > 0; units--, w += ${unit.bytes}) {
    ${unit.loads}
    ${unit.vectors.map(one).join(`\n    ${unit.shifts} `)}
  }
  return sum;
}
`;
  };
  return `${bits < 8 ? text(true) : ''}${text(false)}`;
}

function panel({ lanes, mm, si }: Width, form: '' | '16'): string {
  const [put, steps] = form === '' ? ['EW_PUT8', 1] : ['ew_put16', 2];
  const cases = WIDTHS.map((b) => {
    const all = `ew_place${b}${form}_all(w, t, stride, units, &list)`;
    return `    case ${b}: sum = ${b < 8 ? `list ? ew_place${b}${form}(w, t, stride, units, &list) : ` : ''}${all}; break;`;
  });
  const total =
    lanes === 16 ? '_mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1))' : 'sum';
  return `EW_SHARED void ew_place_panel${form}(const u8 *w, i32 bits, const u8 *list, i32 cols, i8 *t, i64 stride, i32 *sums) {
  const i32 units = cols / 16, zero = 1 << (bits - 1); ew_mx sum = ${mm}_setzero_${si}();
  switch (bits) {
${cases.join('\n')}
  }
  __m256i all = ${total};
  if (cols % 16) {
    u8 d[16 * ${PANEL_ROWS}]; const u8 *s = d;
    ew_rest(w + units * 16 * bits, bits, units * 16, cols, ${PANEL_ROWS}, zero, d);
    if (list) ew_fill_in(d, sizeof d, 0, list);
    t += units * ${4 * steps} * stride;
    for (i32 k = cols % 16; k > 0; k -= 4, s += 4 * ${PANEL_ROWS}, t += ${steps} * stride) {
      const __m256i v = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)s), _mm256_set1_epi8((char)zero));
      ${put}(t, stride, v); all = ew_sum_codes(all, v);
    }
  }
  _mm256_storeu_si256((__m256i *)sums, all);
}
`;
}
