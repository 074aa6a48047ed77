import {
  bytesOf,
  DTYPE_BYTES,
  type DType,
  formatType,
  sizeOf,
  type Tensor,
  tensor,
  viewBytes,
} from '../util/tensor.ts';
import { PANEL_ROWS, type PanelFit, packPanels, unpackPanels } from './panels.ts';
import type { WeightLayout } from './program.ts';
import { packHalves, packLog8, packNarrow, unpackHalves, unpackLog8, unpackNarrow } from './short.ts';

/** Resident forms of constants (WeightLayout in program.ts): from the logical tensor to the bytes that kernels read, and back. */

/** Bytes that a constant takes in resident memory, without the alignment of its offset. */
export function residentBytes(layout: WeightLayout, dtype: DType, shape: readonly number[]): number {
  switch (layout.kind) {
    case 'plain':
      return sizeOf(shape) * DTYPE_BYTES[dtype];
    case 'panels':
      return layout.bytes + (layout.room ?? 0);
    case 'log8':
      return 4 + sizeOf(shape);
    case 'f16':
      return 2 * sizeOf(shape);
    case 'narrow':
      return sizeOf(shape) * DTYPE_BYTES[layout.to];
    case 'panelsF32':
      return roundUp(layout.rows, PANEL_ROWS) * layout.cols * DTYPE_BYTES.f32;
    case 'transposed':
      return layout.cols * roundUp(layout.rows, layout.multiple) * DTYPE_BYTES[dtype];
  }
}

/**
 * The resident bytes of a constant; the result may share memory with `data` when the layout is plain.
 * @throws RangeError when the tensor does not have the layout's dtype and size, or holds something that the layout cannot.
 */
export function packWeight(layout: WeightLayout, data: Tensor, fit: PanelFit = 'exact'): Uint8Array {
  check(layout, data);
  switch (layout.kind) {
    case 'plain':
      return bytesOf(data.data);
    case 'panels':
      return packPanels(layout, data.data as Int8Array, fit);
    case 'log8':
      return packLog8(layout.base, data.data as Float32Array);
    case 'f16':
      return packHalves(data.data as Float32Array);
    case 'narrow':
      return packNarrow(layout.to, data.data);
    case 'panelsF32':
      return bytesOf(tileF32(data.data as Float32Array, layout.rows, layout.cols));
    case 'transposed':
      return transpose(data, layout.rows, layout.cols, layout.multiple);
  }
}

/** The logical tensor of resident bytes: the inverse of packWeight. */
export function unpackWeight(layout: WeightLayout, dtype: DType, shape: readonly number[], bytes: Uint8Array): Tensor {
  const out = tensor(dtype, shape);
  check(layout, out);
  switch (layout.kind) {
    case 'plain':
      bytesOf(out.data).set(bytes.subarray(0, out.data.byteLength));
      break;
    case 'panels':
      unpackPanels(layout, bytes, out.data as Int8Array);
      break;
    case 'log8':
      unpackLog8(bytes, out.data as Float32Array);
      break;
    case 'f16':
      unpackHalves(bytes, out.data as Float32Array);
      break;
    case 'narrow':
      unpackNarrow(layout.to, bytes, out.data);
      break;
    case 'panelsF32': {
      const tiles = viewBytes('f32', bytes);
      for (let r = 0; r < layout.rows; r++) {
        for (let c = 0; c < layout.cols; c++) out.data[r * layout.cols + c] = tiles[tileIndex(r, c, layout.cols)];
      }
      break;
    }
    case 'transposed': {
      const columns = viewBytes(dtype, bytes);
      const stride = roundUp(layout.rows, layout.multiple);
      for (let r = 0; r < layout.rows; r++) {
        for (let c = 0; c < layout.cols; c++) out.data[r * layout.cols + c] = columns[c * stride + r];
      }
    }
  }
  return out;
}

/** Element types that a layout takes, where it does not take any. */
const TAKES: { readonly [K in WeightLayout['kind']]?: readonly DType[] } = {
  panels: ['i8'],
  panelsF32: ['f32'],
  log8: ['f32'],
  f16: ['f32'],
  narrow: ['i16', 'i32', 'i64'],
};

function check(layout: WeightLayout, data: Tensor): void {
  const takes = TAKES[layout.kind];
  if (takes && !takes.includes(data.dtype))
    throw new RangeError(`layout ${layout.kind} needs ${takes.join(' or ')}, got ${formatType(data)}`);
  if (!('rows' in layout)) return;
  if (sizeOf(data.shape) !== layout.rows * layout.cols) {
    throw new RangeError(`layout ${layout.kind} of ${layout.rows} x ${layout.cols} does not match ${formatType(data)}`);
  }
}

function tileF32(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(roundUp(rows, PANEL_ROWS) * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out[tileIndex(r, c, cols)] = data[r * cols + c];
  }
  return out;
}

/** Index of (r, c) in [row tile][col][8]. */
function tileIndex(r: number, c: number, cols: number): number {
  return ((r >> 3) * cols + c) * PANEL_ROWS + (r & 7);
}

function transpose(data: Tensor, rows: number, cols: number, multiple: number): Uint8Array {
  const stride = roundUp(rows, multiple);
  const out = tensor(data.dtype, [cols, stride]);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out.data[c * stride + r] = data.data[r * cols + c];
  }
  return bytesOf(out.data);
}

function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}
