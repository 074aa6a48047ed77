import type { WideVectors } from '../../target.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, hasLanewiseTail, type Space } from './epilogue.ts';
import { NR } from './gemm.ts';
import { emitGather } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { expanded } from './vectors.ts';
import { reachesOfRow } from './wide-chains.ts';
import type { WideProduct } from './wide-product.ts';

/** Channels at a time. */
const CHANNELS = 64;

/** Whether a product is of one row of bytes: nothing would be unpacked for a second one. */
export function isWideRow(ctx: KernelContext, { geo, x }: WideProduct): boolean {
  return geo.m === 1 && geo.groups === 1 && ctx.type(x).dtype === 'i8';
}

/** One row of bytes times codes, which are multiplied as they are unpacked (targets/host/row-walk.ts). */
export function wideRow(
  ctx: KernelContext,
  { lanes, vnni, rowBytes }: WideVectors,
  { geo, src, w, y, zp, panels, multiplier, bias, rowScale }: WideProduct,
  space: Space,
): Omit<KernelText, 'macs'> {
  const kp = Math.ceil(geo.k / 16) * 16;
  const gather = geo.pointwise ? '' : emitGather('gather', geo, { from: 'i8', to: 'i8', pitch: kp });
  const gathered = geo.pointwise ? src : `((i8 *)${ctx.scratch(kp)})`;
  const row = `((i8 *)${ctx.scratch(rowBytes * kp)})`;
  const room = `((u8 *)${ctx.scratch(2 * NR * (kp + 4))})`;
  const out = `((i32 *)${ctx.scratch(CHANNELS * 4)})`;
  const real = geo.og % lanes === 0 ? undefined : 'width';
  const [scales, biases] = [multiplier, bias].map((v) =>
    expanded(v, 'n', 'filled', () => ctx.scratch((CHANNELS + 16) * 4), real),
  ) as [ReturnType<typeof expanded>, ReturnType<typeof expanded>];
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes) : NARROW;
  const epi = emitEpilogue(ctx, 'epi', { ...space, whole: geo.og % tail.block === 0 }, y, tail);
  const value = (i: number): string => {
    const at = i === 0 ? 'c' : `c + ${4 * i}`;
    const f = `f4_from_i4(i4_load(${out} + ${at}))`;
    const scaled = rowScale ? `f4_mul(${f}, f4_load_splat(${rowScale}))` : f;
    return `f4_add(f4_mul(${scaled}, f4_load(${scales.at} + ${at})), f4_load(${biases.at} + ${at}))`;
  };
  const finish = `for (i32 c = 0; c < width; c += ${tail.block}) {
      const i32 nv = width - c < ${tail.block} ? width - c : ${tail.block}; (void)nv;
      epi(${ctx.arguments()}, 0, n + c, nv, ${tail.pieces.map((_, i) => value(i)).join(', ')});
    }`;
  const data = vnni ? undefined : ctx.largestCodes(w);
  const reaches = data ? reachesOfRow({ data, rows: geo.o, cols: geo.k }) : [1];
  const body = `const i32 zp = ${zp};
  ${share(geo.o, lanes, 'n0', 'n1')}
  if (n0 >= n1) return;
  ${gather ? `gather(${src}, ${gathered}, 0, 1, 0, zp);` : ''}
  const i32 sum = ew_make_row(${gathered}, ${geo.k}, zp, ${row});
  for (i32 n = n0; n < n1; n += ${CHANNELS}) {
    const i32 width = n1 - n < ${CHANNELS} ? n1 - n : ${CHANNELS};
    const i32 tiles = (width + ${NR - 1}) / ${NR}, filled = (width + ${lanes - 1}) / ${lanes} * ${lanes}; (void)filled;
    ${reachText(reaches)}
    ew_row_tiles(reach, ${panels}, n / ${NR}, tiles, ${geo.o}, ${geo.k}, ${row}, sum, zp, ${room}, ${out});
    ${scales.setup} ${biases.setup}
    ${tail.wide ? widened(finish) : finish}
  }`;
  return { helpers: `${gather}${epi}`, body };
}

/** C text that sets `reach` for a number of tiles from channel n on. */
function reachText(reaches: readonly number[]): string {
  if (reaches.every((r) => r === reaches[0])) return `const i32 reach = ${reaches[0]};`;
  return `static const u8 reaches[] = {${reaches.join(', ')}}; i32 reach = 4;
    for (i32 i = 0; i < tiles; i++) if (reaches[n / ${NR} + i] < reach) reach = reaches[n / ${NR} + i];`;
}
