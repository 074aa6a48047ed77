import type { TensorType } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { reshaped, transposed } from './lib/arrays.ts';
import { invalid, num, required, str } from './lib/check.ts';
import { imageDims, imageShape, layoutOf } from './lib/window.ts';

/** The Reshape, Transpose, Reshape that an image rearrangement is made of. */
export interface Rearrangement {
  readonly apart: readonly number[];
  readonly perm: readonly number[];
  readonly shape: readonly number[];
}

/** Rearranges blocks: mode DCR and CRD spread channels over space, `space` gathers space into channels. */
export function rearrangement(t: TensorType, attrs: Attrs): Rearrangement {
  const b = num(attrs, 'block');
  const mode = str(attrs, 'mode');
  const layout = layoutOf(attrs);
  const { n, h, w, c } = imageDims('DepthToSpace', t, layout);
  const nchw = layout === 'nchw';
  if (mode === 'space') {
    if (h % b !== 0 || w % b !== 0) invalid('DepthToSpace', `an image of ${h}x${w} is not made of blocks of ${b}`);
    const shape = imageShape(layout, n, h / b, w / b, c * b * b);
    if (nchw) return { apart: [n, c, h / b, b, w / b, b], perm: [0, 3, 5, 1, 2, 4], shape };
    return { apart: [n, h / b, b, w / b, b, c], perm: [0, 1, 3, 2, 4, 5], shape };
  }
  const d = c / (b * b);
  if (!Number.isInteger(d)) invalid('DepthToSpace', `${c} channels are not a multiple of ${b * b}`);
  const shape = imageShape(layout, n, h * b, w * b, d);
  if (mode === 'DCR') {
    if (nchw) return { apart: [n, b, b, d, h, w], perm: [0, 3, 4, 1, 5, 2], shape };
    return { apart: [n, h, w, b, b, d], perm: [0, 1, 3, 2, 4, 5], shape };
  }
  if (nchw) return { apart: [n, d, b, b, h, w], perm: [0, 1, 4, 2, 5, 3], shape };
  return { apart: [n, h, w, d, b, b], perm: [0, 1, 4, 2, 5, 3], shape };
}

function importBlock(node: OnnxNode, mode: string): void {
  if (!['DCR', 'CRD', 'space'].includes(mode)) node.reject(`mode '${mode}' is not supported (DCR and CRD are)`);
  node.emit('DepthToSpace', [node.inputs[0]!], { block: node.int('blocksize'), mode, layout: 'nchw' }, node.outputs);
}

const typeOf = (inputs: Types): TensorType => required('DepthToSpace', inputs, 0);

/** Lowered by the pass `decompose`, in NHWC, so that the transposition runs over whole channel vectors. */
export const depthToSpace: OpDef = {
  name: 'DepthToSpace',
  doc: 'Moves blocks of `block` x `block` between channels and space (modes DCR, CRD, and space for the inverse).',
  tolerance: 'exact',
  infer: (inputs, attrs) => [{ dtype: typeOf(inputs).dtype, shape: rearrangement(typeOf(inputs), attrs).shape }],
  evaluate(inputs, attrs) {
    const r = rearrangement(inputs[0]!, attrs);
    return [reshaped(transposed(reshaped(inputs[0]!, r.apart), r.perm), r.shape)];
  },
  onnx: {
    DepthToSpace: (node) => importBlock(node, node.string('mode', 'DCR')),
    SpaceToDepth: (node) => importBlock(node, 'space'),
  },
};
