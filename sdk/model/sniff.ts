import { dirname } from 'node:path';
import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { sha256 } from '../util/hash.ts';
import { modelFile, modelName, readerBeside, readModelBytes } from './files.ts';
import { FOREIGN, type ForeignFormat, foreignFormat } from './foreign.ts';
import { type OnnxOptions, readOnnx } from './onnx/index.ts';
import { readTfjs, tfjsShards } from './tfjs/index.ts';

export type ModelFormat = 'onnx' | 'tfjs' | 'ewb' | ForeignFormat | 'unknown';

/** Options of `loadModel`: how dynamic dimensions and inputs are bound. */
export type LoadOptions = Omit<OnnxOptions, 'external'>;

/** What a file is, from its first bytes: never from its name. */
export function sniff(bytes: Uint8Array): ModelFormat {
  if (isBundle(bytes)) return 'ewb';
  if (isTfjs(bytes)) return 'tfjs';
  return foreignFormat(bytes) ?? (looksLikeOnnx(bytes) ? 'onnx' : 'unknown');
}

/** A bundle is a ustar archive whose first file is manifest.json: the name at byte 0, the magic at byte 257 of the first header. */
function isBundle(bytes: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 262));
  return text.startsWith('manifest.json\0') && text.slice(257) === 'ustar';
}

/** model.json of TensorFlow.js: a JSON object, after a byte order mark or none, that names its topology or weights. */
function isTfjs(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes.subarray(0, 65536));
  return /^\s*\{/.test(text) && /"(modelTopology|weightsManifest)"/.test(text);
}

/** An ONNX file is a ModelProto: fields 1..25 at the top level, ir_version (field 1, a small varint) first in every known exporter. */
function looksLikeOnnx(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const [tag, value] = [bytes[0]!, bytes[1]!];
  if (tag === 0x08) return value >= 1 && value < 0x40;
  const [field, wire] = [tag >> 3, tag & 7];
  // Strings (producer, domain, doc), the graph or opset_import may come first as well.
  return wire === 2 && [2, 3, 4, 6, 7, 8].includes(field);
}

/**
 * Reads a model file, or the folder of a TensorFlow.js model, with the files of weights beside it, into a graph. Throws EW1002 when one of
 * them is not there and EW3001 when it is not a model that can be read.
 */
export function loadModel(path: string, options: LoadOptions = {}): Graph {
  const file = modelFile(path);
  const bytes = readModelBytes(file, 'model');
  const format = sniff(bytes);
  const [name, read] = [options.name ?? modelName(file), readerBeside(dirname(file))];
  if (format === 'onnx') return readOnnx(bytes, { ...options, name, external: read });
  if (format === 'tfjs') return readTfjs(bytes, { ...options, name, shards: read });
  throw notModel(file, format);
}

/**
 * Identifies a model: the SHA-256 of its file, of a TensorFlow.js model that of model.json and all files of weights. Throws what loadModel
 * does.
 */
export function modelDigest(path: string): string {
  const file = modelFile(path);
  const bytes = readModelBytes(file, 'model');
  if (sniff(bytes) !== 'tfjs') return sha256(bytes);
  return sha256(Buffer.concat([bytes, ...tfjsShards(bytes).map(readerBeside(dirname(file)))]));
}

type Unread = Exclude<ModelFormat, 'onnx' | 'tfjs'>;

function notModel(path: string, format: Unread): EigenError {
  const { what, hint } = described(path, format);
  return new EigenError('EW3001_MODEL_UNREADABLE', `'${path}' is ${what}, not an ONNX or TensorFlow.js model`, {
    hint,
    details: { path, format },
  });
}

function described(path: string, format: Unread): { what: string; hint: string } {
  if (format === 'unknown')
    return { what: 'of an unknown format', hint: 'Give an ONNX file, or the model.json of a TensorFlow.js model.' };
  if (format === 'ewb') {
    const hint = 'It runs, exports and compares as it is; to compile anew, give the model that it was made from.';
    return { what: 'a bundle that is compiled already', hint };
  }
  const { what, convert } = FOREIGN[format];
  return { what, hint: convert(path) };
}
