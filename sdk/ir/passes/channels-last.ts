import type { Graph, Node } from '../graph.ts';
import { TO_NCHW, TO_NHWC } from '../ops/lib/window.ts';
import { rewrite } from './lib/rewrite.ts';

/** Operators with a `layout`, and whether their second input is a kernel. */
const IMAGE_OPS: Readonly<Record<string, boolean>> = {
  Conv: true,
  ConvTranspose: true,
  Pool: false,
  Resize: false,
  DepthToSpace: false,
};

function isChannelsFirst(node: Node): boolean {
  return node.op in IMAGE_OPS && node.attrs.layout === 'nchw';
}

/**
 * Puts every image operator into NHWC with a transposition on either side, kernels [O,I,kh,kw] becoming [O,kh,kw,I]. The pass
 * `sinkTransposes` then removes what cancels.
 */
export function channelsLast(graph: Graph): Graph {
  return rewrite(graph, (node, r) => {
    if (!isChannelsFirst(node)) return false;
    const image = r.emit('Transpose', [node.inputs[0]!], { perm: TO_NHWC })[0]!;
    const rest = node.inputs.slice(1);
    if (IMAGE_OPS[node.op]) rest[0] = r.emit('Transpose', [rest[0]!], { perm: TO_NHWC }, { stem: rest[0]! })[0]!;
    const y = r.emit(
      node.op,
      [image, ...rest],
      { ...node.attrs, layout: 'nhwc' },
      { name: node.name, stem: `${node.outputs[0]!}.nhwc` },
    )[0]!;
    r.emit('Transpose', [y], { perm: TO_NCHW }, { outputs: node.outputs });
    return true;
  });
}
