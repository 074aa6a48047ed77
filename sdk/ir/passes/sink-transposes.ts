import { sizeOf, type TensorType } from '../../util/tensor.ts';
import type { Attrs, Graph, Node } from '../graph.ts';
import { inverse } from '../ops/lib/arrays.ts';
import { isElementwise } from '../ops/lib/elementwise.ts';
import { TO_NCHW } from '../ops/lib/window.ts';
import { compose, isFree, isIdentity, reshapeThrough, toBase } from './lib/perm.ts';
import { Rewrite } from './lib/rewrite.ts';

/** A value that is the transposition of another, not computed until something needs its bytes. */
interface View {
  readonly base: string;
  readonly perm: readonly number[];
}

/**
 * Moves transpositions down through operators that do not mind the order of axes, until they meet their inverse, an operator that needs
 * the order, or an output. Those that only move axes of one element become Reshapes.
 */
export function sinkTransposes(graph: Graph): Graph {
  const sink = new Sink(graph);
  for (const node of graph.nodes) sink.visit(node);
  for (const o of graph.outputs) sink.materialize(o);
  return sink.r.finish();
}

class Sink {
  readonly r: Rewrite;
  private readonly views = new Map<string, View>();

  constructor(graph: Graph) {
    this.r = new Rewrite(graph);
  }

  visit(node: Node): void {
    if (node.op === 'Transpose') {
      const from = this.view(node.inputs[0]!);
      this.define(node.outputs[0]!, from.base, compose(from.perm, node.attrs.perm as number[]));
      return;
    }
    if (node.inputs.some((v) => this.views.has(v)) && this.push(node)) return;
    for (const v of node.inputs) this.materialize(v);
    this.r.keep(node);
  }

  /** Makes the bytes of a view under its own name. */
  materialize(name: string): void {
    const v = this.views.get(name);
    if (!v) return;
    this.views.delete(name);
    const shape = this.r.type(v.base).shape;
    if (isIdentity(v.perm)) this.r.replace(name, v.base);
    else if (isFree(shape, v.perm))
      this.r.emit('Reshape', [v.base], { shape: v.perm.map((p) => shape[p]!) }, { outputs: [name] });
    else this.r.emit('Transpose', [v.base], { perm: v.perm }, { outputs: [name] });
  }

  private view(name: string): View {
    return this.views.get(name) ?? { base: name, perm: this.shapeOf(name).map((_, i) => i) };
  }

  private define(name: string, base: string, perm: readonly number[]): void {
    this.views.set(name, { base: this.r.resolve(base), perm });
  }

  /** Shape of a value as the old graph has it. */
  private shapeOf(name: string): readonly number[] {
    return this.typeOf(name).shape;
  }

  private typeOf(name: string): TensorType {
    return this.r.source.values.get(name)?.type ?? this.r.type(name);
  }

  /** Applies the node to the bases of its inputs; false when it needs the order of axes. */
  private push(node: Node): boolean {
    if (isElementwise(node.op)) return this.pushTogether(node, node.attrs, node.attrs);
    const first = this.views.get(node.inputs[0]!);
    const { attrs } = node;
    if (node.op === 'Concat') return this.pushTogether(node, attrs, undefined);
    if (!first) return false;
    const { perm } = first;
    const last = perm.length - 1;
    const list = (name: string): number[] => toBase(perm, attrs[name] as number[]);
    switch (node.op) {
      case 'Identity':
      case 'Cast':
        return this.pushAlone(node, first, attrs);
      case 'Pad':
        return this.pushAlone(node, first, { ...attrs, before: list('before'), after: list('after') });
      case 'Slice':
        return this.pushAlone(node, first, { starts: list('starts'), sizes: list('sizes'), steps: list('steps') });
      case 'Softmax':
        return perm[attrs.axis as number] === last && this.pushAlone(node, first, { ...attrs, axis: last });
      case 'Linear':
        return perm[last] === last && this.pushAlone(node, first, attrs);
      case 'LayerNormalization':
        return perm.every((p, i) => i < (attrs.axis as number) || p === i) && this.pushAlone(node, first, attrs);
      case 'Reduce':
        return this.pushReduce(node, first);
      case 'Reshape':
        return this.pushReshape(node, first);
      default:
        return false;
    }
  }

  private pushAlone(node: Node, { base, perm }: View, attrs: Attrs): boolean {
    for (const v of node.inputs.slice(1)) this.materialize(v);
    const [y] = this.r.emit(node.op, [base, ...node.inputs.slice(1)], attrs, {
      name: node.name,
      stem: `${node.outputs[0]!}.t`,
    });
    this.define(node.outputs[0]!, y!, perm);
    return true;
  }

  private pushReduce(node: Node, { base, perm }: View): boolean {
    const axes = node.attrs.axes as readonly number[];
    const inBase = axes.map((a) => perm[a]!).sort((p, q) => p - q);
    const [y] = this.r.emit(
      'Reduce',
      [base],
      { ...node.attrs, axes: inBase },
      { name: node.name, stem: `${node.outputs[0]!}.t` },
    );
    if (node.attrs.keepdims) {
      this.define(node.outputs[0]!, y!, perm);
      return true;
    }
    const kept = perm.map((_, i) => i).filter((i) => !inBase.includes(i));
    this.define(
      node.outputs[0]!,
      y!,
      perm.flatMap((p, i) => (axes.includes(i) ? [] : [kept.indexOf(p)])),
    );
    return true;
  }

  private pushReshape(node: Node, { base, perm }: View): boolean {
    const through = reshapeThrough(this.r.type(base).shape, perm, node.attrs.shape as number[]);
    if (!through) return false;
    const [y] = this.r.emit(
      'Reshape',
      [base],
      { shape: through.shape },
      { name: node.name, stem: `${node.outputs[0]!}.t` },
    );
    this.define(node.outputs[0]!, y!, through.perm);
    return true;
  }

  /** Elementwise operators and Concat: all inputs are brought into the order of the largest view, where that is no more work. */
  private pushTogether(node: Node, attrs: Attrs, elementwise: Attrs | undefined): boolean {
    const out = this.shapeOf(node.outputs[0]!);
    const views = node.inputs.filter((v) => this.views.has(v) && this.shapeOf(v).length === out.length);
    const size = (v: string): number => sizeOf(this.shapeOf(v));
    const lead = views.sort((a, b) => size(b) - size(a))[0];
    if (lead === undefined || views.reduce((a, v) => a + size(v), 0) < sizeOf(out) / 2) return false;
    const { perm } = this.views.get(lead)!;
    const back = inverse(perm);
    const costs = [...new Set(node.inputs)].map((v) => ({
      stay: this.cost(v, undefined, out.length),
      move: this.cost(v, back, out.length),
    }));
    const stay = costs.reduce((a, c) => a + c.stay, 0);
    const move = costs.reduce((a, c) => a + c.move, 0);
    const image = perm.length === TO_NCHW.length && perm.every((p, i) => p === TO_NCHW[i]);
    if (move > stay || (move === stay && !image)) return false;
    const inputs = node.inputs.map((v) => this.inOrder(v, back, out.length));
    const moved: Attrs = elementwise ?? { ...attrs, axis: perm[attrs.axis as number]! };
    const [y] = this.r.emit(node.op, inputs, moved, { name: node.name, stem: `${node.outputs[0]!}.t` });
    this.define(node.outputs[0]!, y!, perm);
    return true;
  }

  /** Elements moved to have input `v` in the old order (`back` undefined) or in that of the base. Constants cost nothing. */
  private cost(v: string, back: readonly number[] | undefined, rank: number): number {
    if (this.r.data(v) || sizeOf(this.shapeOf(v)) === 1) return 0;
    const { base, perm } = this.view(v);
    if (!back) return isFree(this.r.type(base).shape, perm) ? 0 : sizeOf(this.shapeOf(v));
    const wide = this.widened(v, rank);
    const total = compose(wide.perm, back);
    return isFree(wide.shape, total) ? 0 : sizeOf(wide.shape);
  }

  /** Base shape and permutation of an input with leading axes of one element up to `rank`. */
  private widened(v: string, rank: number): { shape: number[]; perm: number[] } {
    const { base, perm } = this.view(v);
    const shape = this.r.type(base).shape;
    const lead = rank - shape.length;
    const ones = Array.from({ length: lead }, (_, i) => i);
    return { shape: [...ones.map(() => 1), ...shape], perm: [...ones, ...perm.map((p) => p + lead)] };
  }

  private inOrder(v: string, back: readonly number[], rank: number): string {
    const { base } = this.view(v);
    // One element broadcasts in any order; leading axes may be absent.
    if (sizeOf(this.shapeOf(v)) === 1 && this.shapeOf(v).length <= 1) return base;
    const { shape, perm } = this.widened(v, rank);
    const wide = shape.length === this.r.type(base).shape.length ? base : this.r.emit('Reshape', [base], { shape })[0]!;
    const total = compose(perm, back);
    if (isIdentity(total)) return wide;
    if (isFree(shape, total)) return this.r.emit('Reshape', [base], { shape: total.map((p) => shape[p]!) })[0]!;
    return this.r.emit('Transpose', [wide], { perm: total })[0]!;
  }
}
