import { type Tensor, toNumbers } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { axisOf } from '../lib/shape.ts';
import type { NodeAttributes } from './attributes.ts';

/** What the translation of an operator sees of a node. */
export class TfNode {
  readonly name: string;
  readonly op: string;
  readonly e: Emitter;
  readonly attrs: NodeAttributes;
  /** Values, as the emitter names them. */
  readonly inputs: readonly string[];

  constructor(
    e: Emitter,
    node: { readonly name: string; readonly op: string; readonly attrs: NodeAttributes },
    inputs: readonly string[],
  ) {
    this.e = e;
    this.name = node.name;
    this.op = node.op;
    this.attrs = node.attrs;
    this.inputs = inputs;
  }

  input(i: number): string {
    return this.inputs[i] ?? this.e.reject(`input ${i} is missing`);
  }

  shape(i: number): readonly number[] {
    return this.e.shape(this.input(i));
  }

  /** The value of an input that has to be known when the model is read. */
  need(i: number, what: string): Tensor {
    return this.e.known(this.input(i)) ?? this.e.reject(`${what} (input ${i}) must be known when the model is read`);
  }

  numbers(i: number, what: string): number[] {
    return toNumbers(this.need(i, what));
  }

  number(i: number, what: string): number {
    return this.numbers(i, what)[0] ?? this.e.reject(`${what} (input ${i}) is empty`);
  }

  /** Pairs of numbers, as paddings are. */
  pairs(i: number, what: string): [number, number][] {
    const v = this.numbers(i, what);
    if (v.length % 2 !== 0) this.e.reject(`${what} (input ${i}) are not pairs`);
    return Array.from({ length: v.length / 2 }, (_, k) => [v[2 * k]!, v[2 * k + 1]!]);
  }

  /** An axis among those of input `of`, `extra` more for operators that add one. */
  axis(value: number, of: number, extra = 0): number {
    return axisOf(this.e, value, this.shape(of).length + extra);
  }
}

/** Emits what a node computes; the names of its outputs. */
export type Translate = (node: TfNode) => string | readonly string[];
export type TranslateTable = Readonly<Record<string, Translate>>;
