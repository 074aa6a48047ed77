import { numberAt, sameShape, type Tensor } from '../../util/tensor.ts';
import type { Graph, Node } from '../graph.ts';
import { broadcast } from '../ops/lib/check.ts';
import { compose, isFree, isIdentity } from './lib/perm.ts';
import { type Rewrite, rewrite } from './lib/rewrite.ts';

/** Removes what computes nothing, merges chains of Reshape, of Transpose and of Slice, folds constants, shares equal nodes. */
export function simplify(graph: Graph): Graph {
  const producer = new Map<string, Node>();
  const known = new Map<string, readonly string[]>();
  return rewrite(graph, (node, r) => {
    const [x] = node.inputs;
    const source = x === undefined || x === '' ? undefined : producer.get(r.resolve(x));
    const same = replacement(node, r);
    if (same !== undefined) {
      r.replace(node.outputs[0]!, same);
      return true;
    }
    const merged = merge(node, source, r);
    const key = JSON.stringify([
      merged.op,
      merged.inputs.map((v) => r.resolve(v)),
      Object.entries(merged.attrs).sort(),
      merged.outputs.length,
    ]);
    const twin = known.get(key);
    if (twin && twin.length === merged.outputs.length && twin.every((t, i) => t !== '' || merged.outputs[i] === '')) {
      merged.outputs.forEach((o, i) => {
        if (o !== '') r.replace(o, twin[i]!);
      });
      return true;
    }
    const again = replacement(merged, r);
    if (again !== undefined) {
      r.replace(node.outputs[0]!, again);
      return true;
    }
    r.keep(merged);
    known.set(key, merged.outputs);
    for (const o of merged.outputs)
      producer.set(o, { ...merged, inputs: merged.inputs.map((v) => (v === '' ? '' : r.resolve(v))) });
    return true;
  });
}

/** A value equal to the node's only output, when the node changes nothing. */
function replacement(node: Node, r: Rewrite): string | undefined {
  const x = node.inputs[0];
  if (x === undefined || x === '') return undefined;
  const { attrs } = node;
  switch (node.op) {
    case 'Identity':
      return x;
    case 'Reshape':
      return sameShape(r.type(x).shape, attrs.shape as number[]) ? x : undefined;
    case 'Expand':
      return sameShape(r.type(x).shape, attrs.shape as number[]) ? x : undefined;
    case 'Transpose':
      return isIdentity(attrs.perm as number[]) ? x : undefined;
    case 'Slice':
      return sameShape(r.type(x).shape, attrs.sizes as number[]) &&
        (attrs.steps as number[]).every((s, i) => s === 1 || (attrs.sizes as number[])[i] === 1)
        ? x
        : undefined;
    case 'Cast':
      return r.type(x).dtype === attrs.to ? x : undefined;
    case 'Concat':
      return node.inputs.length === 1 ? x : undefined;
    case 'Pad':
      return [...(attrs.before as number[]), ...(attrs.after as number[])].every((p) => p === 0) ? x : undefined;
    case 'Clip':
      return 'min' in attrs || 'max' in attrs ? undefined : x;
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return neutral(node, r);
    default:
      return undefined;
  }
}

/** x + 0, x - 0, x * 1, x / 1, where the constant does not enlarge x. */
function neutral(node: Node, r: Rewrite): string | undefined {
  const unit = node.op === 'Mul' || node.op === 'Div' ? 1 : 0;
  const sides =
    node.op === 'Add' || node.op === 'Mul'
      ? [
          [0, 1],
          [1, 0],
        ]
      : [[0, 1]];
  for (const [keep, other] of sides) {
    const x = node.inputs[keep!]!;
    const t = r.data(node.inputs[other!]!);
    if (!t || !isConstant(t, unit) || r.type(x).dtype !== t.dtype) continue;
    if (sameShape(broadcast(node.op, [r.type(x).shape, t.shape]), r.type(x).shape)) return x;
  }
  return undefined;
}

function isConstant(t: Tensor, v: number): boolean {
  for (let i = 0; i < t.data.length; i++) if (numberAt(t, i) !== v) return false;
  return t.data.length > 0;
}

/** Joins a Reshape or Transpose with the one that feeds it; a transposition that moves nothing becomes a Reshape. */
function merge(node: Node, source: Node | undefined, r: Rewrite): Node {
  let out = node;
  if (node.op === 'Reshape' && source?.op === 'Reshape') out = { ...node, inputs: [source.inputs[0]!] };
  if (node.op === 'Transpose' && source?.op === 'Transpose') {
    out = {
      ...node,
      inputs: [source.inputs[0]!],
      attrs: { perm: compose(source.attrs.perm as number[], node.attrs.perm as number[]) },
    };
  }
  if (node.op === 'Slice' && source?.op === 'Slice')
    out = { ...node, inputs: [source.inputs[0]!], attrs: sliced(source, node) };
  if (out.op === 'Transpose') {
    const shape = r.type(out.inputs[0]!).shape;
    const perm = out.attrs.perm as number[];
    if (!isIdentity(perm) && isFree(shape, perm)) {
      const base = source?.op === 'Reshape' ? source.inputs[0]! : out.inputs[0]!;
      return { ...out, op: 'Reshape', inputs: [base], attrs: { shape: perm.map((p) => shape[p]!) } };
    }
  }
  return out;
}

/** What a slice of a slice takes. */
function sliced(first: Node, second: Node): Node['attrs'] {
  const of = (node: Node, name: string): readonly number[] => node.attrs[name] as readonly number[];
  const steps = of(first, 'steps');
  return {
    starts: of(second, 'starts').map((s, i) => of(first, 'starts')[i]! + s * steps[i]!),
    sizes: of(second, 'sizes'),
    steps: of(second, 'steps').map((s, i) => s * steps[i]!),
  };
}
