import type { KernelOf } from '../ir/kernel.ts';
import type { Tensor } from '../util/tensor.ts';
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

/**
 * Copies the source rows of the output `positions` into `out` [positions][pitch]: im2col rows of NHWC inputs, zero where the
 * window leaves the image; for groups [group][tap][channel], for depthwise [tap][channel] with channels padded to `pitch` / taps.
 */
export function gatherRows(
  layer: Layer,
  x: Tensor,
  decoding: Decoding,
  positions: Int32Array,
  out: Float32Array,
  pitch: number,
): void {
  if (layer.spec?.kind === 'conv' && !isPointwise(layer, layer.spec))
    gatherWindows(layer, layer.spec, x, decoding, positions, out, pitch);
  else gatherPlain(x, decoding, positions, out, pitch);
}

/** Every output position reads the one pixel of the same number. */
function isPointwise(layer: Layer, spec: KernelOf<'conv'>): boolean {
  const one = (v: readonly number[]): boolean => v.every((n) => n === 1);
  return spec.groups === 1 && one(layer.window) && one(spec.strides) && spec.pads.every((p) => p === 0);
}

function gatherPlain(x: Tensor, d: Decoding, positions: Int32Array, out: Float32Array, pitch: number): void {
  const data = x.data as ArrayLike<number>;
  const cols = x.shape.at(-1)!;
  for (let r = 0; r < positions.length; r++) {
    const p = positions[r]!;
    decode(data, p * cols, cols, 0, d, d.rowScale ? d.rowScale[p]! : 1, out, r * pitch);
  }
}

/** Elements from which a block copy is faster than a loop. */
const LONG = 32;

function decode(
  data: ArrayLike<number>,
  from: number,
  count: number,
  channel: number,
  d: Decoding,
  rowScale: number,
  out: Float32Array,
  at: number,
): void {
  if (d === PLAIN && count >= LONG && data instanceof Float32Array) {
    out.set(data.subarray(from, from + count), at);
  } else if (d === PLAIN) {
    for (let c = 0; c < count; c++) out[at + c] = data[from + c]!;
  } else if (d.scale.length === 1) {
    const s = d.scale[0]! * rowScale;
    const z = d.zp[0]!;
    for (let c = 0; c < count; c++) out[at + c] = (data[from + c]! - z) * s;
  } else {
    for (let c = 0; c < count; c++) {
      out[at + c] = (data[from + c]! - d.zp[channel + c]!) * d.scale[channel + c]! * rowScale;
    }
  }
}

function gatherWindows(
  layer: Layer,
  spec: KernelOf<'conv'>,
  x: Tensor,
  d: Decoding,
  positions: Int32Array,
  out: Float32Array,
  pitch: number,
): void {
  const data = x.data as ArrayLike<number>;
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const perImage = layer.positions / n;
  const [kh, kw] = layer.window;
  const span = (kw - 1) * spec.dilations[1] + 1;
  const ow = Math.floor((w + spec.pads[1] + spec.pads[3] - span) / spec.strides[1]) + 1;
  const depthwise = layer.kind === 'depthwise';
  const groups = depthwise ? 1 : spec.groups;
  const cg = c / groups;
  const step = depthwise ? pitch / (kh * kw) : cg;
  // Neighbours in the image are neighbours in the row.
  const lines = step === c && spec.dilations[1] === 1 && d.scale.length === 1;
  for (let r = 0; r < positions.length; r++) {
    const image = Math.floor(positions[r]! / perImage);
    const inside = positions[r]! - image * perImage;
    const y0 = Math.floor(inside / ow) * spec.strides[0] - spec.pads[0];
    const x0 = (inside % ow) * spec.strides[1] - spec.pads[1];
    if (lines) {
      for (let ky = 0; ky < kh; ky++) {
        const at = r * pitch + ky * kw * c;
        const yy = y0 + ky * spec.dilations[0];
        const from = yy < 0 || yy >= h ? kw : Math.min(kw, Math.max(0, -x0));
        const to = Math.max(from, Math.min(kw, w - x0));
        out.fill(0, at, at + from * c);
        decode(data, ((image * h + yy) * w + x0 + from) * c, (to - from) * c, 0, d, 1, out, at + from * c);
        out.fill(0, at + to * c, at + kw * c);
      }
      continue;
    }
    for (let g = 0; g < groups; g++) {
      for (let t = 0; t < kh * kw; t++) {
        const at = r * pitch + (g * kh * kw + t) * step;
        const yy = y0 + Math.floor(t / kw) * spec.dilations[0];
        const xx = x0 + (t % kw) * spec.dilations[1];
        if (yy < 0 || yy >= h || xx < 0 || xx >= w) out.fill(0, at, at + step);
        else decode(data, ((image * h + yy) * w + xx) * c + g * cg, cg, g * cg, d, 1, out, at);
      }
    }
  }
}
