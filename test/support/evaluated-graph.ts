import { GraphBuilder } from '../../sdk/ir/graph.ts';
import { OPS } from '../../sdk/ir/ops/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { sizeOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';

/** A graph under construction, and what every value of it is by the operators' own semantics. */
export class EvaluatedGraph {
  readonly builder: GraphBuilder;
  readonly inputs: Record<string, Tensor> = {};
  readonly expected = new Map<string, Tensor>();
  private readonly values = new Map<string, Tensor>();
  private readonly rng: Rng;

  constructor(name: string, seed: number) {
    this.builder = new GraphBuilder(name);
    this.rng = new Rng(seed);
  }

  /** The next random number, from 0 to 1. */
  uniform(): number {
    return this.rng.uniform();
  }

  floats(shape: readonly number[], scale: number): Tensor {
    return tensor(
      'f32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => (this.uniform() - 0.4) * scale),
    );
  }

  /** Codes of weights, `most` at most. */
  codes(shape: readonly number[], most = 127): Tensor {
    const code = (_: unknown, i: number): number =>
      i % 5 === 0 ? most : Math.round((this.uniform() - 0.5) * 2 * most);
    return tensor('i8', shape, Int8Array.from({ length: sizeOf(shape) }, code));
  }

  valueOf(name: string): Tensor {
    return this.values.get(name)!;
  }

  input(name: string, t: Tensor): string {
    this.inputs[name] = t;
    this.values.set(name, t);
    return this.builder.input(name, { dtype: t.dtype, shape: t.shape });
  }

  constant(name: string, t: Tensor): string {
    this.values.set(name, t);
    return this.builder.constant(name, t);
  }

  /** A node and its result, which have the same name. */
  add(
    op: string,
    name: string,
    from: readonly string[],
    attrs: Record<string, number | string | readonly number[]> = {},
  ): string {
    const { evaluate } = OPS.find((o) => o.name === op)!;
    const [y] = evaluate(
      from.map((v) => this.values.get(v)!),
      attrs,
    ) as [Tensor];
    const type = { dtype: y.dtype, shape: y.shape };
    this.builder.node({ name, op, inputs: [...from], outputs: [name], attrs }, [type]);
    this.builder.setValue({ name, type });
    this.values.set(name, y);
    return name;
  }

  output(name: string): void {
    this.expected.set(name, this.valueOf(name));
    this.builder.outputs.push(name);
  }
}
