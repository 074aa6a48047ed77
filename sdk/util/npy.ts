import { EigenError } from './errors.ts';
import { halvesToFloats } from './half.ts';
import { bytesOf, DTYPE_BYTES, type DType, newArray, sizeOf, type Tensor, tensor, viewBytes } from './tensor.ts';

/**
 * NumPy's .npy format, versions 1 to 3 (numpy/lib/format.py): magic, version, header length, a Python dict literal, raw data.
 * Little-endian numbers and booleans; half precision is widened to f32, Fortran order is turned into C order.
 */

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const ALIGN = 64;

const DESCR: Record<DType, string> = {
  f32: '<f4',
  f64: '<f8',
  i8: '|i1',
  u8: '|u1',
  i16: '<i2',
  u16: '<u2',
  i32: '<i4',
  u32: '<u4',
  i64: '<i8',
  u64: '<u8',
  bool: '|b1',
};
const DTYPE_OF = new Map<string, DType>(
  Object.entries(DESCR).map(([dtype, descr]) => [descr.slice(1), dtype as DType]),
);

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

function unreadable(source: string, reason: string): EigenError {
  return new EigenError('EW3201_DATA_UNREADABLE', `${source}: ${reason}`, {
    hint: 'Write the array again with numpy.save or numpy.savez; numbers and booleans, little-endian.',
    details: { source },
  });
}

/**
 * Reads one .npy array; `source` names it in errors.
 * @throws EigenError EW3201_DATA_UNREADABLE with the reason.
 */
export function readNpy(bytes: Uint8Array, source = 'npy data'): Tensor {
  const { header, dataStart } = readHeader(bytes, source);
  const half = header.descr.slice(1) === 'f2';
  const dtype = half ? 'u16' : DTYPE_OF.get(header.descr.slice(1));
  if (dtype === undefined) throw unreadable(source, `element type '${header.descr}' is not supported`);
  if (header.descr.startsWith('>') && DTYPE_BYTES[dtype] > 1) {
    throw unreadable(source, `element type '${header.descr}' is big-endian`);
  }
  const need = sizeOf(header.shape) * DTYPE_BYTES[dtype];
  const have = bytes.length - dataStart;
  if (have !== need) {
    throw unreadable(source, `shape (${header.shape.join(', ')}) needs ${need} bytes of data, the file holds ${have}`);
  }
  const raw = tensor(dtype, header.shape, viewBytes(dtype, new Uint8Array(bytes.subarray(dataStart))));
  const ordered = header.fortran ? toRowMajor(raw) : raw;
  return half ? tensor('f32', header.shape, halvesToFloats(ordered.data as Uint16Array)) : ordered;
}

/** Writes a tensor as .npy version 1, data aligned to 64 bytes as NumPy does. */
export function writeNpy(t: Tensor): Uint8Array {
  const shape = t.shape.length === 1 ? `(${t.shape[0]},)` : `(${t.shape.join(', ')})`;
  const dict = `{'descr': '${DESCR[t.dtype]}', 'fortran_order': False, 'shape': ${shape}, }`;
  const prefix = MAGIC.length + 4;
  const dataStart = Math.ceil((prefix + dict.length + 1) / ALIGN) * ALIGN;
  const header = `${dict.padEnd(dataStart - prefix - 1)}\n`;
  const data = bytesOf(t.data);
  const out = new Uint8Array(dataStart + data.length);
  out.set(MAGIC);
  out[6] = 1;
  new DataView(out.buffer).setUint16(8, header.length, true);
  for (let i = 0; i < header.length; i++) out[prefix + i] = header.charCodeAt(i);
  out.set(data, dataStart);
  return out;
}

function readHeader(bytes: Uint8Array, source: string): { header: Header; dataStart: number } {
  if (bytes.length < 10 || MAGIC.some((b, i) => bytes[i] !== b))
    throw unreadable(source, 'not a .npy file (no \\x93NUMPY at its start)');
  const version = bytes[6];
  if (version < 1 || version > 3)
    throw unreadable(source, `.npy version ${version}.${bytes[7]} is unknown (1 to 3 are)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw unreadable(source, 'the header is cut off');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) throw unreadable(source, `the header says ${length} bytes, the file ends before`);
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, start + length));
  return { header: parseHeader(text, source), dataStart: start + length };
}

/** The header is a Python literal of a fixed form: three keys, in any order. */
function parseHeader(text: string, source: string): Header {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const dims = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (/'descr'\s*:\s*\[/.test(text)) throw unreadable(source, 'structured arrays are not supported');
  if (descr === undefined || order === undefined || dims === undefined) {
    throw unreadable(source, `header ${JSON.stringify(text.trim().slice(0, 120))} is not understood`);
  }
  const shape = dims
    .split(',')
    .map((d) => d.trim().replace(/L$/, ''))
    .filter((d) => d !== '')
    .map(Number);
  if (shape.some((d) => !Number.isSafeInteger(d))) throw unreadable(source, `shape (${dims}) is not valid`);
  return { descr, fortran: order === 'True', shape };
}

/** Data in column-major order (first index fastest) to row-major. */
function toRowMajor(t: Tensor): Tensor {
  const rank = t.shape.length;
  const out = newArray(t.dtype, t.data.length);
  const strides = new Array<number>(rank);
  let stride = 1;
  for (let axis = 0; axis < rank; axis++) {
    strides[axis] = stride;
    stride *= t.shape[axis];
  }
  const index = new Array<number>(rank).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = t.data[from];
    for (let axis = rank - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < t.shape[axis]) break;
      from -= strides[axis] * t.shape[axis];
      index[axis] = 0;
    }
  }
  return { dtype: t.dtype, shape: t.shape, data: out };
}
