import { constantOf, consumersOf, type Graph, GraphBuilder, type Node, producersOf, valueNamed } from '../ir/graph.ts';
import { roundEven } from '../ir/math.ts';
import { MOVES } from '../ir/scales.ts';
import { sizeOf, type Tensor, tensor, toNumbers } from '../util/tensor.ts';
import { biasConstant } from './constants.ts';
import { factorsOf, over, rootOf, type StepScale, scaleConstant, stepScaleOf, times } from './step-scale.ts';

/** What a Quantize node makes of a value that only factors lie between: codes that end at `least` and `most`. */
interface Ends {
  readonly zero: Int32Array;
  readonly least: number;
  readonly most: number;
}

/** Changes to a graph that are made together or not at all: one attempt's. */
interface Changes {
  /** Nodes in place of others. */
  readonly by: Map<Node, Node>;
  /** Nodes that come after one that is there. */
  readonly after: Map<Node, readonly Node[]>;
  /** Factors of products, by the name of their multipliers. */
  readonly products: Map<string, StepScale>;
}

/** clip(x + half, 0, 2 half) * factor, and who reads x. */
interface Gate {
  readonly half: StepScale;
  readonly factor: StepScale;
  readonly readers: readonly Node[];
}

export interface FoldedSteps {
  readonly graph: Graph;
  /** Factors that the multipliers and the bias of a product are still to be multiplied by, by the name of its multipliers. */
  readonly scales: ReadonlyMap<string, StepScale>;
}

/**
 * Values that are only made to be rounded are computed as multiples of the step of their codes: what Quantize nodes multiply by becomes part of
 * multipliers and biases, of what is added, of what codes are decoded with, and of gates, so that kernels do not multiply each value by it. A product of a
 * value and a bounded sum of it (hard swish) takes the root. Codes stay the same but where rounding in single precision makes them others.
 */
export function foldSteps(graph: Graph): FoldedSteps {
  return new Folding(graph).run();
}

class Folding {
  private readonly graph: Graph;
  private readonly b: GraphBuilder;
  private readonly consumers: ReadonlyMap<string, readonly Node[]>;
  private readonly producers: ReadonlyMap<string, Node>;
  private readonly done: Changes = none();
  /** Constants that were made, by kind and value. */
  private readonly made = new Map<string, string>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.b = new GraphBuilder(graph.name, graph);
    this.consumers = consumersOf(graph);
    this.producers = producersOf(graph);
  }

  run(): FoldedSteps {
    for (const node of this.graph.nodes) if (node.op === 'Quantize') this.quantize(node);
    const { by, after, products } = this.done;
    const put = (node: Node): Node[] => [by.get(node) ?? node, ...(after.get(node) ?? [])];
    this.b.nodes = this.graph.nodes.flatMap(put);
    this.b.prune();
    return { graph: this.b.build(), scales: products };
  }

  private quantize(node: Node): void {
    const [x, inv, zp] = node.inputs as [string, string, string];
    const scale = stepScaleOf(valueNamed(this.graph, inv));
    const zero = constantOf(this.graph, zp);
    if (!scale || !zero || this.isReported(node.outputs[0]!)) return;
    const [least, most] = node.attrs.to === 'i8' ? [-128, 127] : [-32768, 32767];
    const changes = none();
    const value = this.scaled(x, scale, [node], changes, { zero: zero.data as Int32Array, least, most });
    if (value === undefined) return;
    changes.by.set(node, { ...node, inputs: [value, this.constant('one', { base: 1 }), zp] });
    merge(this.done, changes);
  }

  /** Whether codes are, or are moved to, an output: whoever reads them is told what they stand for (ir/scales.ts). */
  private isReported(codes: string): boolean {
    if (this.graph.outputs.includes(codes)) return true;
    return (this.consumers.get(codes) ?? []).some((n) => MOVES.has(n.op) && n.outputs.some((o) => this.isReported(o)));
  }

  /** Name of what `value` times `scale` will be, where nobody but `readers` wants the value itself; undefined where that takes a multiplication as before. */
  private scaled(
    value: string,
    scale: StepScale,
    readers: readonly Node[],
    to: Changes,
    ends?: Ends,
  ): string | undefined {
    const constant = constantOf(this.graph, value);
    if (constant) return this.scaledConstant(value, constant, scale);
    const node = this.producers.get(value);
    if (!node) return undefined;
    if (node.op === 'Dequantize') return this.decoded(node, scale, to);
    const all = this.consumers.get(value) ?? [];
    if (this.graph.outputs.includes(value) || all.length !== readers.length || !all.every((n) => readers.includes(n)))
      return undefined;
    switch (node.op) {
      case 'QConv':
        return this.product(node, node.inputs[2]!, node.inputs[3]!, scale, to);
      case 'QLinear':
        return this.product(node, node.inputs[3]!, node.inputs[4]!, scale, to);
      case 'Relu':
        return this.through(node, [this.scaled(node.inputs[0]!, scale, [node], to, ends)], to);
      case 'Clip':
        return this.clipped(node, scale, to, ends);
      case 'Add':
        return node.inputs[0] === node.inputs[1]
          ? undefined
          : this.through(
              node,
              node.inputs.map((v) => this.scaled(v, scale, [node], to)),
              to,
            );
      case 'Div':
        return this.divided(node, scale, to, ends);
      case 'HardSwish':
        return this.hardSwish(node, scale, to);
      case 'Mul':
        return this.multiplied(node, scale, to, ends);
      default:
        return undefined;
    }
  }

  /** The node with other inputs; undefined where one of them is. */
  private through(
    node: Node,
    inputs: readonly (string | undefined)[],
    to: Changes,
    other: Partial<Pick<Node, 'op' | 'attrs'>> = {},
  ): string | undefined {
    if (inputs.includes(undefined)) return undefined;
    to.by.set(node, { ...node, ...other, inputs: inputs as string[] });
    return node.outputs[0]!;
  }

  private product(node: Node, multipliers: string, bias: string, scale: StepScale, to: Changes): string | undefined {
    const own = (v: string): boolean => this.consumers.get(v)!.length === 1;
    const channels = valueNamed(this.graph, multipliers).type.shape.at(-1);
    if (!own(multipliers) || !own(bias) || (scale.exponents && scale.exponents.length !== channels)) return undefined;
    to.products.set(multipliers, scale);
    return node.outputs[0]!;
  }

  /** Bounds beyond the last code are left out; others are scaled. */
  private clipped(node: Node, scale: StepScale, to: Changes, ends?: Ends): string | undefined {
    const bounds = Object.entries(node.attrs as Record<string, number>);
    const factors = factorsOf(scale);
    const isEnd = ([key, bound]: [string, number]): boolean =>
      ends !== undefined &&
      Array.from({ length: Math.max(factors.length, ends.zero.length) }, (_, c) => {
        const code = roundEven(Math.fround(bound * factors[c % factors.length]!)) + ends.zero[c % ends.zero.length]!;
        return key === 'min' ? code <= ends.least : code >= ends.most;
      }).every((past) => past);
    const left = bounds.filter((b) => !isEnd(b));
    const input = this.scaled(node.inputs[0]!, scale, [node], to, ends);
    if (input === undefined || left.length === 0) return input;
    const steps = left.map(([key, bound]): [string, number] => [key, bound * scale.base]);
    if (!scale.exponents && steps.every(([, bound]) => isWhole(bound))) {
      const attrs = Object.fromEntries(steps.map(([key, bound]) => [key, Math.round(bound)]));
      return this.through(node, [input], to, { attrs });
    }
    // In memory, so that kernels whose bounds differ are the same text.
    const [first, second] = left.map(([key, bound]) => this.bound(key, bound, scale));
    const one = this.through(node, [input, ...first!.by], to, { op: first!.op, attrs: {} })!;
    if (!second) return one;
    return this.after(node, `${one}.steps`, second.op, [one, ...second.by], valueNamed(this.graph, one).type.shape, to);
  }

  private bound(key: string, bound: number, scale: StepScale): { op: string; by: string[] } {
    if (key === 'min' && bound === 0) return { op: 'Relu', by: [] };
    return {
      op: key === 'min' ? 'Max' : 'Min',
      by: [this.constant('bound', times({ base: Math.fround(bound) }, scale))],
    };
  }

  private divided(node: Node, scale: StepScale, to: Changes, ends?: Ends): string | undefined {
    const [x, by] = node.inputs as [string, string];
    const factor = this.factor(by);
    return factor && this.keepsShape(x, node) ? this.scaled(x, over(scale, factor), [node], to, ends) : undefined;
  }

  private multiplied(node: Node, scale: StepScale, to: Changes, ends?: Ends): string | undefined {
    const [a, b] = node.inputs as [string, string];
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const factor = this.factor(y);
      if (factor && this.keepsShape(x, node)) return this.scaled(x, times(scale, factor), [node], to, ends);
    }
    const other = [a, b].find((v) => constantOf(this.graph, v));
    if (other === undefined) return this.hardGate(node, scale, to) ?? this.gate(node, scale, to);
    // A product takes the scale without another rounding of the constant.
    const changes = none();
    const x = a === other ? b : a;
    const value = this.keepsShape(x, node) ? this.scaled(x, scale, [node], changes) : undefined;
    if (value !== undefined) merge(to, changes);
    const constant = value === undefined ? this.scaledConstant(other, constantOf(this.graph, other)!, scale) : other;
    return this.through(node, [value ?? x, constant], to);
  }

  /** A positive constant of one element. */
  private factor(value: string): StepScale | undefined {
    const scale = constantOf(this.graph, value) && stepScaleOf(valueNamed(this.graph, value));
    return scale && !scale.exponents ? scale : undefined;
  }

  private keepsShape(x: string, node: Node): boolean {
    return valueNamed(this.graph, x).type.shape.join() === valueNamed(this.graph, node.outputs[0]!).type.shape.join();
  }

  /** x * clip(x + half, 0, 2 half): both factors take the root of the scale. */
  private hardGate(node: Node, scale: StepScale, to: Changes): string | undefined {
    for (const [x, gate] of [node.inputs, node.inputs.toReversed()] as [string, string][]) {
      const found = this.gateOn(x, gate, node);
      const root = found && rootOf(times(scale, found.factor));
      const changes = none();
      const value = root && this.scaled(x, root, found.readers, changes);
      if (value === undefined) continue;
      merge(to, changes);
      const half = this.constant('half', times(found!.half, root!));
      return this.through(node, [value, half], to, { op: 'HardGate', attrs: {} });
    }
    return undefined;
  }

  private hardSwish(node: Node, scale: StepScale, to: Changes): string | undefined {
    const root = rootOf(over(scale, { base: 6 }));
    const value = root && this.scaled(node.inputs[0]!, root, [node], to);
    if (value === undefined) return undefined;
    const half = this.constant('half', times({ base: 3 }, root!));
    return this.through(node, [value, half], to, { op: 'HardGate', attrs: {} });
  }

  /** What makes a bounded value of x that only `node` reads, which multiplies x by it: clip(x + half, 0, 2 half) * factor. */
  private gateOn(x: string, gate: string, node: Node): Gate | undefined {
    const made = this.producers.get(gate);
    if (!made || !this.isOnlyFor(gate, node)) return undefined;
    if (made.op === 'HardSigmoid' && made.inputs[0] === x && made.attrs.beta === 0.5) {
      const alpha = Math.fround(made.attrs.alpha as number);
      const half = { base: Math.fround(0.5 / alpha) };
      return alpha > 0 ? { half, factor: { base: alpha }, readers: [made, node] } : undefined;
    }
    const add = made.op === 'Clip' ? this.producers.get(made.inputs[0]!) : undefined;
    if (add?.op !== 'Add' || !add.inputs.includes(x) || !this.isOnlyFor(add.outputs[0]!, made)) return undefined;
    const half = this.factor(add.inputs[add.inputs[0] === x ? 1 : 0]!);
    if (!half || made.attrs.min !== 0 || made.attrs.max !== 2 * half.base) return undefined;
    return { half, factor: { base: 1 }, readers: [add, node] };
  }

  private isOnlyFor(value: string, reader: Node): boolean {
    const all = this.consumers.get(value) ?? [];
    return all.length === 1 && all[0] === reader && !this.graph.outputs.includes(value);
  }

  /** Codes times a gate that is one for many of them: the gate takes the scale and what codes are decoded with. */
  private gate(node: Node, scale: StepScale, to: Changes): string | undefined {
    const shapeOf = (v: string): readonly number[] => valueNamed(this.graph, v).type.shape;
    const [few, many] = [...node.inputs].sort((a, b) => sizeOf(shapeOf(a)) - sizeOf(shapeOf(b))) as [string, string];
    const made = this.producers.get(few);
    const shape = shapeOf(few);
    if (!made || shape.length === 0 || sizeOf(shape) === sizeOf(shapeOf(many)) || !this.keepsShape(many, node))
      return undefined;
    const coded = this.producers.get(many);
    const inv = coded?.op === 'Dequantize' ? stepScaleOf(valueNamed(this.graph, coded.inputs[1]!)) : undefined;
    const codes = inv && this.decoded(coded!, inv, to);
    const left = inv ? over(scale, inv) : scale;
    // A factor a channel for a gate that all channels share would be as much to multiply by.
    if (left.exponents && shape.at(-1) !== left.exponents.length) return undefined;
    const factor = this.constant('factor', left);
    const scaled = this.after(made, `${few}.scaled`, 'Mul', [few, factor], shape, to);
    return this.through(
      node,
      node.inputs.map((v) => (v === few ? scaled : (codes ?? many))),
      to,
    );
  }

  /** The codes that a Dequantize node reads, decoded in other units. */
  private decoded(node: Node, scale: StepScale, to: Changes): string | undefined {
    const [codes, inv, zp] = node.inputs as [string, string, string];
    const by = stepScaleOf(valueNamed(this.graph, inv));
    if (!by) return undefined;
    const { shape } = valueNamed(this.graph, node.outputs[0]!).type;
    return this.after(
      node,
      `${codes}.steps`,
      'Dequantize',
      [codes, this.constant('inv', over(by, scale)), zp],
      shape,
      to,
    );
  }

  /** A constant of one element, or of one a channel, times the scale. */
  private scaledConstant(value: string, constant: Tensor, scale: StepScale): string | undefined {
    if (constant.dtype !== 'f32') return undefined;
    const { shape } = constant;
    const data = toNumbers(constant);
    if (data.length === 1) {
      const base = data[0]!;
      return base === 0 ? value : this.constant('term', times({ base }, scale));
    }
    const factors = factorsOf(scale);
    if (data.length !== shape.at(-1) || (factors.length > 1 && factors.length !== data.length)) return undefined;
    const term = biasConstant(Float32Array.from(data, (v, c) => v * factors[c % factors.length]!));
    return this.b.constant(`${value}.steps`, tensor('f32', shape, term.data.data as Float32Array), term.packing);
  }

  /** Puts another node behind one that is there; returns the name of its result. */
  private after(
    made: Node,
    stem: string,
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    to: Changes,
  ): string {
    const name = this.b.fresh(stem);
    this.b.setValue({ name, type: { dtype: 'f32', shape } });
    to.after.set(made, [...(to.after.get(made) ?? []), { name, op, inputs, outputs: [name], attrs: {} }]);
    return name;
  }

  private constant(stem: string, scale: StepScale): string {
    const key = `${stem} ${scale.base} ${scale.exponents}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const { data, packing } = scaleConstant(scale);
    const name = this.b.constant(stem, data, packing);
    this.made.set(key, name);
    return name;
  }
}

const none = (): Changes => ({ by: new Map(), after: new Map(), products: new Map() });

function merge(to: Changes, more: Changes): void {
  for (const [node, by] of more.by) to.by.set(node, by);
  for (const [node, nodes] of more.after) to.after.set(node, [...(to.after.get(node) ?? []), ...nodes]);
  for (const [name, scale] of more.products) to.products.set(name, scale);
}

/** Bounds of codes are, but for how steps were rounded. */
const isWhole = (bound: number): boolean => Math.abs(bound - Math.round(bound)) < 1e-3;
