import { dirname } from 'node:path';

/**
 * Formats of trained models that are not read here, known by their content, with the way from each to ONNX. Converters are programs of
 * Python: tf2onnx (github.com/onnx/tensorflow-onnx), torch.onnx and optimum.
 */
export type ForeignFormat = 'tflite' | 'tf-saved-model' | 'tf-graph' | 'keras' | 'hdf5' | 'torch' | 'safetensors';

/** The command that converts a file or folder, with what it has to be told beside. */
const toOnnx = (option: string, path: string, rest = ''): string =>
  `Convert it to ONNX: pip install tf2onnx tensorflow; python -m tf2onnx.convert --${option} ${word(path)}${rest} --output model.onnx`;

/** A path as one word of a command, for shells of Unix and PowerShell. */
function word(path: string): string {
  return /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** What a format is called, and how to get from a file of it to ONNX. */
export const FOREIGN: Readonly<
  Record<ForeignFormat, { readonly what: string; readonly convert: (path: string) => string }>
> = {
  tflite: { what: 'a TensorFlow Lite model', convert: (path) => toOnnx('tflite', path) },
  'tf-saved-model': {
    what: 'a TensorFlow SavedModel',
    convert: (path) => toOnnx('saved-model', dirname(path)),
  },
  'tf-graph': {
    what: 'a frozen TensorFlow graph',
    convert: (path) => toOnnx('graphdef', path, ' --inputs INPUT:0 --outputs OUTPUT:0'),
  },
  keras: { what: 'a Keras model', convert: (path) => toOnnx('keras', path) },
  hdf5: { what: 'an HDF5 file, most likely a Keras model', convert: (path) => toOnnx('keras', path) },
  torch: {
    what: 'a PyTorch file',
    convert: () =>
      "Export the module it belongs to, in Python: torch.onnx.export(module.eval(), (example,), 'model.onnx').",
  },
  safetensors: {
    what: 'a file of weights without their network (safetensors)',
    convert: () =>
      'Load them into their module and export it, in Python: ' +
      "torch.onnx.export(module.eval(), (example,), 'model.onnx'); of Hugging Face: optimum-cli export onnx --model FOLDER out.",
  },
};

/** Bytes of an archive that are looked at for names. */
const FIRST_NAME = 256;
const LOOK = 65536;

/** Which of the formats it is by its content; undefined when it is none of them. */
export function foreignFormat(bytes: Uint8Array): ForeignFormat | undefined {
  if (ascii(bytes, 4, 4) === 'TFL3') return 'tflite';
  if (ascii(bytes, 1, 7) === 'HDF\r\n\x1a\n') return 'hdf5';
  if (ascii(bytes, 0, 4) === 'PK\x03\x04') return archived(bytes);
  if (isSafetensors(bytes)) return 'safetensors';
  if (isPickle(bytes)) return 'torch';
  return tensorflow(bytes);
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder('latin1').decode(bytes.subarray(at, at + length));
}

/** Keras and PyTorch write ZIP archives: the name of the first file is at the start, all names are at the end. */
function archived(bytes: Uint8Array): ForeignFormat | undefined {
  const names = ascii(bytes, 0, FIRST_NAME) + ascii(bytes, Math.max(0, bytes.length - LOOK), LOOK);
  if (names.includes('model.weights.h5')) return 'keras';
  return names.includes('data.pkl') ? 'torch' : undefined;
}

/** The length of a JSON header, 64 bits, and the header. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || ascii(bytes, 8, 2) !== '{"') return false;
  const header = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return header <= BigInt(bytes.length - 8);
}

/** PyTorch before 1.6: a pickle that begins with the magic number of torch.save, a long of 10 bytes. */
function isPickle(bytes: Uint8Array): boolean {
  return bytes[0] === 0x80 && bytes[1] === 0x02 && bytes[2] === 0x8a && bytes[3] === 0x0a;
}

/**
 * Protocol buffers of TensorFlow. SavedModel: version 1 in field 1, then in field 2 a network that usually fills the rest. GraphDef: nodes in
 * field 1, each with a name in field 1 and an operator in field 2.
 */
function tensorflow(bytes: Uint8Array): ForeignFormat | undefined {
  if (bytes[0] === 0x08 && bytes[1] === 0x01 && bytes[2] === 0x12) {
    const { value, next } = varint(bytes, 3);
    return next + value > bytes.length / 2 && next + value <= bytes.length ? 'tf-saved-model' : undefined;
  }
  if (bytes[0] !== 0x0a) return undefined;
  const node = varint(bytes, 1).next;
  if (bytes[node] !== 0x0a) return undefined;
  const name = varint(bytes, node + 1);
  const operator = name.next + name.value;
  if (bytes[operator] !== 0x12) return undefined;
  const { value, next } = varint(bytes, operator + 1);
  return /^[A-Z_]\w*$/.test(ascii(bytes, next, value)) ? 'tf-graph' : undefined;
}

function varint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  let factor = 1;
  for (let i = at; i < at + 5; i++) {
    const byte = bytes[i] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, next: i + 1 };
    factor *= 128;
  }
  return { value, next: at + 5 };
}
