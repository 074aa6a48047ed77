import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import type { KernelOf } from '../ir/kernel.ts';
import { byteLength, DTYPE_BYTES, sizeOf } from '../util/tensor.ts';
import { bandLimits, type KernelContext, type KernelText, type Split } from './emit/c/context.ts';
import { isDepthwise, ROWS_TO_SPLIT } from './emit/c/conv.ts';
import { type Geometry, geometryOf } from './emit/c/geometry.ts';
import type { Group } from './fuse.ts';
import { isKind, type Lowered } from './lower.ts';

/** A result that may take over the memory of an operand, if this is the operand's last use. */
export interface Overlap {
  readonly read: string;
  readonly write: string;
  /** Bytes by which the result begins before the operand. */
  readonly shift: number;
  /**
   * What the kernel gives up for it: nothing; it has to be written for it (KernelContext.overlapped), its parts sharing out channels or
   * copying rows first; or it runs in bands, one after another, so that a band writes only over what those before it have read.
   */
  readonly how: 'free' | 'rewritten' | { readonly bands: number };
}

/** A group's kernel. */
interface Written {
  readonly group: Group;
  readonly ctx: KernelContext;
  readonly text: KernelText;
}

/** Overlaps that are legal for a group's kernel, those that cost least first. */
export function overlapsOf({ group, ctx, text }: Written, graph: Graph, alias: (v: string) => string): Overlap[] {
  const out: Overlap[] = [];
  const stored = (v: string): string => alias(ctx.decoded(v)?.node.inputs[0] ?? v);
  const isConstant = (v: string): boolean => valueNamed(graph, v).data !== undefined;
  const internal = new Set([...(group.root?.node.outputs ?? []), ...group.tail.map((t) => t.node.outputs[0]!)]);
  const rootReads = new Set((group.root?.node.inputs ?? []).filter((v) => v !== '').map(stored));
  const tailReads = new Set<string>();
  for (const t of group.tail)
    for (const v of t.node.inputs) if (v !== '' && !internal.has(v) && !isConstant(v)) tailReads.add(stored(v));
  for (const write of group.stores.filter((v) => internal.has(v))) {
    const type = ctx.type(write);
    // Elementwise: read and written at the same index by the same lane, loads first.
    for (const read of tailReads) {
      const from = ctx.type(read);
      if (rootReads.has(read) || byteLength(from) !== byteLength(type)) continue;
      if (DTYPE_BYTES[from.dtype] === DTYPE_BYTES[type.dtype]) out.push({ read, write, shift: 0, how: 'free' });
    }
    const { split } = text;
    for (const read of split ? tailReads : []) {
      const from = ctx.type(read);
      if (rootReads.has(read) || sizeOf(from.shape) !== sizeOf(type.shape)) continue;
      out.push(...banded(ctx, split!, read, write, (i) => (i * byteLength(from)) / split!.total));
    }
    const { root } = group;
    const input = root?.node.inputs[0];
    if (!root || input === undefined || input === '' || isConstant(input)) continue;
    const read = stored(input);
    if (tailReads.has(read)) continue;
    if (readsRowsFirst(root, ctx) && byteLength(ctx.type(read)) === byteLength(type))
      out.push({ read, write, shift: 0, how: 'free' });
    const shift = slides(root, ctx, read, write) ?? (copiesRows(root, ctx, read, write) ? 0 : undefined);
    if (shift !== undefined) out.push({ read, write, shift, how: 'rewritten' });
    const firstByte = convolved(root, ctx);
    if (split && firstByte) out.push(...banded(ctx, split, read, write, firstByte));
  }
  const price = ({ how }: Overlap): number => (how === 'free' ? 0 : how === 'rewritten' ? 1 : 2);
  return out.sort((a, b) => price(a) - price(b) || a.shift - b.shift);
}

/**
 * Codes as far ahead of the operand that no band writes over what it or a later one reads. `firstByte` is the first byte of the operand
 * that is read for item i of the result or a later one.
 */
function banded(
  ctx: KernelContext,
  split: Split,
  read: string,
  write: string,
  firstByte: (i: number) => number,
): Overlap[] {
  const to = ctx.type(write);
  if (split.bands < 2 || (to.dtype !== 'i8' && to.dtype !== 'i16')) return [];
  const perWrite = byteLength(to) / split.total;
  const limits = bandLimits(split, split.bands);
  let shift = 0;
  for (let b = 0; b < split.bands; b++) shift = Math.max(shift, perWrite * limits[b + 1]! - firstByte(limits[b]!));
  return [{ read, write, shift, how: { bands: split.bands } }];
}

/** Kernels that have read all they need of a row, beyond the block in hand, before they write it. */
function readsRowsFirst(l: Lowered, ctx: KernelContext): boolean {
  if (isKind(l, 'layernorm')) return true;
  return isKind(l, 'softmax') && l.spec.axis === ctx.type(l.node.inputs[0]!).shape.length - 1;
}

/**
 * Windows that slide over every channel by itself: pixel i of the result needs no pixel of the image before i - d, d being the
 * pixels of padding above and to the left. So results written d pixels ahead of the image never meet what is still to be read.
 * Integer convolutions copy lines first: before they write row r of the result, all lines that it takes and all before these, which is at
 * least lines 0 to r unless there is more padding above than taps reach.
 */
function slides(l: Lowered, ctx: KernelContext, read: string, write: string): number | undefined {
  const spec = isKind(l, 'pool') ? l.spec : channelwise(l, ctx);
  if (!spec) return undefined;
  const [from, to] = [ctx.type(read), ctx.type(write)];
  const [n, h, w, c] = ctx.type(l.node.inputs[0]!).shape as [number, number, number, number];
  const [, oh, ow] = ctx.type(l.node.outputs[0]!).shape as [number, number, number];
  const width = DTYPE_BYTES[from.dtype];
  if (width !== DTYPE_BYTES[to.dtype] || byteLength(from) !== n * h * w * c * width) return undefined;
  const [top, left] = spec.pads;
  if (oh > h || ow > w || top < 0 || left < 0) return undefined;
  const pixels = isKind(l, 'qconv') ? Math.max(0, top - reachOf(l, ctx)) * w : top * w + left;
  return pixels * c * width;
}

function channelwise(
  l: Lowered,
  ctx: KernelContext,
): { readonly pads: readonly [number, number, number, number] } | undefined {
  if (!isKind(l, 'conv') && !isKind(l, 'qconv')) return undefined;
  return isDepthwise(convolution(l, ctx)) ? l.spec : undefined;
}

/** Lines from the first that taps of a window meet to the last one. */
function reachOf(l: Lowered<KernelOf<'qconv'>>, ctx: KernelContext): number {
  return (convolution(l, ctx).kh - 1) * l.spec.dilations[0];
}

function convolution(l: Lowered<KernelOf<'conv'> | KernelOf<'qconv'>>, ctx: KernelContext): Geometry {
  const [x, w] = l.node.inputs as [string, string];
  return geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(l.node.outputs[0]!));
}

/** First byte of the image that a convolution reads for item i of its result or a later one: a pixel, a row where it is depthwise. */
function convolved(l: Lowered, ctx: KernelContext): ((i: number) => number) | undefined {
  if (!isKind(l, 'qconv')) return undefined;
  const geo = convolution(l, ctx);
  const pixel = geo.c * DTYPE_BYTES[ctx.type(l.node.inputs[0]!).dtype];
  if (geo.pointwise) return (i) => i * pixel;
  const perRow = isDepthwise(geo) ? 1 : geo.ow;
  const perImage = geo.oh * perRow;
  return (i) => {
    const row = Math.floor((i % perImage) / perRow) * geo.strides[0] - geo.pads[0];
    return (Math.floor(i / perImage) * geo.h + Math.max(0, row)) * geo.w * pixel;
  };
}

/** Integer products of one row a pixel: blocks of rows are copied before their results are written, and results are as long as rows. */
function copiesRows(l: Lowered, ctx: KernelContext, read: string, write: string): boolean {
  if (!isKind(l, 'qconv')) return false;
  const geo = convolution(l, ctx);
  return geo.pointwise && geo.m >= ROWS_TO_SPLIT && byteLength(ctx.type(read)) === byteLength(ctx.type(write));
}
