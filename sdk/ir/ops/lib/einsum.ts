import { sizeOf } from '../../../util/tensor.ts';
import type { OnnxNode } from '../../frontend.ts';
import { emitReshape } from '../reshape.ts';

/**
 * Einsum of two inputs without repeated or summed-alone labels, as Transpose, MatMul and Transpose. Labels in both inputs and the output
 * are batch axes, labels in both inputs only are summed over.
 */
export function importEinsum(node: OnnxNode): void {
  const equation = node.string('equation').replaceAll(' ', '');
  const match = /^([A-Za-z]+),([A-Za-z]+)(?:->([A-Za-z]*))?$/.exec(equation);
  if (!match || node.inputs.length !== 2)
    node.reject(`equation '${equation}' is not supported (two inputs, an explicit output, no '...')`);
  const [a, b] = [[...match[1]!], [...match[2]!]];
  const out = match[3] === undefined ? implicitOutput(a, b) : [...match[3]];
  const repeated = [a, b, out].some((l) => new Set(l).size !== l.length);
  const lonely = [...a, ...b].some((l) => !out.includes(l) && !(a.includes(l) && b.includes(l)));
  if (repeated || lonely || out.some((l) => !a.includes(l) && !b.includes(l))) {
    node.reject(`equation '${equation}' is not supported (repeated labels, or a sum over one input alone)`);
  }
  const size = new Map<string, number>();
  for (const [labels, i] of [
    [a, 0],
    [b, 1],
  ] as const) {
    const shape = node.type(i)?.shape ?? node.reject(`input ${i} is missing`);
    if (shape.length !== labels.length)
      node.reject(`equation '${equation}' does not match input ${i} [${shape.join(',')}]`);
    labels.forEach((l, d) => {
      if ((size.get(l) ?? shape[d]) !== shape[d]) node.reject(`label ${l} has sizes ${size.get(l)} and ${shape[d]}`);
      size.set(l, shape[d]!);
    });
  }
  const batch = out.filter((l) => a.includes(l) && b.includes(l));
  const rows = out.filter((l) => !b.includes(l));
  const cols = out.filter((l) => !a.includes(l));
  const inner = a.filter((l) => !out.includes(l));
  const total = (l: readonly string[]): number => sizeOf(l.map((v) => size.get(v)!));
  const arrange = (i: number, from: readonly string[], to: readonly string[], shape: number[]): string => {
    const t = node.emit('Transpose', [node.inputs[i]!], { perm: to.map((l) => from.indexOf(l)) })[0]!;
    return emitReshape(node, t, shape);
  };
  const x = arrange(0, a, [...batch, ...rows, ...inner], [total(batch), total(rows), total(inner)]);
  const y = arrange(1, b, [...batch, ...inner, ...cols], [total(batch), total(inner), total(cols)]);
  const z = node.emit('MatMul', [x, y], { transA: false, transB: false })[0]!;
  const made = [...batch, ...rows, ...cols];
  const apart = emitReshape(
    node,
    z,
    made.map((l) => size.get(l)!),
  );
  node.emit('Transpose', [apart], { perm: out.map((l) => made.indexOf(l)) }, node.outputs);
}

/** Without '->' the output holds the labels that occur once, in alphabetical order. */
function implicitOutput(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((l) => !b.includes(l)), ...b.filter((l) => !a.includes(l))].sort();
}
