import { align } from '../../memory.ts';
import type { KernelContext } from './context.ts';
import type { Geometry } from './geometry.ts';

/**
 * Lines of the image for a depthwise kernel that reads them where they are, row of results after row; where it writes its results over the
 * image (overlap.ts), for one that reads copies: of as many lines as a row of results takes, each copied before the first row that takes it.
 * They lie in a ring, twice, so that those of a row follow one another wherever it begins.
 */
export interface ImageLines {
  readonly helpers: string;
  /** Before the loop over rows of results. */
  readonly setup: string;
  /** Once a row, behind the `clip` of its lines. */
  readonly row: string;
  /** Address of channel n of pixel x_0 of the line that taps of row ky meet. */
  readonly at: string;
}

/** Bytes that are copied at a time, four vectors; kernels may read as many behind the arena. */
const PIECE = 64;

/** `type` is that of the image's elements in C. */
export function imageLines(ctx: KernelContext, geo: Geometry, src: string, type: 'i8' | 'i16'): ImageLines {
  const { w, h, c, kh } = geo;
  const [dy] = geo.dilations;
  if (!ctx.overlapped)
    return {
      helpers: '',
      setup: '',
      row: '',
      at: `${src} + ((b * ${h} + y_0 + ky * ${dy}) * ${w} + x_0) * ${c} + n`,
    };
  const count = (kh - 1) * dy + 1;
  const bytes = type === 'i8' ? 1 : 2;
  const pitch = (align(w * c * bytes, PIECE) + PIECE) / bytes;
  const behind = count * pitch;
  const kept = ctx.scratch(2 * behind * bytes);
  return {
    helpers: `/* n channels of a line to two places, and what lies behind them up to a whole piece */
static void keep_line(const ${type} *s, ${type} *d, i32 n) {
  const i32 whole = n == ${c}, pieces = whole ? 1 : ${w}, length = whole ? ${w * c} : n;
  for (i32 x = 0; x < pieces; x++, s += ${c}, d += ${c})
    for (i32 i = 0; i < length; i += ${PIECE / bytes}) {
      const i16 *const from = (const i16 *)(s + i);
      i16 *const to = (i16 *)(d + i), *const again = (i16 *)(d + i + ${behind});
      const h8 v0 = h8_load(from), v1 = h8_load(from + 8), v2 = h8_load(from + 16), v3 = h8_load(from + 24);
      h8_store(to, v0); h8_store(to + 8, v1); h8_store(to + 16, v2); h8_store(to + 24, v3);
      h8_store(again, v0); h8_store(again + 8, v1); h8_store(again + 16, v2); h8_store(again + 24, v3);
    }
}
`,
    setup: `${type} *const kept = (${type} *)${kept}; i32 next = 0;`,
    row: `if (py == 0 || next < y_0) next = y_0 < 0 ? 0 : y_0;
    for (; next < ${h} && next < y_0 + ${count}; next++) keep_line(${src} + (b * ${h} + next) * ${w * c} + n0, kept + next % ${count} * ${pitch} + n0, n1 - n0);
    const ${type} *const first = kept + (y_0 + ${h * count}) % ${count} * ${pitch};`,
    at: `first + ky * ${dy * pitch} + x_0 * ${c} + n`,
  };
}
