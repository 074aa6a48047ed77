import type { KernelOf } from '../ir/kernel.ts';
import type { Linalg } from '../util/linalg/linalg.ts';
import { byteLength, type Tensor } from '../util/tensor.ts';
import type { Layer } from './layers.ts';

/** How stored activations become real numbers: (q - zp[c]) * scale[c] * rowScale[row]. */
export interface Decoding {
  /** One, or one a channel. */
  readonly scale: Float64Array;
  readonly zp: Int32Array;
  readonly rowScale?: Float32Array;
}

/** Activations that are real numbers already. */
export const PLAIN: Decoding = { scale: Float64Array.of(1), zp: Int32Array.of(0) };

/** Columns of the source rows of a layer: what every output position multiplies with its weights. */
export function sourceColumns(layer: Layer): number {
  const m = layer.matrices[0]!;
  if (layer.spec?.kind === 'conv') return m.cols * layer.spec.groups;
  return m.cols;
}

/** What linalg.c calls the types of activations. */
const DTYPES: Readonly<Record<string, number>> = { f32: 0, i8: 1, i16: 2 };

/**
 * Copies source rows of a layer to the heap of a Linalg, sample by sample: im2col rows of NHWC inputs, zero where the window leaves the
 * image; for groups [group][tap][channel], for depthwise [tap][channel] with channels padded to `pitch` / taps.
 */
export class SourceRows {
  /** Address of the rows, f32 [..][pitch]. */
  readonly rows: number;
  private readonly la: Linalg;
  private readonly layer: Layer;
  private readonly pitch: number;
  /** Addresses of what linalg.c needs, from when the first sample shows how it is stored. */
  private data = 0;
  private activations = 0;
  private rowScale = 0;
  private windows = 0;
  private decoding: Decoding | undefined;

  /** `elements`: room for the rows of all samples that are held at one time. */
  constructor(la: Linalg, layer: Layer, pitch: number, elements: number) {
    this.la = la;
    this.layer = layer;
    this.pitch = pitch;
    this.rows = la.alloc(elements * 4);
  }

  /** The rows of the output positions `positions` (address of i32 [count]), from row `first` on. All samples are stored alike. */
  gather(x: Tensor, decoding: Decoding, positions: number, count: number, first = 0): void {
    const { la, pitch } = this;
    const rows = this.rows + first * pitch * 4;
    if (this.decoding === undefined) this.begin(x, decoding);
    la.bytes(this.data, byteLength(x)).set(bytesOf(x));
    if (decoding.rowScale) la.f32(this.rowScale, decoding.rowScale.length).set(decoding.rowScale);
    if (this.windows !== 0) la.gatherWindows(rows, pitch, this.activations, positions, count, this.windows);
    else la.gatherRows(rows, pitch, this.activations, positions, count, x.shape.at(-1)!);
  }

  private begin(x: Tensor, decoding: Decoding): void {
    const { la, layer } = this;
    const dtype = DTYPES[x.dtype];
    const plain = decoding === PLAIN && x.dtype === 'f32';
    if (dtype === undefined || (dtype === 0) !== plain) throw new Error(`rows: ${x.dtype} are no activations`);
    const { scale, zp, rowScale } = decoding;
    this.decoding = decoding;
    this.data = la.alloc(byteLength(x));
    this.rowScale = rowScale ? la.alloc(rowScale.length * 4) : 0;
    const scales = plain ? 0 : la.put64(scale);
    this.activations = la.putInts([this.data, dtype, scales, la.putInts(zp), scale.length, this.rowScale]);
    if (layer.spec?.kind === 'conv' && !isPointwise(layer, layer.spec))
      this.windows = la.putInts(windowsOf(layer, layer.spec, x.shape, this.pitch));
  }
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Every output position reads the one pixel of the same number. */
function isPointwise(layer: Layer, spec: KernelOf<'conv'>): boolean {
  const one = (v: readonly number[]): boolean => v.every((n) => n === 1);
  return spec.groups === 1 && one(layer.window) && one(spec.strides) && spec.pads.every((p) => p === 0);
}

/** `Windows` of linalg.c. */
function windowsOf(layer: Layer, spec: KernelOf<'conv'>, shape: readonly number[], pitch: number): number[] {
  const [n, h, w, c] = shape as [number, number, number, number];
  const [kh, kw] = layer.window;
  const { strides, pads, dilations } = spec;
  const span = (kw - 1) * dilations[1] + 1;
  const ow = Math.floor((w + pads[1] + pads[3] - span) / strides[1]) + 1;
  const depthwise = layer.kind === 'depthwise';
  const groups = depthwise ? 1 : spec.groups;
  const step = depthwise ? pitch / (kh * kw) : c / groups;
  const image = [h, w, c, layer.positions / n, ow];
  return [...image, kh, kw, ...strides, pads[0], pads[1], ...dilations, groups, step];
}
