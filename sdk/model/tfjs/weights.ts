import { EigenError } from '../../util/errors.ts';
import { halvesToFloats } from '../../util/half.ts';
import { DTYPE_BYTES, type DType, sizeOf, type Tensor, tensor, viewBytes } from '../../util/tensor.ts';
import {
  entryOf,
  invalidJson,
  isObject,
  type Json,
  listAt,
  numberAt,
  objectAt,
  shapeAt,
  shown,
  textAt,
} from './json.ts';

/** Reads a file beside model.json, by the path that it gives. */
export type ShardReader = (path: string) => Uint8Array;

/** Element types that weights have, and what they are here. */
const DTYPES: Readonly<Record<string, DType>> = { float32: 'f32', int32: 'i32', bool: 'bool' };
/** Element types of quantized weights. */
const QUANTIZED: Readonly<Record<string, DType>> = { uint8: 'u8', uint16: 'u16', float16: 'u16' };

interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Texts are stepped over: no operator here reads them. */
  readonly dtype: DType | 'string';
  readonly quantization?: {
    readonly stored: DType;
    readonly half: boolean;
    readonly scale: number;
    readonly min: number;
  };
}

/** The weights of a model by name. Of every group, the shards are one after the other, and so are the weights in them. */
export function readWeights(manifest: Json | undefined, read: ShardReader): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  listAt(manifest ?? [], 'weightsManifest').forEach((entry, i) => {
    const where = `weightsManifest[${i}]`;
    const group = objectAt(entry, where);
    const paths = listAt(group.paths, `${where}.paths`).map((p) => textAt(p, `${where}.paths`));
    const specs = listAt(group.weights, `${where}.weights`).map((w) => specOf(w, `${where}.weights`));
    const bytes = shardsOf(paths, read);
    const starts = placesOf(specs, bytes);
    const needed = starts.at(-1)!;
    if (needed !== bytes.length) throw wrongSize(paths, needed, bytes.length);
    specs.forEach((spec, k) => {
      if (weights.has(spec.name)) throw invalidJson(`two weights are named '${spec.name}'`);
      const value = decode(spec, bytes.subarray(starts[k], starts[k + 1]));
      if (value) weights.set(spec.name, value);
    });
  });
  return weights;
}

/** Paths of all shards, as the manifest gives them. */
export function shardPaths(manifest: Json | undefined): string[] {
  return listAt(manifest ?? [], 'weightsManifest').flatMap((entry, i) =>
    listAt(objectAt(entry, `weightsManifest[${i}]`).paths, `weightsManifest[${i}].paths`).map((p) =>
      textAt(p, `weightsManifest[${i}].paths`),
    ),
  );
}

function wrongSize(paths: readonly string[], needed: number, found: number): EigenError {
  const files = paths.length > 3 ? `${paths.slice(0, 3).join(', ')}, ...` : paths.join(', ');
  return new EigenError(
    'EW3001_MODEL_UNREADABLE',
    `the weights need ${needed} bytes, ${files || 'the manifest without files'} ${paths.length > 1 ? 'have' : 'has'} ${found}`,
    {
      hint: 'A shard is cut, or of another model: copy all files of the model again.',
      details: { paths, needed, found },
    },
  );
}

function specOf(json: Json, where: string): WeightSpec {
  const w = objectAt(json, where);
  const name = textAt(w.name, `${where}.name`);
  const shape = shapeAt(w.shape, `the shape of weight '${name}'`);
  if (!Number.isSafeInteger(sizeOf(shape)))
    throw invalidJson(`weight '${name}' of shape [${shape.join()}] is too large`);
  const dtype = w.dtype === 'string' ? w.dtype : entryOf(DTYPES, textAt(w.dtype, `the dtype of weight '${name}'`));
  if (!dtype) throw invalidJson(`weight '${name}' is of type ${shown(w.dtype)}; float32, int32 and bool are read`);
  if (!isObject(w.quantization)) return { name, shape, dtype };
  const kind = textAt(w.quantization.dtype, `the quantization of weight '${name}'`);
  const stored = entryOf(QUANTIZED, kind);
  if (!stored) throw invalidJson(`weight '${name}' is quantized as ${shown(kind)}; uint8, uint16 and float16 are read`);
  const half = kind === 'float16';
  const value = (key: 'scale' | 'min'): number =>
    half ? 0 : numberAt(objectAt(w.quantization, '')[key], `the ${key} of weight '${name}'`);
  return { name, shape, dtype, quantization: { stored, half, scale: value('scale'), min: value('min') } };
}

/** Where every weight begins, and where the last one ends. */
function placesOf(specs: readonly WeightSpec[], bytes: Uint8Array): number[] {
  const starts = [0];
  for (const { shape, dtype, quantization } of specs) {
    let end = starts.at(-1)!;
    if (dtype !== 'string') end += sizeOf(shape) * DTYPE_BYTES[quantization?.stored ?? dtype];
    // A text is its length in four bytes, then its bytes.
    else for (let n = sizeOf(shape); n > 0 && end < bytes.length; n--) end += 4 + lengthAt(bytes, end);
    starts.push(end);
  }
  return starts;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return at + 4 > bytes.length ? 0 : new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
}

function shardsOf(paths: readonly string[], read: ShardReader): Uint8Array {
  const shards = paths.map(read);
  if (shards.length === 1) return shards[0]!;
  const all = new Uint8Array(shards.reduce((n, s) => n + s.length, 0));
  let at = 0;
  for (const s of shards) {
    all.set(s, at);
    at += s.length;
  }
  return all;
}

function decode({ shape, dtype, quantization }: WeightSpec, bytes: Uint8Array): Tensor | undefined {
  if (dtype === 'string') return undefined;
  // A copy, so that the tensor does not keep the whole file in memory.
  if (!quantization) return { dtype, shape, data: viewBytes(dtype, bytes.slice()) } as Tensor;
  const { stored, half, scale, min } = quantization;
  const codes = viewBytes(stored, bytes.slice()) as Uint8Array | Uint16Array;
  if (half) return tensor(dtype, shape, halvesToFloats(codes as Uint16Array));
  const values = Float64Array.from(codes, (c) => c * scale + min);
  return tensor(dtype, shape, dtype === 'f32' ? values : values.map(Math.round));
}
