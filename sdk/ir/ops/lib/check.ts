import { EigenError } from '../../../util/errors.ts';
import { formatType, sameShape, type TensorType } from '../../../util/tensor.ts';
import type { Attrs } from '../../graph.ts';
import type { Types } from '../../op.ts';

/** Refuses an operator's inputs or attributes: EW3103_OP_INVALID. */
export function invalid(op: string, reason: string, details: Record<string, unknown> = {}): never {
  throw new EigenError('EW3103_OP_INVALID', `${op}: ${reason}`, {
    hint: 'The model breaks the rules of this operator; export it again, or check its shapes with `eigenweights inspect`.',
    details: { op, ...details },
  });
}

/** Input i, which must be present. */
export function required(op: string, inputs: Types, i: number): TensorType {
  return inputs[i] ?? invalid(op, `input ${i} is missing`);
}

/** Input i, which must be present and f32 of one of the given ranks (any when none is given). */
export function floatInput(op: string, inputs: Types, i: number, ...ranks: number[]): TensorType {
  const t = required(op, inputs, i);
  if (t.dtype !== 'f32') invalid(op, `input ${i} must be f32, not ${formatType(t)}`);
  if (ranks.length > 0 && !ranks.includes(t.shape.length)) {
    invalid(op, `input ${i} must have ${ranks.join(' or ')} dimensions, not ${formatType(t)}`);
  }
  return t;
}

/** An axis as 0..rank-1. */
export function axisOf(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(a) || a < 0 || a >= Math.max(rank, 1))
    invalid(op, `axis ${axis} is outside a tensor of ${rank} dimensions`);
  return a;
}

/** Shape of numpy broadcasting. */
export function broadcast(op: string, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const s of shapes) {
    for (let d = 0; d < s.length; d++) {
      const at = rank - s.length + d;
      const size = s[d]!;
      if (size === 1 || size === out[at]) continue;
      if (out[at] !== 1) invalid(op, `shapes ${shapes.map((v) => `[${v.join(',')}]`).join(' and ')} do not broadcast`);
      out[at] = size;
    }
  }
  return out;
}

export function expectShape(op: string, what: string, t: TensorType, shape: readonly number[]): void {
  if (!sameShape(t.shape, shape)) invalid(op, `${what} must have shape [${shape.join(',')}], not ${formatType(t)}`);
}

/** Attribute readers: attributes of an IR node are written by the SDK, so a wrong kind is a bug and throws plainly. */
export function num(attrs: Attrs, name: string): number {
  const v = attrs[name];
  if (typeof v !== 'number') throw new TypeError(`attribute '${name}' must be a number, got ${JSON.stringify(v)}`);
  return v;
}

export function ints(attrs: Attrs, name: string): readonly number[] {
  const v = attrs[name];
  if (!Array.isArray(v)) throw new TypeError(`attribute '${name}' must be a list, got ${JSON.stringify(v)}`);
  return v as readonly number[];
}

export function str(attrs: Attrs, name: string): string {
  const v = attrs[name];
  if (typeof v !== 'string') throw new TypeError(`attribute '${name}' must be a string, got ${JSON.stringify(v)}`);
  return v;
}

export function flag(attrs: Attrs, name: string): boolean {
  const v = attrs[name];
  if (typeof v !== 'boolean') throw new TypeError(`attribute '${name}' must be a boolean, got ${JSON.stringify(v)}`);
  return v;
}
