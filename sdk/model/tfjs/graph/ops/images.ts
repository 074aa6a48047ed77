import { onImage, type ResizeWay, resize } from '../../lib/image.ts';
import type { TfNode, Translate, TranslateTable } from '../node.ts';
import { isChannelsLast } from './convolution.ts';

function wayOf(n: TfNode): ResizeWay {
  if (n.attrs.bool('align_corners')) return 'align_corners';
  return n.attrs.bool('half_pixel_centers') ? 'half_pixel' : 'asymmetric';
}

const resizing =
  (mode: 'linear' | 'nearest'): Translate =>
  (n) => {
    const [height, width] = n.numbers(1, 'the size');
    return resize(n.e, n.input(0), [height ?? 0, width ?? 0], mode, wayOf(n));
  };

const blocks =
  (op: 'DepthToSpace' | 'SpaceToDepth'): Translate =>
  (n) =>
    onImage(n.e, n.input(0), isChannelsLast(n), (image) =>
      n.e.op(op, [image], { blocksize: n.attrs.int('block_size') }),
    );

/** Local response normalization: the sum goes over 2 * radius + 1 channels, and alpha is not shared among them. */
function localResponse(n: TfNode): string {
  const size = 2 * n.attrs.int('depth_radius', 5) + 1;
  const attrs = {
    size,
    alpha: { float: n.attrs.float('alpha', 1) * size },
    beta: { float: n.attrs.float('beta', 0.5) },
    bias: { float: n.attrs.float('bias', 1) },
  };
  return onImage(n.e, n.input(0), true, (image) => n.e.op('LRN', [image], attrs));
}

export const IMAGES: TranslateTable = {
  ResizeBilinear: resizing('linear'),
  ResizeNearestNeighbor: resizing('nearest'),
  DepthToSpace: blocks('DepthToSpace'),
  SpaceToDepth: blocks('SpaceToDepth'),
  LRN: localResponse,
};
