import type { Graph, Value } from '../ir/graph.ts';
import { gridOf } from '../util/grid.ts';
import type { PlanedCodes } from '../util/nested.ts';
import { entropyBits } from '../util/stats.ts';
import { DTYPE_BYTES, sizeOf, type Tensor } from '../util/tensor.ts';

/**
 * Bytes of small integers on the wire; the pipeline injects the coder of the bundle (sdk/wire/ints.ts), so that sizes are
 * those of the written file. Data is a matrix [rows, cols].
 */
export type IntSizer = (data: Int8Array | Int32Array, rows: number, cols: number) => number;

/**
 * Bytes of weight codes in resident memory; the pipeline injects the one of the layout that kernels read
 * (sdk/wire/panels.ts). Codes are a matrix [rows, cols].
 */
export type ResidentSizer = (codes: Int8Array, rows: number, cols: number) => number;

/**
 * How weight codes [rows, cols] travel in planes; the pipeline injects that of the bundle (sdk/wire/codes.ts). No planes: the codes
 * travel whole.
 */
export type Planer = (
  codes: Int8Array,
  rows: number,
  cols: number,
) => Pick<PlanedCodes, 'points'> & { readonly planes: readonly { readonly length: number }[] };

/** A sizer of data that is asked about again: in a fit, for the graph, and for the report. Its arrays do not change. */
export function remembered<D extends Int8Array | Int32Array>(
  sizer: (data: D, rows: number, cols: number) => number,
): typeof sizer {
  const known = new WeakMap<D, { readonly rows: number; readonly cols: number; readonly bytes: number }>();
  return (data, rows, cols) => {
    const last = known.get(data);
    if (last?.rows === rows && last.cols === cols) return last.bytes;
    const bytes = sizer(data, rows, cols);
    known.set(data, { rows, cols, bytes });
    return bytes;
  };
}

/** A constant's header in the weight stream: its kind and the length of its payload as a variable-length integer. */
function headerBytes(payload: number): number {
  return 2 + (payload > 127 ? 1 : 0) + (payload > 16383 ? 1 : 0) + (payload > 2097151 ? 1 : 0);
}

/** Order-0 entropy plus 1 % for the coder plus its table: what an entropy coder reaches, for runs without one. */
export const estimateInts: IntSizer = (data) => {
  let low = 0;
  let high = 0;
  for (let i = 0; i < data.length; i++) {
    low = Math.min(low, data[i]!);
    high = Math.max(high, data[i]!);
  }
  const width = Math.ceil(Math.log2(high - low + 1));
  const fixed = 2 + Math.ceil((width * data.length) / 8);
  if (high > 127 || low < -128) return fixed;
  const bits = entropyBits(data instanceof Int8Array ? data : Int8Array.from(data));
  return Math.min(fixed, Math.ceil(((bits * data.length) / 8) * 1.01) + 4 + Math.ceil(((high - low + 1) * 6) / 8));
};

/**
 * Codes of one width, the wider ones listed with the bits that they have beyond it, and a few bytes for every eight rows:
 * what a resident layout reaches, for runs without one.
 */
export const estimateResident: ResidentSizer = (codes, rows) => {
  const magnitudes = new Uint32Array(129);
  for (const q of codes) magnitudes[Math.abs(q)]!++;
  return Math.ceil(residentBits(magnitudes) / 8) + 3 * Math.ceil(rows / 8);
};

/** Bits of codes with these counts of magnitudes (0..128) at the best width: dense ones, and those that are listed beside them. */
export function residentBits(magnitudes: Uint32Array): number {
  let largest = magnitudes.length - 1;
  while (largest > 0 && magnitudes[largest] === 0) largest--;
  // Codes of so much and more.
  const beyond = new Float64Array(magnitudes.length + 1);
  for (let m = magnitudes.length - 1; m >= 0; m--) beyond[m] = beyond[m + 1]! + magnitudes[m]!;
  let least = Number.POSITIVE_INFINITY;
  for (let bits = 2; bits <= 8; bits++) {
    least = Math.min(least, bits * beyond[0]! + listBits(magnitudes, beyond, 2 ** (bits - 1), largest));
  }
  return least;
}

/** Bits of the codes from `held` to `largest` on a list: so many for each as is best, and more for those that need them. */
function listBits(magnitudes: Uint32Array, beyond: Float64Array, held: number, largest: number): number {
  const wide = beyond[held] ?? 0;
  if (wide === 0) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (let width = 1; held + 2 ** (width - 1) <= largest + 1; width++) {
    const next = held + 2 ** (width - 1);
    // Of the last magnitude that `width` bits reach, one sign has to be told with more.
    const long = beyond[next]! + magnitudes[next - 1]! / 2;
    least = Math.min(least, wide * width + long * Math.ceil(Math.log2(2 * (largest - next + 1) + 1)));
  }
  return Math.min(least, wide * Math.ceil(Math.log2(2 * (largest - held + 1))));
}

export interface ConstantSize {
  readonly wire: number;
  readonly resident: number;
  /** Part of `wire` that is weight codes. */
  readonly codes: number;
}

/** Bytes of one constant on the wire, header included, and in memory. */
export function constantSize(
  value: Value,
  sizer: IntSizer,
  residentSizer: ResidentSizer = estimateResident,
): ConstantSize {
  const data = value.data!;
  const n = sizeOf(data.shape);
  const plain = n * DTYPE_BYTES[data.dtype];
  const sized = (wire: number, resident = plain, codes = 0): ConstantSize => ({
    wire: wire + headerBytes(wire),
    resident,
    codes,
  });
  switch (value.packing?.kind) {
    case undefined:
      return sized(plain);
    case 'f16':
      return sized(halvesBytes(data.data as Float32Array, sizer), 2 * n);
    case 'codes': {
      const rows = rowsOf(data);
      const codes = data.data as Int8Array;
      const bytes = sizer(codes, rows, n / rows);
      return sized(bytes, residentSizer(codes, rows, n / rows), bytes);
    }
    case 'log8':
      return sized(4 + sizer(Int32Array.from(value.packing.exponents), 1, n), Math.min(plain, 4 + n));
    case 'ints':
      return sized(sizer(Int32Array.from(data.data as ArrayLike<number | bigint>, Number), 1, n), n * narrowest(data));
  }
}

/** Half-precision values on the wire (sdk/wire/halves.ts): their patterns, or multiples of one step where they have one. */
function halvesBytes(values: Float32Array, sizer: IntSizer): number {
  const grid = gridOf(values);
  const patterns = 1 + 2 * values.length;
  return grid && values.length > 0 ? Math.min(patterns, 2 + sizer(grid.multiples, 1, values.length)) : patterns;
}

/** Rows of codes: all axes but the inner ones that one output multiplies. LSTM weights are [D, 4H, K]. */
function rowsOf(codes: Tensor): number {
  return codes.shape.length === 3 ? codes.shape[0]! * codes.shape[1]! : codes.shape[0]!;
}

/** Bytes an element of the smallest type that holds all integers of `data`. */
function narrowest(data: Tensor): number {
  let most = 0;
  for (const v of data.data) most = Math.max(most, v < 0 ? -Number(v) - 1 : Number(v));
  return Math.min(DTYPE_BYTES[data.dtype], most < 128 ? 1 : most < 32768 ? 2 : 4);
}

export interface GraphSize {
  readonly wireBytes: number;
  readonly residentBytes: number;
  readonly codeBytes: number;
  readonly byValue: ReadonlyMap<string, ConstantSize>;
}

/** Bytes of all constants of a graph. */
export function graphSize(graph: Graph, sizer: IntSizer, residentSizer: ResidentSizer = estimateResident): GraphSize {
  const byValue = new Map<string, ConstantSize>();
  let wireBytes = 0;
  let residentBytes = 0;
  let codeBytes = 0;
  for (const v of graph.values.values()) {
    if (!v.data) continue;
    const size = constantSize(v, sizer, residentSizer);
    byValue.set(v.name, size);
    wireBytes += size.wire;
    residentBytes += size.resident;
    codeBytes += size.codes;
  }
  return { wireBytes, residentBytes, codeBytes, byValue };
}

/** Bytes of a layer's codes in memory, by the values of the integer graph that hold them. */
export function residentCodeBytes(
  { codes }: { readonly codes: readonly string[] },
  byValue: GraphSize['byValue'],
): number {
  return codes.reduce((sum, name) => sum + byValue.get(name)!.resident, 0);
}
