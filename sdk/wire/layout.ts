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
import type { WeightLayout } from './program.ts';

/**
 * Resident forms of constants (WeightLayout in program.ts): from the logical tensor to the bytes that kernels read, and back.
 *
 * Panels hold weight codes q, |q| < 2^(b-1), as u = q + 2^(b-1) in b bits. Rows are padded to 8 and columns to 16 with q = 0.
 * Row tiles (8 rows) are outermost; inside, one unit of 16 * b bytes for every 16 columns. A unit is eight vectors of 16
 * codes: V_i, i = 2 * kq + half, holds rows 4 * half .. + 3 and columns 4 * kq .. + 3, byte j being row 4 * half + (j >> 2),
 * column 4 * kq + (j & 3). The b bits of a code are split into planes, low bits first, in memory in this order:
 *   8 bits:  V_0 .. V_7                                            128 bytes (b = 8 only)
 *   4 bits:  V_i | V_(i+4) << 4                        i = 0..3     64 bytes (b >= 4)
 *   2 bits:  V_i | V_(i+2) << 2 | V_(i+4) << 4 | V_(i+6) << 6   i = 0..1     32 bytes (b & 2)
 *   1 bit:   V_0 | V_1 << 1 | ... | V_7 << 7                        16 bytes (b & 1)
 */
export const PANEL_ROWS = 8;
export const PANEL_COLS = 16;

const VECTOR = 16;
const UNIT_CODES = PANEL_ROWS * PANEL_COLS;

/** Widths of the bit planes of b-bit codes, in memory order; the code's bits go to them from the low end. */
export function planesOf(bits: number): number[] {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8)
    throw new RangeError(`panels hold 2 to 8 bits a code, not ${bits}`);
  if (bits === 8) return [8];
  return [bits & 4, bits & 2, bits & 1].filter((width) => width > 0);
}

/** Bytes that a constant takes in resident memory, without the 64-byte alignment of its offset. */
export function residentBytes(layout: WeightLayout, dtype: DType, shape: readonly number[]): number {
  switch (layout.kind) {
    case 'plain':
      return sizeOf(shape) * DTYPE_BYTES[dtype];
    case 'panels':
      return roundUp(layout.rows, PANEL_ROWS) * (roundUp(layout.cols, PANEL_COLS) / 8) * layout.bits;
    case 'panelsF32':
      return roundUp(layout.rows, PANEL_ROWS) * layout.cols * DTYPE_BYTES.f32;
    case 'transposed':
      return layout.cols * roundUp(layout.rows, layout.multiple) * DTYPE_BYTES[dtype];
  }
}

/**
 * The resident bytes of a constant; the result may share memory with `data` when the layout is plain.
 * @throws RangeError when the tensor does not have the layout's dtype and size, or a code does not fit its bits.
 */
export function packWeight(layout: WeightLayout, data: Tensor): Uint8Array {
  check(layout, data);
  switch (layout.kind) {
    case 'plain':
      return bytesOf(data.data);
    case 'panels':
      return packPanels(data.data as Int8Array, layout.rows, layout.cols, layout.bits);
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
      unpackPanels(bytes, layout.rows, layout.cols, layout.bits, out.data as Int8Array);
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

function check(layout: WeightLayout, data: Tensor): void {
  if (layout.kind === 'plain') return;
  if (sizeOf(data.shape) !== layout.rows * layout.cols) {
    throw new RangeError(`layout ${layout.kind} of ${layout.rows} x ${layout.cols} does not match ${formatType(data)}`);
  }
  if (layout.kind === 'transposed') return;
  const dtype = layout.kind === 'panels' ? 'i8' : 'f32';
  if (data.dtype !== dtype) throw new RangeError(`layout ${layout.kind} needs ${dtype}, got ${formatType(data)}`);
}

function packPanels(codes: Int8Array, rows: number, cols: number, bits: number): Uint8Array {
  const planes = planesOf(bits);
  const zero = 1 << (bits - 1);
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] >= zero || codes[i] <= -zero)
      throw new RangeError(`code ${codes[i]} at ${i} does not fit ${bits} bits`);
  }
  const out = new Uint8Array(residentBytes({ kind: 'panels', rows, cols, bits }, 'i8', [rows, cols]));
  const words = new Uint32Array(out.buffer);
  const unit = new Uint8Array(UNIT_CODES);
  const unitWords = new Uint32Array(unit.buffer);
  let at = 0;
  for (let row = 0; row < rows; row += PANEL_ROWS) {
    for (let col = 0; col < cols; col += PANEL_COLS) {
      gatherUnit(codes, rows, cols, row, col, zero, unit);
      at = packUnit(unitWords, planes, words, at);
    }
  }
  return out;
}

/** Eight vectors of 16 unsigned codes, V_0 .. V_7, of the unit at (row, col). */
function gatherUnit(
  codes: Int8Array,
  rows: number,
  cols: number,
  row: number,
  col: number,
  zero: number,
  unit: Uint8Array,
): void {
  unit.fill(zero);
  const height = Math.min(PANEL_ROWS, rows - row);
  const width = Math.min(PANEL_COLS, cols - col);
  for (let r = 0; r < height; r++) {
    const from = (row + r) * cols + col;
    for (let c = 0; c < width; c++) unit[unitIndex(r, c)] = codes[from + c] + zero;
  }
}

/** Place of (row 0..7, column 0..15) in V_0 .. V_7. */
function unitIndex(r: number, c: number): number {
  const vector = 2 * (c >> 2) + (r >> 2);
  return vector * VECTOR + (r & 3) * 4 + (c & 3);
}

/**
 * Writes the bit planes of one unit and returns the place after it. Four codes at a time: shifts and masks never cross the
 * bytes of a word, so the byte order of the machine does not matter.
 */
function packUnit(unit: Uint32Array, planes: readonly number[], out: Uint32Array, start: number): number {
  let at = start;
  let shift = 0;
  for (const width of planes) {
    const mask = ((1 << width) - 1) * 0x01010101;
    const words = (VECTOR / 4) * width;
    for (let j = 0; j < words; j++) {
      let word = 0;
      // Word j of the plane takes four codes out of every 16 * width codes of the unit.
      for (let i = j, to = 0; i < unit.length; i += words, to += width) word |= ((unit[i] >>> shift) & mask) << to;
      out[at + j] = word;
    }
    at += words;
    shift += width;
  }
  return at;
}

function unpackPanels(bytes: Uint8Array, rows: number, cols: number, bits: number, out: Int8Array): void {
  const planes = planesOf(bits);
  const zero = 1 << (bits - 1);
  const unit = new Uint8Array(UNIT_CODES);
  let at = 0;
  for (let row = 0; row < rows; row += PANEL_ROWS) {
    for (let col = 0; col < cols; col += PANEL_COLS) {
      at = unpackUnit(bytes, at, planes, unit);
      for (let r = 0; r < Math.min(PANEL_ROWS, rows - row); r++) {
        for (let c = 0; c < Math.min(PANEL_COLS, cols - col); c++) {
          out[(row + r) * cols + col + c] = unit[unitIndex(r, c)] - zero;
        }
      }
    }
  }
}

function unpackUnit(bytes: Uint8Array, start: number, planes: readonly number[], unit: Uint8Array): number {
  let at = start;
  let shift = 0;
  unit.fill(0);
  for (const width of planes) {
    const mask = (1 << width) - 1;
    const planeBytes = VECTOR * width;
    for (let i = 0; i < UNIT_CODES; i++) {
      const group = Math.floor(i / planeBytes);
      unit[i] |= ((bytes[at + (i % planeBytes)] >> (group * width)) & mask) << shift;
    }
    at += planeBytes;
    shift += width;
  }
  return at;
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
