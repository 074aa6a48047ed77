import { constantOf, type Graph, type Node, valueNamed } from '../ir/graph.ts';
import { sizeOf } from '../util/tensor.ts';

/** One axis of a view; steps of the tensor that owns the elements, in elements. Axes of one element have stride 0. */
export interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** A tensor whose element i0, i1, .. lies at offset + i0 * stride0 + i1 * stride1 + .. of another. */
export interface View {
  readonly offset: number;
  readonly axes: readonly Axis[];
}

/** Where the elements of a value come from: `factor` times a view of another value. */
export interface Origin {
  readonly value: string;
  readonly view: View;
  readonly factor: number;
}

export function wholeView(shape: readonly number[]): View {
  let stride = sizeOf(shape);
  const axes = shape.map((size) => {
    stride /= size;
    return { size, stride: size === 1 ? 0 : stride };
  });
  return { offset: 0, axes };
}

/** The view with its axes merged and split to `shape`; undefined when its elements do not lie so. */
export function reshapedView(view: View, shape: readonly number[]): View | undefined {
  const runs: Axis[] = [];
  for (const a of view.axes) {
    if (a.size === 1) continue;
    const last = runs.at(-1);
    if (last && last.stride === a.size * a.stride)
      runs[runs.length - 1] = { size: last.size * a.size, stride: a.stride };
    else runs.push(a);
  }
  const axes: Axis[] = [];
  let run = runs.pop() ?? { size: 1, stride: 0 };
  for (const size of shape.toReversed()) {
    if (size === 1) {
      axes.unshift({ size, stride: 0 });
      continue;
    }
    if (run.size === 1) run = runs.pop() ?? run;
    if (run.size % size !== 0) return undefined;
    axes.unshift({ size, stride: run.stride });
    run = { size: run.size / size, stride: run.stride * size };
  }
  return run.size === 1 && runs.length === 0 ? { offset: view.offset, axes } : undefined;
}

/** What a node that only moves elements makes of a view of its input. */
export function movedView(graph: Graph, node: Node, view: View): View | undefined {
  const list = (name: string): readonly number[] => node.attrs[name] as readonly number[];
  switch (node.op) {
    case 'Transpose':
      return { ...view, axes: list('perm').map((p) => view.axes[p]!) };
    case 'Slice': {
      const [starts, sizes, steps] = [list('starts'), list('sizes'), list('steps')];
      return {
        offset: view.offset + view.axes.reduce((sum, a, i) => sum + a.stride * starts[i]!, 0),
        axes: view.axes.map((a, i) => ({ size: sizes[i]!, stride: sizes[i] === 1 ? 0 : a.stride * steps[i]! })),
      };
    }
    case 'Reshape':
      return reshapedView(view, valueNamed(graph, node.outputs[0]!).type.shape);
    default:
      return view;
  }
}

/** A product or quotient with a constant number: the other operand and the factor. */
export function scaling(graph: Graph, node: Node): { input: string; factor: number } | undefined {
  if (node.op !== 'Mul' && node.op !== 'Div') return undefined;
  for (const at of node.op === 'Mul' ? [0, 1] : [1]) {
    const c = constantOf(graph, node.inputs[at]!);
    if (c?.dtype !== 'f32' || sizeOf(c.shape) !== 1) continue;
    const factor = c.data[0] as number;
    return { input: node.inputs[1 - at]!, factor: node.op === 'Mul' ? factor : 1 / factor };
  }
  return undefined;
}

/**
 * The furthest value that `value` is a view of, back through transposes, slices, reshapes and products with numbers. Strides may turn out
 * not to exist half way; then it is a nearer value.
 */
export function originOf(graph: Graph, producers: ReadonlyMap<string, Node>, value: string): Origin {
  const path: Node[] = [];
  const values = [value];
  for (let v = value; ; ) {
    const node = producers.get(v);
    const moves = node && ['Transpose', 'Slice', 'Reshape'].includes(node.op);
    const from = moves ? node.inputs[0] : node && scaling(graph, node)?.input;
    if (!node || from === undefined || constantOf(graph, from)) break;
    path.unshift(node);
    values.unshift(from);
    v = from;
  }
  for (let start = 0; ; start++) {
    let view: View | undefined = wholeView(valueNamed(graph, values[start]!).type.shape);
    let factor = 1;
    for (const node of path.slice(start)) {
      view = view && movedView(graph, node, view);
      factor *= scaling(graph, node)?.factor ?? 1;
    }
    if (view) return { value: values[start]!, view, factor };
  }
}
