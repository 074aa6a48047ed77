import type { WideVectors } from '../../target.ts';
import { type KernelContext, share } from './context.ts';
import { ROWS_TO_SPLIT, sharedOut } from './conv.ts';
import { emitRowEpilogue, hasLanewiseTail, type RowEpilogue, type Space } from './epilogue.ts';
import { MR, microI16, NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import type { Scaling } from './qconv.ts';
import { type Turn, turnOf } from './turn.ts';
import { expanded } from './vectors.ts';
import type { WideProduct } from './wide-product.ts';
import { evenly } from './wide-rows.ts';
import { emitLines } from './windows.ts';
import { PIXELS, POINTS, type Winograd } from './winograd-plan.ts';

/**
 * Integer convolutions 3x3 by Winograd's F(2x2,3x3): a tile of 2x2 pixels takes 4x4 products a channel in place of 36. Lines of the image are
 * copied and transformed a few rows of tiles at a time, codes of as many channels as a micro-kernel takes once for those, and what comes out
 * are the sums of the direct kernel to the bit (winograd-plan.ts).
 */

/** What a kernel by Winograd needs, everything that is read having been read already. */
export type WinogradProduct = Omit<WideProduct, 'rowScale'>;

interface Text {
  readonly helpers: string;
  readonly body: string;
}

/** Lines of the image as 16 bits, transformed: [tile][point][pitch]. */
function transformed(ctx: KernelContext, p: WinogradProduct, plan: Winograd): Text & { readonly image: string } {
  const { geo } = p;
  const from = ctx.type(p.x).dtype as 'i8' | 'i16';
  const apart = Math.max(2 * plan.across + 2, geo.pads[1] + geo.w) * geo.c;
  const lines = `((i16 *)${ctx.scratch(((2 * plan.rows + 2) * apart + 64) * 2)})`;
  // Micro-kernels on four lanes read whole tiles of rows.
  const tiles = Math.ceil((plan.rows * plan.across) / MR) * MR;
  const image = `((i16 *)${ctx.scratch(tiles * POINTS * plan.pitch * 2)})`;
  const centred = from === 'i8' && p.zp !== '0';
  return {
    image,
    helpers: emitLines(geo, { apart }, { from, to: 'i16', centred }),
    body: `const i32 down = y1 - ty < ${plan.rows} ? y1 - ty : ${plan.rows}, tiles = down * ${plan.across};
    gather(${p.src}, ${lines}, 2 * ty - ${geo.pads[0]}, 2 * down + 2, zp);
    for (i32 i = 0; i < down; i++) ew_winograd_image(${lines} + i * ${2 * apart}, ${apart}, ${plan.across}, ${geo.c}, ${plan.pitch}, ${image} + i * ${plan.across * POINTS * plan.pitch});`,
  };
}

/** Loop over rows of tiles that have pixels of [m0, m1), and what of them is real: [mb, me). */
const overTiles = (geo: Geometry, plan: Winograd, body: string): string =>
  `const i32 G = 0, y1 = (m1 - 1) / ${geo.ow} / 2 + 1; (void)G;
  for (i32 ty = m0 / ${geo.ow} / 2; ty < y1; ty += ${plan.rows}) {
    const i32 above = 2 * ty * ${geo.ow}, below = above + ${2 * plan.rows * geo.ow}, mb = above > m0 ? above : m0, me = below < m1 ? below : m1; (void)mb; (void)me;
    ${body}
  }`;

/** Pixel `q` of tile t + r at m, where there is one. */
const pixelOf = ({ ow }: Geometry, plan: Winograd): string =>
  `const i32 x = (t + r) % ${plan.across} * 2 + (q & 1), m = ((t + r) / ${plan.across} * 2 + 2 * ty + (q >> 1)) * ${ow} + x;
              if (${ow % 2 === 0 ? '' : `x >= ${ow} || `}m < m0 || m >= m1) continue;`;

/** The same with what a kernel on vectors of four lanes has made already. */
type NarrowProduct = WinogradProduct & {
  readonly epi: RowEpilogue;
  readonly scaling: Scaling;
  readonly turn: Turn | undefined;
};

/** On vectors of four lanes: eight channels at a time. */
export function narrowWinograd(ctx: KernelContext, p: NarrowProduct, plan: Winograd): Text {
  const { geo, epi, scaling, turn } = p;
  const points = geo.c * NR;
  const tile = `((i16 *)${ctx.scratch(Math.ceil((9 * geo.c) / 16) * 16 * NR * 2)})`;
  const codes = `((i16 *)${ctx.scratch(POINTS * points * 2)})`;
  const sums = `((i32 *)${ctx.scratch(POINTS * MR * NR * 4)})`;
  const image = transformed(ctx, p, plan);
  const rows = { base: `${image.image} + (t * ${POINTS} + point) * ${plan.pitch}`, pitch: POINTS * plan.pitch };
  const micro = microI16(ctx.tuning.sums, geo.c, MR, rows, `${codes} + point * ${points}`, ['zero', 'zero'], {
    use: (a, b) => `i4_store(to + 8 * r, ${a}); i4_store(to + 8 * r + 4, ${b});`,
  });
  const value = (half: 0 | 1): string =>
    `f4_add(f4_mul(f4_from_i4(i4_load(s + ${4 * half})), ${scaling.multiplier[half]}), ${scaling.bias[half]})`;
  const body = `const i32 zp = ${p.zp}; (void)zp;
  ${sharedOut(geo)}
  if (m0 >= m1 || n0 >= n1) return;
  ${overTiles(
    geo,
    plan,
    `${image.body}
    for (i32 n = n0; n < n1; n += ${NR}) {
      const i32 nv = ${geo.o} - n < ${NR} ? ${geo.o} - n : ${NR}; (void)nv;
      ew_panel_i16(${p.panels}, n / ${NR}, ${geo.o}, ${geo.k}, ${tile}, (i32 *)0);
      ew_winograd_codes(${tile}, ${points}, ${codes}, ${points}, ${points});
      ${scaling.setup} ${epi.setup('G + n')} ${turn?.begin('mb') ?? ''}
      for (i32 t = 0; t < tiles; t += ${MR}) {
        const i32 real = tiles - t < ${MR} ? tiles - t : ${MR};
        EW_ROLLED for (i32 point = 0; point < ${POINTS}; point++) {
          const i4 zero = i4_splat(0); i32 *to = ${sums} + point * ${MR * NR};
          ${micro}
        }
        ew_winograd_sums(${sums}, ${MR * NR}, ${MR * NR});
        EW_ROLLED for (i32 q = 0; q < ${PIXELS}; q++) EW_ROLLED for (i32 r = 0; r < real; r++) {
              ${pixelOf(geo, plan)}
              const i32 *s = ${sums} + q * ${MR * NR} + r * ${NR};
              epi(${ctx.arguments()}, m, G + n, nv, ${value(0)}, ${value(1)}${epi.more});
        }
      }
      ${turn?.end('mb', 'me', 'nv') ?? ''}
    }`,
  )}`;
  return { helpers: image.helpers, body };
}

/** On wide vectors: as many vectors of channels at a time as the micro-kernels take. */
export function wideWinograd(
  ctx: KernelContext,
  wide: WideVectors,
  p: WinogradProduct,
  plan: Winograd,
  space: Space,
): Text {
  const { geo } = p;
  const { lanes } = wide;
  const { columns, mr } = plan;
  const padded = Math.ceil(geo.k / 16) * 16;
  const channels = columns * lanes;
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes) : NARROW;
  const turn = turnOf(ctx, 2 * plan.rows * geo.ow, channels);
  const epi = emitRowEpilogue(ctx, 'epi', { ...space, whole: geo.o % tail.block === 0, turn }, p.y, tail);
  const image = transformed(ctx, p, plan);
  const block = `((i8 *)${ctx.scratch(channels * padded * 2)})`;
  const codes = `((i16 *)${ctx.scratch(POINTS * geo.c * channels * 2)})`;
  const tile = `((u8 *)${ctx.scratch(2 * NR * (padded + 4))})`;
  const start = `((i32 *)${ctx.scratch(channels * 4)})`;
  const sums = `((i32 *)${ctx.scratch(POINTS * mr * channels * 4)})`;
  const real = geo.o % lanes === 0 ? undefined : 'real';
  const [multiplier, bias] = [p.multiplier, p.bias].map((v) =>
    expanded(v, 'G + n', 'width', () => ctx.scratch((channels + 16) * 4), real),
  ) as [ReturnType<typeof expanded>, ReturnType<typeof expanded>];
  const factors = tail.pieces.map(
    (_, i) =>
      `const f4 scale${i} = f4_load(${multiplier.at} + c + ${4 * i}), bias${i} = f4_load(${bias.at} + c + ${4 * i});`,
  );
  const values = tail.pieces.map((_, i) => `f4_add(f4_mul(f4_from_i4(i4_load(s + ${4 * i})), scale${i}), bias${i})`);
  const finish = `for (i32 c = 0; n + c < n1 && c < width; c += ${tail.block}) {
            const i32 nv = n1 - n - c < ${tail.block} ? n1 - n - c : ${tail.block}; (void)nv;
            ${factors.join(' ')} ${epi.setup('G + n + c')}
            for (i32 q = 0; q < ${PIXELS}; q++) for (i32 r = 0; r < rows; r++) {
              ${pixelOf(geo, plan)}
              const i32 *s = ${sums} + (q * ${mr} + r) * width + c;
              epi(${ctx.arguments()}, m, G + n + c, nv, ${values.join(', ')}${epi.more});
            }
          }`;
  const split =
    geo.m >= ROWS_TO_SPLIT
      ? `${share(geo.m, MR, 'm0', 'm1')} const i32 n0 = 0, n1 = ${geo.o};`
      : `${share(geo.o, lanes, 'n0', 'n1')} const i32 m0 = 0, m1 = ${geo.m};`;
  const body = `const i32 zp = ${p.zp}; (void)zp;
  ${split}
  if (m0 >= m1 || n0 >= n1) return;
  static const i32 apart[] = ${evenly(POINTS * plan.pitch * 2, mr)};
  ${overTiles(
    geo,
    plan,
    `${image.body}
      for (i32 n = n0, width; n < n1; n += width) {
        const i32 rest = (n1 - n + ${lanes - 1}) / ${lanes}, blocks = (rest + ${columns - 1}) / ${columns}, columns = (rest + blocks - 1) / blocks;
        width = columns * ${lanes};
        ${real ? 'const i32 real = n1 - n < width ? n1 - n : width;' : ''}
        const i32 panels = (n1 - n + ${NR - 1}) / ${NR} < columns * ${lanes / NR} ? (n1 - n + ${NR - 1}) / ${NR} : columns * ${lanes / NR};
        ew_block16(${p.panels}, n / ${NR}, panels, ${geo.o}, ${geo.k}, 1, ${geo.k / 2}, ${block}, width, ${tile}, ${start});
        ew_winograd_codes((const i16 *)${block}, ${geo.c} * width, ${codes}, ${geo.c} * width, ${geo.c} * width);
        ew_fill(${start}, 0, ${channels * 4});
        ${multiplier.setup} ${bias.setup} ${turn?.begin('mb') ?? ''}
        for (i32 t = 0, rows; t < tiles; t += rows) {
          rows = tiles - t < ${mr} ? tiles - t : ${mr};
          for (i32 point = 0; point < ${POINTS}; point++)
            ew_dot16(${image.image} + (t * ${POINTS} + point) * ${plan.pitch}, apart, rows, ${codes} + point * ${geo.c} * width, columns, 1, 0, ${geo.c / 2}, ${start}, ${sums} + point * ${mr} * width);
          ew_winograd_sums(${sums}, ${mr} * width, rows * width);
          ${tail.wide ? widened(finish) : finish}
        }
        ${turn?.end('mb', 'me', '(n1 - n < width ? n1 - n : width)') ?? ''}
      }`,
  )}`;
  return { helpers: `${image.helpers}${epi.text}`, body };
}
