import { formatType, type TensorType } from '../../../util/tensor.ts';
import type { OnnxNode } from '../../frontend.ts';
import type { Attrs } from '../../graph.ts';
import { emitReshape } from '../reshape.ts';
import { inverse } from './arrays.ts';
import { ints, invalid, num, str } from './check.ts';

/** Layouts of an image operator: axes in the order of the tensor. */
export type Layout = 'nchw' | 'nhwc';
export const TO_NHWC = [0, 2, 3, 1] as const;
export const TO_NCHW = inverse(TO_NHWC);

export interface Pair extends ReadonlyArray<number> {
  readonly 0: number;
  readonly 1: number;
}

/** Sliding-window attributes, two spatial axes; pads are top, left, bottom, right (the ONNX order of begins, then ends). */
export interface Window {
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
}

/** The attributes of a sliding window as ONNX has them. */
export function windowOf(
  attrs: Attrs,
  kernel: readonly number[],
): Record<'kernel_shape' | 'strides' | 'pads' | 'dilations', readonly number[]> {
  return { kernel_shape: kernel, ...windowAttrs(attrs) };
}

export function layoutOf(attrs: Attrs): Layout {
  return str(attrs, 'layout') as Layout;
}

export function windowAttrs(attrs: Attrs): Window {
  return {
    strides: ints(attrs, 'strides') as unknown as [number, number],
    pads: ints(attrs, 'pads') as unknown as [number, number, number, number],
    dilations: ints(attrs, 'dilations') as unknown as [number, number],
  };
}

/** Extent of a dilated kernel. */
export function span(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/** Output size along a spatial axis (0: height, 1: width) of a window that slides over `size` elements. */
export function slidSize(op: string, size: number, kernel: number, w: Window, axis: 0 | 1): number {
  const out =
    Math.floor((size + w.pads[axis] + w.pads[axis + 2]! - span(kernel, w.dilations[axis])) / w.strides[axis]) + 1;
  if (!(out >= 1))
    invalid(
      op,
      `a window of ${kernel} (dilation ${w.dilations[axis]}, pads ${w.pads.join(',')}) does not fit into ${size} elements`,
    );
  return out;
}

export function checkWindow(op: string, w: Window): void {
  const whole = (v: number): boolean => Number.isInteger(v);
  if (![...w.strides, ...w.dilations].every((v) => whole(v) && v >= 1) || !w.pads.every(whole)) {
    invalid(
      op,
      `strides [${w.strides.join(',')}], dilations [${w.dilations.join(',')}] or pads [${w.pads.join(',')}] are not possible`,
    );
  }
}

/** A list of one or two spatial values as two: 1-D operators become 2-D ones of height 1. */
function two(node: OnnxNode, name: string, fallback: number, axes: number): [number, number] {
  const v = node.ints(name) ?? new Array<number>(axes).fill(fallback);
  if (v.length !== axes) node.reject(`attribute ${name} has ${v.length} values for ${axes} spatial axes`);
  return axes === 1 ? [fallback, v[0]!] : [v[0]!, v[1]!];
}

/** Reads strides, pads, dilations and auto_pad; `input` and `kernel` are [height, width]. */
export function importWindow(
  node: OnnxNode,
  axes: number,
  input: readonly number[],
  kernel: readonly number[],
): Window {
  const strides = two(node, 'strides', 1, axes);
  const dilations = two(node, 'dilations', 1, axes);
  const auto = node.string('auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const total = [0, 1].map((a) => {
      const out = Math.ceil(input[a]! / strides[a]!);
      return Math.max(0, (out - 1) * strides[a]! + span(kernel[a]!, dilations[a]!) - input[a]!);
    });
    const less = total.map((t) => Math.floor(t / 2));
    const more = total.map((t) => Math.ceil(t / 2));
    const [begin, end] = auto === 'SAME_UPPER' ? [less, more] : [more, less];
    return { strides, dilations, pads: [begin[0]!, begin[1]!, end[0]!, end[1]!] };
  }
  return { strides, dilations, pads: auto === 'VALID' ? [0, 0, 0, 0] : importPads(node, axes) };
}

export function importPads(node: OnnxNode, axes: number): [number, number, number, number] {
  const p = node.ints('pads') ?? new Array<number>(2 * axes).fill(0);
  if (p.length !== 2 * axes) node.reject(`attribute pads has ${p.length} values for ${axes} spatial axes`);
  return axes === 1 ? [0, p[0]!, 0, p[1]!] : [p[0]!, p[1]!, p[2]!, p[3]!];
}

/** The image input of a node as [N,C,H,W] (a rank-3 one gets height 1), and how to hand the result back. */
export interface ImageInput {
  readonly name: string;
  readonly shape: readonly number[];
  /** Number of spatial axes of the original. */
  readonly axes: 1 | 2;
  finish(result: string, shape: readonly number[]): void;
}

export function importImage(node: OnnxNode): ImageInput {
  const t = node.type(0) ?? node.reject('input 0 is missing');
  const input = node.inputs[0]!;
  if (t.shape.length === 4) {
    return {
      name: input,
      shape: t.shape,
      axes: 2,
      finish: (result) => node.emit('Identity', [result], {}, node.outputs.slice(0, 1)),
    };
  }
  if (t.shape.length !== 3)
    node.reject(`input ${formatType(t)} has ${t.shape.length} dimensions; 3 (1-D) and 4 (2-D) are supported`);
  const [n, ch, l] = t.shape as [number, number, number];
  return {
    name: emitReshape(node, input, [n, ch, 1, l]),
    shape: [n, ch, 1, l],
    axes: 1,
    finish: (result, shape) => emitReshape(node, result, [shape[0]!, shape[1]!, shape[3]!], node.outputs.slice(0, 1)),
  };
}

/** [N,H,W,C] of an image type in either layout. */
export function imageDims(op: string, t: TensorType, layout: Layout): { n: number; h: number; w: number; c: number } {
  if (t.shape.length !== 4 || t.dtype === 'bool')
    invalid(op, `input must be an image of 4 dimensions, not ${formatType(t)}`);
  const [a, b, c, d] = t.shape as [number, number, number, number];
  return layout === 'nchw' ? { n: a, c: b, h: c, w: d } : { n: a, h: b, w: c, c: d };
}

export function imageShape(layout: Layout, n: number, h: number, w: number, c: number): number[] {
  return layout === 'nchw' ? [n, c, h, w] : [n, h, w, c];
}

export function groupsOf(attrs: Attrs): number {
  return num(attrs, 'groups');
}
