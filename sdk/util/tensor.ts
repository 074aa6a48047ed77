/** Dense host tensors: the only array type that crosses module borders. Row-major, contiguous. */

export type DType = 'f32' | 'f64' | 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'bool';

export interface DTypeArrays {
  f32: Float32Array;
  f64: Float64Array;
  i8: Int8Array;
  u8: Uint8Array;
  i16: Int16Array;
  u16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
  i64: BigInt64Array;
  u64: BigUint64Array;
  bool: Uint8Array;
}

export type TypedArray = DTypeArrays[DType];

export const DTYPE_BYTES: Record<DType, number> = {
  f32: 4,
  f64: 8,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  bool: 1,
};

const ARRAY_TYPES = {
  f32: Float32Array,
  f64: Float64Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  bool: Uint8Array,
} as const;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface Tensor<D extends DType = DType> extends TensorType {
  readonly dtype: D;
  readonly data: DTypeArrays[D];
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

export function byteLength(t: TensorType): number {
  return sizeOf(t.shape) * DTYPE_BYTES[t.dtype];
}

export function newArray<D extends DType>(dtype: D, length: number): DTypeArrays[D] {
  return new ARRAY_TYPES[dtype](length) as DTypeArrays[D];
}

export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data?: DTypeArrays[D] | ArrayLike<number>,
): Tensor<D> {
  const n = sizeOf(shape);
  if (data === undefined) return { dtype, shape: [...shape], data: newArray(dtype, n) };
  if (data.length !== n)
    throw new RangeError(`tensor: shape [${shape.join(', ')}] needs ${n} elements, got ${data.length}`);
  if (data instanceof ARRAY_TYPES[dtype]) return { dtype, shape: [...shape], data: data as DTypeArrays[D] };
  const out = newArray(dtype, n);
  const big = dtype === 'i64' || dtype === 'u64';
  for (let i = 0; i < n; i++) out[i] = (big ? BigInt(data[i] as number) : (data[i] as number)) as never;
  return { dtype, shape: [...shape], data: out };
}

/** Views bytes as an array of `dtype`; copies only when the offset is not aligned. */
export function viewBytes<D extends DType>(dtype: D, bytes: Uint8Array): DTypeArrays[D] {
  const width = DTYPE_BYTES[dtype];
  const n = Math.floor(bytes.byteLength / width);
  // Not bytes.slice(): a Buffer's slice is a view.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAY_TYPES[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, n) as DTypeArrays[D];
}

export function bytesOf(a: TypedArray): Uint8Array {
  return new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
}

/** Element as a JS number, whatever the dtype (i64 beyond 2^53 loses precision). */
export function numberAt(t: Tensor, i: number): number {
  return Number(t.data[i]);
}

export function toNumbers(t: Tensor): number[] {
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const out = new Array<number>(shape.length);
  let s = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    out[i] = s;
    s *= shape[i]!;
  }
  return out;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function formatType(t: TensorType): string {
  return `${t.dtype}[${t.shape.join(',')}]`;
}
