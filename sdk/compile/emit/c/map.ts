import { sizeOf } from '../../../util/tensor.ts';
import { type KernelContext, type KernelText, share, splitOf } from './context.ts';
import { emitRowEpilogue, emitRowTail, hasLanewiseTail, rowBuffer, type Space, spaceOf } from './epilogue.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';

/** Elements handled by one part at least, so that tiny tensors are not split. */
const CHUNK = 4096;
/** In a band at least so many chunks. */
const CHUNKS_IN_BAND = 2;

/** A group without a root: elementwise nodes over tensors in memory. */
export function emitMap(ctx: KernelContext): KernelText {
  const out = ctx.group.tail[0]!.node.outputs[0]!;
  const { shape } = ctx.type(out);
  const space = ctx.group.rowTail ? spaceOf(shape) : collapsedSpace(ctx, shape);
  const buffer = rowBuffer(ctx, space.cols);
  const { wide } = ctx.tuning;
  const lanes = wide && !ctx.group.rowTail && hasLanewiseTail(ctx) ? wideLanes(wide.lanes) : NARROW;
  const { block } = lanes;
  const epi = emitRowEpilogue(ctx, 'epi', { ...space, whole: space.cols % block === 0 }, undefined, lanes, true);
  const none = lanes.pieces.map(() => (lanes.wide ? 'fx_splat(0.0f)' : 'f4_splat(0.0f)')).join(', ');
  const inWords = (text: string): string => (lanes.wide ? widened(text) : text);
  const call = (row: string): string =>
    `const i32 nv = ${space.cols} - n < ${block} ? ${space.cols} - n : ${block}; ${inWords(epi.each('n'))} epi(${ctx.arguments()}, ${row}, n, nv, ${none}${buffer.argument}${epi.more});`;
  const once = inWords(epi.once);
  const body =
    space.rows === 1 && !ctx.group.rowTail
      ? `${share(space.cols, CHUNK, 'n0', 'n1')} ${once}
  for (i32 n = n0; n < n1; n += ${block}) { ${call('0')} }`
      : `${share(space.rows, Math.max(1, Math.floor(CHUNK / space.cols)), 'r0', 'r1')} ${once}
  for (i32 row = r0; row < r1; row++) {
    for (i32 n = 0; n < ${space.cols}; n += ${block}) { ${call('row')} }
    ${emitRowTail(ctx, buffer.pointer, 'row')}
  }`;
  const split =
    space.rows === 1 && !ctx.group.rowTail ? { split: splitOf(space.cols, CHUNK, CHUNKS_IN_BAND) } : undefined;
  return { helpers: epi.text, body, macs: 0, ...split };
}

/**
 * Merges the trailing axes along which every operand is either whole or absent, so that the vector axis is long and
 * tensors with few channels are not handled eight lanes at a time for one.
 */
export function collapsedSpace(ctx: KernelContext, shape: readonly number[]): Space {
  const rank = shape.length;
  const operands = operandShapes(ctx).map((s) => [...new Array<number>(Math.max(0, rank - s.length)).fill(1), ...s]);
  let start = rank === 0 ? 0 : rank - 1;
  const uniform = (s: readonly number[], from: number): 'all' | 'none' | 'mixed' => {
    const span = shape.slice(from);
    const mine = s.slice(from);
    if (mine.every((d, i) => d === span[i])) return 'all';
    return mine.every((d) => d === 1) ? 'none' : 'mixed';
  };
  while (start > 0 && operands.every((s) => uniform(s, start - 1) !== 'mixed')) start--;
  const cols = sizeOf(shape.slice(start));
  return {
    shape: [...shape.slice(0, start), cols],
    rows: sizeOf(shape.slice(0, start)),
    cols,
    whole: cols % 8 === 0,
    merged: Math.max(1, rank - start),
  };
}

/** Shapes of everything the tail reads from memory. */
function operandShapes(ctx: KernelContext): (readonly number[])[] {
  const made = new Set(ctx.group.tail.map((t) => t.node.outputs[0]!));
  const out: (readonly number[])[] = [];
  for (const t of ctx.group.tail)
    for (const v of t.node.inputs) {
      if (v === '' || made.has(v)) continue;
      for (const w of ctx.decoded(v)?.node.inputs ?? [v]) out.push(ctx.type(w).shape);
    }
  return out;
}
