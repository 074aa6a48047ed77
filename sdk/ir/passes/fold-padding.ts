import { consumersOf, type Graph, type Node, producersOf } from '../graph.ts';
import { layoutOf } from '../ops/lib/window.ts';
import { rewrite } from './lib/rewrite.ts';

/** Takes rows and columns of zeros that a Pad puts around an image into the padding of the convolutions that alone read it. Exact. */
export function foldPadding(graph: Graph): Graph {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  const readers = (pad: Node): readonly Node[] => consumers.get(pad.outputs[0]!) ?? [];
  return rewrite(graph, (node, r) => {
    const pad = node.op === 'Conv' ? producers.get(node.inputs[0]!) : undefined;
    if (pad?.op !== 'Pad' || graph.outputs.includes(pad.outputs[0]!)) return false;
    const onlyImages = readers(pad).every((n) => n.op === 'Conv' && n.inputs.lastIndexOf(pad.outputs[0]!) === 0);
    const edges = onlyImages ? zerosAround(pad, layoutOf(node.attrs) === 'nhwc' ? 1 : 2) : undefined;
    if (!edges) return false;
    const pads = (node.attrs.pads as readonly number[]).map((p, i) => p + edges[i]!);
    const inputs = [pad.inputs[0]!, ...node.inputs.slice(1)];
    r.emit('Conv', inputs, { ...node.attrs, pads }, { name: node.name, outputs: node.outputs });
    return true;
  });
}

/** Top, left, bottom, right of what a Pad adds; undefined when that is not zeros around the two axes from `first` on. */
function zerosAround({ attrs }: Node, first: number): readonly number[] | undefined {
  const [before, after] = [attrs.before, attrs.after] as [readonly number[], readonly number[]];
  if (attrs.mode !== 'constant' || attrs.value !== 0) return undefined;
  const inImage = (_: number, axis: number): boolean => axis === first || axis === first + 1;
  const outside = [before, after].some((list) => list.some((p, axis) => p < 0 || (p !== 0 && !inImage(p, axis))));
  return outside ? undefined : [...before.filter(inImage), ...after.filter(inImage)];
}
