import type { Graph } from '../graph.ts';
import { rearrangement } from '../ops/depth-to-space.ts';
import { rewrite } from './lib/rewrite.ts';

/** Replaces the image operators that have no kernel of their own by those that have. */
export function decompose(graph: Graph): Graph {
  return rewrite(graph, (node, r) => {
    if (node.op !== 'DepthToSpace') return false;
    const { apart, perm, shape } = rearrangement(r.type(node.inputs[0]!), node.attrs);
    const spread = r.emit('Reshape', [node.inputs[0]!], { shape: apart })[0]!;
    const turned = r.emit('Transpose', [spread], { perm })[0]!;
    r.emit('Reshape', [turned], { shape }, { outputs: node.outputs });
    return true;
  });
}
