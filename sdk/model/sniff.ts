import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve, sep } from 'node:path';
import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { FOREIGN, type ForeignFormat, foreignFormat, tf2onnx } from './foreign.ts';
import { type OnnxOptions, readOnnx } from './onnx/index.ts';

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

/** model.json of TensorFlow.js: a JSON object that names its topology or weights. */
function isTfjs(bytes: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 65536));
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
 * Reads a model file, with its external data from the same folder, into a graph. Throws EW1002 when the file is not there and EW3001 when it
 * is not a model that can be read.
 */
export function loadModel(path: string, options: LoadOptions = {}): Graph {
  const bytes = readBytes(path, 'model');
  const format = sniff(bytes);
  if (format === 'onnx') {
    const name = options.name ?? basename(path).replace(/\.onnx$/i, '');
    return readOnnx(bytes, { ...options, name, external: externalReader(dirname(path)) });
  }
  throw notOnnx(path, format);
}

function notOnnx(path: string, format: Exclude<ModelFormat, 'onnx'>): EigenError {
  const { what, hint } = described(path, format);
  return new EigenError('EW3001_MODEL_UNREADABLE', `'${path}' is ${what}, not an ONNX model`, {
    hint,
    details: { path, format },
  });
}

function described(path: string, format: Exclude<ModelFormat, 'onnx'>): { what: string; hint: string } {
  if (format === 'unknown') return { what: 'of an unknown format', hint: 'Give an ONNX file.' };
  if (format === 'tfjs') {
    return { what: 'a TensorFlow.js model', hint: `Convert it to ONNX: ${tf2onnx(`--tfjs ${path}`)}` };
  }
  if (format === 'ewb') {
    const hint = 'It runs, exports and compares as it is; to compile anew, give the ONNX file it was made from.';
    return { what: 'a bundle that is compiled already', hint };
  }
  const { what, convert } = FOREIGN[format];
  return { what, hint: convert(path) };
}

function readBytes(path: string, what: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
    throw new EigenError(
      'EW1002_FILE_NOT_FOUND',
      `cannot read the ${what} '${path}': ${e instanceof Error ? e.message : String(e)}`,
      {
        hint: folder ? 'It is a folder: give the file in it.' : 'Check the path and its permissions.',
        cause: e,
      },
    );
  }
}

/** Files of external data, each read once; a location must stay inside the model's folder. */
function externalReader(folder: string): (location: string) => Uint8Array {
  const files = new Map<string, Uint8Array>();
  return (location) => {
    const path = resolve(folder, location);
    if (!path.startsWith(resolve(folder) + sep)) {
      throw new EigenError('EW3001_MODEL_UNREADABLE', `the model keeps data in '${location}', outside its folder`, {
        hint: 'Put the data file beside the model.',
      });
    }
    const known = files.get(path) ?? readBytes(path, 'data file');
    files.set(path, known);
    return known;
  };
}
