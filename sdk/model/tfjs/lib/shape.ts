import { sizeOf } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';

export function transpose(e: Emitter, x: string, perm: readonly number[]): string {
  return perm.every((p, i) => p === i) ? x : e.op('Transpose', [x], { perm });
}

export function reshape(e: Emitter, x: string, shape: readonly number[]): string {
  const from = e.shape(x);
  if (from.length === shape.length && from.every((d, i) => d === shape[i])) return x;
  if (sizeOf(from) !== sizeOf(shape)) e.reject(`[${from.join()}] cannot be reshaped to [${shape.join()}]`);
  // ONNX takes 0 for the size of the input.
  return e.op('Reshape', [x, e.list(shape)], { allowzero: 1 });
}

/** One of `rank` axes, which may be counted from the end. */
export function axisOf(e: Emitter, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  return Number.isInteger(a) && a >= 0 && a < rank ? a : e.reject(`axis ${axis} is not one of ${rank}`);
}

/** The order of axes in which axis `from` has become axis `to`. */
export function moved(rank: number, from: number, to: number): number[] {
  const rest = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== from);
  rest.splice(to, 0, from);
  return rest;
}

export function concat(e: Emitter, values: readonly string[], axis: number): string {
  if (values.length === 0) e.reject('has no inputs');
  return values.length === 1 ? values[0]! : e.op('Concat', values, { axis });
}

export function slice(
  e: Emitter,
  x: string,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[],
  steps: readonly number[] = starts.map(() => 1),
): string {
  return e.op('Slice', [x, e.list(starts), e.list(ends), e.list(axes), e.list(steps)]);
}

/** Parts of these sizes along an axis. */
export function split(e: Emitter, x: string, sizes: readonly number[], axis: number): string[] {
  if (sizes.length === 1) return [x];
  return e.ops('Split', [x, e.list(sizes)], sizes.length, { axis });
}

export function pad(
  e: Emitter,
  x: string,
  pads: readonly (readonly [before: number, after: number])[],
  mode: 'constant' | 'reflect' = 'constant',
  value?: string,
): string {
  if (pads.every(([a, b]) => a === 0 && b === 0)) return x;
  if (pads.length !== e.shape(x).length) e.reject(`${pads.length} paddings for ${e.shape(x).length} axes`);
  const inputs = [x, e.list([...pads.map((p) => p[0]), ...pads.map((p) => p[1])])];
  return e.op('Pad', value === undefined ? inputs : [...inputs, value], { mode });
}

/** Every block of elements along the axes from 1 on, moved to the batch: places in a block count first. */
export function spaceToBatch(
  e: Emitter,
  x: string,
  block: readonly number[],
  pads: readonly (readonly [number, number])[],
): string {
  const m = block.length;
  const rest = e.shape(x).length - 1 - m;
  if (rest < 0) e.reject(`a block of ${m} axes does not fit [${e.shape(x).join()}]`);
  const none = (n: number): (readonly [number, number])[] => Array.from({ length: n }, () => [0, 0]);
  const padded = pad(e, x, [...none(1), ...pads, ...none(rest)]);
  const [batch, ...shape] = e.shape(padded) as [number, ...number[]];
  const apart = [batch, ...block.flatMap((b, i) => [shape[i]! / b, b]), ...shape.slice(m)];
  const own = block.map((_, i) => 2 + 2 * i);
  const perm = [...own, 0, ...own.map((a) => a - 1), ...Array.from({ length: rest }, (_, i) => 1 + 2 * m + i)];
  const turned = transpose(e, reshape(e, padded, apart), perm);
  const blocks = block.reduce((a, b) => a * b, 1);
  return reshape(e, turned, [batch * blocks, ...block.map((b, i) => shape[i]! / b), ...shape.slice(m)]);
}

/** The way back, and what is cropped of every axis after it. */
export function batchToSpace(
  e: Emitter,
  x: string,
  block: readonly number[],
  crops: readonly (readonly [number, number])[],
): string {
  const m = block.length;
  const [all, ...shape] = e.shape(x) as [number, ...number[]];
  const batch = all / block.reduce((a, b) => a * b, 1);
  const apart = [...block, batch, ...shape];
  const perm = [
    m,
    ...block.flatMap((_, i) => [m + 1 + i, i]),
    ...Array.from({ length: shape.length - m }, (_, i) => 2 * m + 1 + i),
  ];
  const sizes = block.map((b, i) => shape[i]! * b);
  const joined = reshape(e, transpose(e, reshape(e, x, apart), perm), [batch, ...sizes, ...shape.slice(m)]);
  return crop(e, joined, crops);
}

/** Leaves out elements at either end of the axes from 1 on. */
export function crop(e: Emitter, x: string, crops: readonly (readonly [number, number])[], from = 1): string {
  const shape = e.shape(x);
  const cut = crops.flatMap(([a, b], i) => (a > 0 || b > 0 ? [{ axis: from + i, a, b }] : []));
  if (cut.length === 0) return x;
  for (const { axis, a, b } of cut)
    if (a < 0 || b < 0 || axis >= shape.length || a + b >= shape[axis]!)
      e.reject(`${a} and ${b} elements cannot be left out of axis ${axis} of [${shape.join()}]`);
  const axes = cut.map((c) => c.axis);
  const ends = cut.map(({ axis, b }) => shape[axis]! - b);
  return slice(
    e,
    x,
    cut.map((c) => c.a),
    ends,
    axes,
  );
}
