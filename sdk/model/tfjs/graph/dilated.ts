import { toNumbers } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { crop } from '../lib/shape.ts';
import { TfNode } from './node.ts';
import { CONVOLVERS, convolve, isChannelsLast, windowOf } from './ops/convolution.ts';
import type { Endpoint, GraphNode } from './topology.ts';

/** What was translated so far. */
export interface Translated {
  readonly e: Emitter;
  readonly nodes: ReadonlyMap<string, GraphNode>;
  lookUp(from: Endpoint): string;
}

/**
 * TensorFlow 1 writes a dilated convolution as one without dilation between SpaceToBatchND and BatchToSpaceND. For the latter of such three,
 * the convolution itself, so that nothing is moved; undefined for everything else.
 */
export function dilatedConvolution(last: GraphNode, { e, nodes, lookUp }: Translated): string | undefined {
  const inner = last.op === 'BatchToSpaceND' ? nodes.get(last.inputs[0]?.node ?? '') : undefined;
  const first = nodes.get(inner?.inputs[0]?.node ?? '');
  const run = CONVOLVERS[inner?.op ?? ''];
  if (!inner || !run || first?.op !== 'SpaceToBatchND' || first.inputs.length < 3 || last.inputs.length < 3)
    return undefined;
  const numbers = (node: GraphNode, i: number): number[] => toNumbers(e.known(lookUp(node.inputs[i]!)) ?? NOTHING);
  const [block, pads, crops] = [numbers(first, 1), numbers(first, 2), numbers(last, 2)];
  const conv = new TfNode(e, inner, [first.inputs[0]!, ...inner.inputs.slice(1)].map(lookUp));
  const window = windowOf(conv);
  const plain = [...window.strides, ...(window.dilations ?? [])].every((v) => v === 1) && window.padding === 'valid';
  if (!plain || !isChannelsLast(conv) || block.join() !== numbers(last, 1).join()) return undefined;
  if (block.length !== 2 || pads.length !== 4 || crops.length !== 4) return undefined;
  // What is cropped at the end was only there to make whole blocks.
  const cut = [1, 3].map((i) => Math.min(crops[i]!, pads[i]!));
  const padding = [pads[0]!, pads[2]!, pads[1]! - cut[0]!, pads[3]! - cut[1]!] as const;
  const y = convolve(conv, { ...window, dilations: block, padding });
  return crop(e, y, [
    [crops[0]!, crops[1]! - cut[0]!],
    [crops[2]!, crops[3]! - cut[1]!],
  ]);
}

const NOTHING = { dtype: 'i32', shape: [0], data: new Int32Array() } as const;
