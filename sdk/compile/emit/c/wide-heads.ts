import type { WideVectors } from '../../target.ts';
import type { KernelContext } from './context.ts';
import { hasLanewiseTail } from './epilogue.ts';
import { rowsAtOnce } from './gemm.ts';
import type { HeadOperands, HeadProducts } from './head-products.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { evenly } from './wide-rows.ts';

/** Vectors of keys side by side: more of them would be computed in vain at the end. */
const KEY_COLUMNS = 2;

/**
 * Products of heads on wide vectors. Scores are products of bytes where those go into sums of 32 bits at once: queries are made unsigned
 * by 128 more, which the sums of the keys take back. Elsewhere both are widened to 16 bits, since codes of keys are as wide as can be.
 */
export function wideHead(ctx: KernelContext, wide: WideVectors, p: HeadOperands): HeadProducts {
  const { spec: s, k, v, block, scores, pitch } = p;
  const { lanes, vnni } = wide;
  const unit = keyUnit(wide, s.keys);
  const dp = vnni ? Math.ceil(s.size / 4) * 4 : Math.ceil(s.size / 8) * 8;
  const bytes = vnni ? 1 : 2;
  const steps = vnni ? dp / 4 : dp / 2;
  const columns = Math.min(wide.columns, Math.ceil(s.valueSize / lanes));
  const width = columns * lanes;
  const mr = rowsAtOnce(Math.min(block, s.queries), wide.rows);
  const keys = `((i8 *)${ctx.scratch(pitch * dp * bytes)})`;
  const values = `((i16 *)${ctx.scratch(pitch * Math.ceil(s.valueSize / width) * width * 2)})`;
  const start = `((i32 *)${ctx.scratch(pitch * 4)})`;
  const rows = `((${vnni ? 'u8' : 'i16'} *)${ctx.scratch(block * dp * bytes + 4 * lanes)})`;
  const acc = `((i32 *)${ctx.scratch(mr * Math.max(unit, width) * 4)})`;
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes) : NARROW;
  const own = (text: string): string => (tail.wide ? widened(text) : text);
  const query = vnni
    ? `ew_flip(${rows} + r * ${dp}, q + r * ${s.q[3]}, ${s.size});`
    : `ew_widen_padded(${rows} + r * ${dp}, q + r * ${s.q[3]}, ${s.size}, ${dp});`;
  const some = `rows = ib - m < ${mr} ? ib - m : ${mr};`;
  const scored = `for (i32 j = 0; j < ${unit}; j += ${lanes}) f4_store(o + j, f4_mul(f4_from_i4(i4_load(sums + j)), f4_splat(scale)));`;
  return {
    unit,
    lanes: tail,
    pack: (count) => `const i32 seen = ${count} < ${s.keys} ? ${count} : ${s.keys};
      ${vnni ? `ew_keys8(${keys}, ${unit}, ${k}, ${s.k[3]}, seen, ${s.size}); ew_key_sums(${keys}, ${unit}, ${count}, ${steps}, ${start});` : `ew_keys16(${keys}, ${unit}, ${k}, ${s.k[3]}, seen, ${dp});`}
      ew_values16(${values}, ${width}, ${pitch}, ${v}, ${s.v[3]}, seen, ${s.valueSize});`,
    scores: `static const i32 queries[] = ${evenly(dp * bytes, mr)};
    for (i32 r = 0; r < ib; r++) ${query}
    for (i32 n = 0; n < kn; n += ${unit}) for (i32 m = 0, rows; m < ib; m += rows) {
      ${some}
      ${vnni ? 'ew_dot8(0, ' : 'ew_dot16('}${rows} + m * ${dp}, queries, rows, ${keys} + n * ${dp * bytes}, ${unit / lanes}, 1, 0, ${steps}, ${vnni ? `${start} + n` : 'ew_nothing'}, ${acc});
      const i32 *sums = ${acc}; float *o = ${scores} + m * ${pitch} + n;
      for (i32 r = 0; r < rows; r++, sums += ${unit}, o += ${pitch}) ${widened(scored)}
    }`,
    values: (finish) => `static const i32 weights[] = ${evenly(4 * pitch, mr)};
    for (i32 first = 0; first < ${s.valueSize}; first += ${width}) for (i32 m = 0, rows; m < ib; m += rows) {
      ${some}
      ew_dot16(${scores} + m * ${pitch}, weights, rows, ${values} + first * ${pitch}, ${columns}, 1, 0, kn / 2, ew_nothing, ${acc});
      for (i32 r = 0; r < rows; r++) for (i32 n = first; n < first + ${width} && n < ${s.valueSize}; n += ${tail.block}) {
        const i32 nv = ${s.valueSize} - n < ${tail.block} ? ${s.valueSize} - n : ${tail.block}; (void)nv;
        const i32 *sums = ${acc} + r * ${width} + n - first;
        ${own(finish(tail.pieces.map((_, i) => `f4_from_i4(i4_load(sums + ${4 * i}))`)))}
      }
    }`,
  };
}

/** Keys that are handled together. */
export function keyUnit({ lanes, columns }: WideVectors, keys: number): number {
  return lanes * Math.min(columns, KEY_COLUMNS, Math.ceil(keys / lanes));
}
