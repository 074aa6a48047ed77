import { widened } from './lanes.ts';

/**
 * The three transforms of Winograd's F(2x2,3x3) on integers (winograd.ts), elementwise, so that every width of vectors gives the same bits:
 * - `ew_winograd_codes(g, taps, d, points, n)`: n values of each of 3x3 taps to those of 4x4 points, (2G) g (2G)': twice what the usual G gives, in
 *   both directions, which is whole. taps and points: elements from one to the next.
 * - `ew_winograd_image(x, line, tiles, c, pitch, d)`: a row of tiles, whose four lines of c channels begin at x, two pixels a tile further, to
 *   [tile][point][pitch], B' x B. Up to a vector past the channels is read and, below the pitch, written.
 * - `ew_winograd_sums(m, points, n)`: n products of each of the 4x4 points to those of 2x2 pixels, A' m A / 4, in place of the first four points.
 */
const codes = (): string => {
  const three = [0, 1, 2];
  const lines = three.map((x) => {
    const [a, b, c] = three.map((y) => `h8_load(g + ${3 * y + x} * taps)`);
    return `const h8 g${x} = ${a}, h${x} = ${b}, i${x} = ${c}, s${x} = h8_add(g${x}, i${x});
      const h8 a0${x} = h8_add(g${x}, g${x}), a1${x} = h8_add(s${x}, h${x}), a2${x} = h8_sub(s${x}, h${x}), a3${x} = h8_add(i${x}, i${x});`;
  });
  const points = FOUR.map((y) => {
    const at = (x: number): string => `d + ${4 * y + x} * points`;
    const [a, b, c] = three.map((x) => `a${y}${x}`);
    return `{ const h8 s = h8_add(${a}, ${c}); h8_store(${at(0)}, h8_add(${a}, ${a})); h8_store(${at(1)}, h8_add(s, ${b})); h8_store(${at(2)}, h8_sub(s, ${b})); h8_store(${at(3)}, h8_add(${c}, ${c})); }`;
  });
  return `EW_SHARED void ew_winograd_codes(const i16 *g, i32 taps, i16 *d, i32 points, i32 n) {
  for (; n > 0; n -= EW_HALVES, g += EW_HALVES, d += EW_HALVES) {
      ${[...lines, ...points].join('\n      ')}
  }
}
`;
};

const FOUR = [0, 1, 2, 3];

const image = (): string => {
  const column = (name: string, at: string): string =>
    `const i16 *${name}_at = s + ${at}; const h8 ${name}_1 = h8_load(${name}_at + line), ${name}_2 = h8_load(${name}_at + 2 * line);
      const h8 ${name}0 = h8_sub(h8_load(${name}_at), ${name}_2), ${name}1 = h8_add(${name}_1, ${name}_2), ${name}2 = h8_sub(${name}_2, ${name}_1), ${name}3 = h8_sub(${name}_1, h8_load(${name}_at + 3 * line));`;
  const row = (y: number): string => {
    const at = (x: number): string => `o + ${4 * y + x} * pitch`;
    return `h8_store(${at(0)}, h8_sub(a${y}, e${y})); h8_store(${at(1)}, h8_add(b${y}, e${y})); h8_store(${at(2)}, h8_sub(e${y}, b${y})); h8_store(${at(3)}, h8_sub(b${y}, f${y}));`;
  };
  const all = (text: (y: number) => string): string => FOUR.map(text).join(' ');
  return `EW_SHARED void ew_winograd_image(const i16 *x, i32 line, i32 tiles, i32 c, i32 pitch, i16 *d) {
  for (i32 k = 0; k < c; k += EW_HALVES) {
    const i16 *s = x + k; i16 *o = d + k; h8 ${FOUR.map((y) => `a${y}, b${y}`).join(', ')};
    { ${column('e', '0')} ${column('f', 'c')} ${all((y) => `a${y} = e${y}; b${y} = f${y};`)} }
    for (i32 t = 0; t < tiles; t++, o += 16 * pitch) {
      s += 2 * c;
      ${column('e', '0')}
      ${column('f', 'c')}
      ${FOUR.map(row).join('\n      ')}
      ${all((y) => `a${y} = e${y}; b${y} = f${y};`)}
    }
  }
}
`;
};

const sums = (): string => {
  const lines = FOUR.map((y) => {
    const m = (x: number): string => `i4_load(m + ${4 * y + x} * points)`;
    return `const i4 m${y} = ${m(1)}, n${y} = ${m(2)}, p${y} = i4_add(${m(0)}, i4_add(m${y}, n${y})), q${y} = i4_sub(m${y}, i4_add(n${y}, ${m(3)}));`;
  });
  const pixel = (at: number, sum: string): string => `i4_store(m + ${at} * points, i4_shr(${sum}, 2));`;
  return `EW_SHARED void ew_winograd_sums(i32 *m, i32 points, i32 n) {
  for (; n > 0; n -= EW_SUMS, m += EW_SUMS) {
    ${lines.join('\n    ')}
    ${['p', 'q'].map((v, x) => `${pixel(x, `i4_add(${v}0, i4_add(${v}1, ${v}2))`)} ${pixel(2 + x, `i4_sub(${v}1, i4_add(${v}2, ${v}3))`)}`).join('\n    ')}
  }
}
`;
};

/** The transforms in the words of vectors of so many lanes of 32 bits. */
export function winogradText(lanes: 4 | 8 | 16): string {
  const text = `${codes()}${image()}${sums()}`
    .replaceAll('EW_HALVES', `${2 * lanes}`)
    .replaceAll('EW_SUMS', `${lanes}`);
  return lanes === 4 ? text : widened(text).replace(/\bh8(?=_|\b)/g, 'hx');
}
