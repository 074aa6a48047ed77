import { tensor } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { reshape } from './shape.ts';

/** One operand a number. */
export function withNumber(e: Emitter, op: string, x: string, value: number): string {
  return e.op(op, [x, e.scalar(value)]);
}

/** x limited to [low, high], in its own type. */
export function clip(e: Emitter, x: string, low: number, high: number): string {
  const { dtype } = e.type(x);
  if (dtype === 'f32') return e.op('Clip', [x, e.scalar(low), e.scalar(high)]);
  const limit = (value: number): string => e.constant(tensor(dtype, [], [value]));
  return e.op('Min', [e.op('Max', [x, limit(low)]), limit(high)]);
}

export interface Normalization {
  readonly mean: string;
  readonly variance: string;
  readonly scale?: string | undefined;
  readonly offset?: string | undefined;
  readonly epsilon: number;
}

/** Batch normalization along an axis, written as one product and one sum, which go into the layer before. */
export function normalizeBatch(e: Emitter, x: string, n: Normalization, axis: number): string {
  const deviation = e.op('Sqrt', [withNumber(e, 'Add', n.variance, n.epsilon)]);
  const factor = n.scale === undefined ? e.op('Reciprocal', [deviation]) : e.op('Div', [n.scale, deviation]);
  const shift = e.op('Mul', [n.mean, factor]);
  const term = n.offset === undefined ? e.op('Neg', [shift]) : e.op('Sub', [n.offset, shift]);
  return e.op('Add', [e.op('Mul', [x, alongAxis(e, x, factor, axis)]), alongAxis(e, x, term, axis)]);
}

/** A vector in the shape that broadcasts along an axis of x. */
export function alongAxis(e: Emitter, x: string, vector: string, axis: number): string {
  const trailing = e.shape(x).length - 1 - axis;
  return trailing === 0 ? vector : reshape(e, vector, [...e.shape(vector), ...new Array<number>(trailing).fill(1)]);
}

export function softmax(e: Emitter, x: string, axis = -1): string {
  return e.op('Softmax', [x], { axis });
}
