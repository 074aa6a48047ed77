import { EigenError } from '../../util/errors.ts';
import { DTYPE_BYTES, type DType, newArray, sizeOf, type Tensor, viewBytes } from '../../util/tensor.ts';
import type { TensorProto } from './onnx_pb.ts';

/** Reads a file beside the model, by the name the model gives. */
export type ExternalReader = (location: string) => Uint8Array;

interface Source {
  readonly dtype: DType;
  /** Bytes an element takes in raw data, when it differs from the dtype's (16-bit floats). */
  readonly half?: 'f16' | 'bf16';
  readonly double?: true;
  /** Two elements a byte, the first in the low half. */
  readonly nibbles?: true;
}

const SOURCES: Readonly<Record<number, Source>> = {
  1: { dtype: 'f32' },
  2: { dtype: 'u8' },
  3: { dtype: 'i8' },
  4: { dtype: 'u16' },
  5: { dtype: 'i16' },
  6: { dtype: 'i32' },
  7: { dtype: 'i64' },
  9: { dtype: 'bool' },
  10: { dtype: 'f32', half: 'f16' },
  11: { dtype: 'f32', double: true },
  12: { dtype: 'u32' },
  13: { dtype: 'u64' },
  16: { dtype: 'f32', half: 'bf16' },
  21: { dtype: 'u8', nibbles: true },
  22: { dtype: 'i8', nibbles: true },
};

const TYPE_NAMES: Readonly<Record<number, string>> = {
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8',
  18: 'float8',
  19: 'float8',
  20: 'float8',
};

/** IR dtype of an ONNX element type, 4-bit integers as bytes; throws EW3002 naming `where` for types the SDK does not read. */
export function dtypeOf(elemType: number, where: string): DType {
  const source = SOURCES[elemType];
  if (source) return source.dtype;
  throw invalidModel(`${where} has element type ${TYPE_NAMES[elemType] ?? elemType}, which is not supported`);
}

export function invalidModel(
  message: string,
  hint = 'Check the model with onnx.checker, or export it again.',
): EigenError {
  return new EigenError('EW3002_MODEL_INVALID', message, { hint });
}

function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function fromHalves(halves: ArrayLike<number>, kind: 'f16' | 'bf16'): Float32Array {
  const out = new Float32Array(halves.length);
  if (kind === 'f16') {
    for (let i = 0; i < out.length; i++) out[i] = halfToFloat(halves[i]!);
    return out;
  }
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < out.length; i++) bits[i] = halves[i]! << 16;
  return out;
}

/** One TensorProto as a tensor; half, bfloat16 and double become f32. The byte count is checked before anything is allocated. */
export function readTensor(p: TensorProto, external: ExternalReader | undefined): Tensor {
  const where = `tensor '${p.name}'`;
  const source = SOURCES[p.dataType];
  const dtype = dtypeOf(p.dataType, where);
  const shape = p.dims.map(Number);
  if (shape.some((d) => !Number.isSafeInteger(d) || d < 0))
    throw invalidModel(`${where} has shape [${shape.join(',')}]`);
  const n = sizeOf(shape);
  const bytes = bytesOf(source!, n);
  const raw = p.dataLocation === 1 ? externalBytes(p, bytes, external) : p.rawData;
  if (raw.length > 0) {
    if (raw.length !== bytes)
      throw invalidModel(`${where} of shape [${shape.join(',')}] needs ${bytes} bytes, the file has ${raw.length}`);
    return { dtype, shape, data: fromRaw(raw, source!, n) };
  }
  return { dtype, shape, data: fromFields(p, source!, n, where) };
}

function bytesOf({ dtype, half, double, nibbles }: Source, n: number): number {
  return nibbles ? Math.ceil(n / 2) : n * (half ? 2 : double ? 8 : DTYPE_BYTES[dtype]);
}

function fromNibbles(bytes: ArrayLike<number>, dtype: DType, n: number): Tensor['data'] {
  const unsigned = (i: number): number => (bytes[i >> 1]! >> (i & 1 ? 4 : 0)) & 15;
  return dtype === 'u8'
    ? Uint8Array.from({ length: n }, (_, i) => unsigned(i))
    : Int8Array.from({ length: n }, (_, i) => (unsigned(i) << 28) >> 28);
}

function fromRaw(raw: Uint8Array, source: Source, n: number): Tensor['data'] {
  if (source.nibbles) return fromNibbles(raw, source.dtype, n);
  if (source.half) return fromHalves(viewBytes('u16', raw), source.half);
  if (source.double) return Float32Array.from(viewBytes('f64', raw));
  // A copy, so that the tensor does not keep the whole file in memory.
  return viewBytes(source.dtype, raw.slice());
}

/** Values in the typed fields of the message: small integers and halves travel in int32_data. */
function fromFields(p: TensorProto, source: Source, n: number, where: string): Tensor['data'] {
  const { dtype } = source;
  const fields: ArrayLike<number | bigint> =
    dtype === 'i64'
      ? p.int64Data
      : dtype === 'u64' || dtype === 'u32'
        ? p.uint64Data
        : source.double
          ? p.doubleData
          : dtype === 'f32' && !source.half
            ? p.floatData
            : p.int32Data;
  const expected = source.nibbles ? bytesOf(source, n) : n;
  if (fields.length !== expected)
    throw invalidModel(
      `${where} of shape [${p.dims.join(',')}] needs ${expected} elements, the file has ${fields.length}`,
    );
  if (source.nibbles) return fromNibbles(fields as ArrayLike<number>, dtype, n);
  if (source.half) return fromHalves(Uint16Array.from(fields as ArrayLike<number>), source.half);
  const out = newArray(dtype, n);
  const wide = dtype === 'i64' || dtype === 'u64';
  for (let i = 0; i < n; i++) out[i] = (wide ? fields[i]! : Number(fields[i])) as never;
  return out;
}

function externalBytes(p: TensorProto, bytes: number, external: ExternalReader | undefined): Uint8Array {
  const entry = (key: string): string | undefined => p.externalData.find((e) => e.key === key)?.value;
  const location = entry('location') ?? '';
  if (!external) {
    throw new EigenError(
      'EW3001_MODEL_UNREADABLE',
      `tensor '${p.name}' is in the file '${location}' beside the model`,
      {
        hint: 'Open the model by its path, with its data file in the same folder.',
      },
    );
  }
  const file = external(location);
  const offset = Number(entry('offset') ?? 0);
  const length = Number(entry('length') ?? bytes);
  if (!(offset >= 0) || length !== bytes || offset + length > file.length) {
    throw new EigenError(
      'EW3001_MODEL_UNREADABLE',
      `tensor '${p.name}' needs bytes ${offset}..${offset + bytes} of '${location}', which has ${file.length}`,
      {
        hint: 'The data file is truncated or belongs to another model.',
      },
    );
  }
  return file.subarray(offset, offset + length);
}
