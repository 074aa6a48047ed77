import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EigenError } from '../../util/errors.ts';
import { type DType, type Tensor, type TypedArray, viewBytes } from '../../util/tensor.ts';

/** onnxruntime as a yardstick: runs the original model, in fp32, for comparison. Never part of what ships to a device. */
export interface Oracle {
  readonly name: OracleName;
  readonly version: string;
  /**
   * All outputs by name; onnxruntime-node writes them to the tensors of `into` where it has them. onnxruntime-web is not asked to: 1.30 leaves
   * such tensors as they are.
   */
  run(
    inputs: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export type OracleName = 'onnxruntime-web' | 'onnxruntime-node';

export interface OracleOptions {
  /** Threads inside an operator; 1 by default. */
  readonly threads?: number;
  /** Files that hold weights outside the model, by the path that the model names. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Folder in whose node_modules the package lies; found from this package by default. */
  readonly from?: string;
}

/** The part of onnxruntime's JavaScript API that is used here; both packages have it. */
interface OrtModule {
  readonly env: {
    readonly wasm: { numThreads?: number };
    readonly versions: Readonly<Record<string, string | undefined>>;
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly Tensor: new (type: string, data: TypedArray, dims: readonly number[]) => OrtTensor;
}

interface OrtSession {
  readonly outputNames: readonly string[];
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches: Readonly<Record<string, OrtTensor | null>>,
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

interface OrtTensor {
  readonly type: string;
  readonly data: TypedArray;
  readonly dims: readonly number[];
}

const ORT_TYPES: Readonly<Record<DType, string>> = {
  f32: 'float32',
  f64: 'float64',
  i8: 'int8',
  u8: 'uint8',
  i16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  u64: 'uint64',
  bool: 'bool',
};
const DTYPES = new Map(Object.entries(ORT_TYPES).map(([dtype, type]) => [type, dtype as DType]));

/**
 * Opens an ONNX model in onnxruntime-web (a dependency) or onnxruntime-node (when the user installed it).
 * Throws EW5001_TOOL_MISSING without the package, EW3001_MODEL_UNREADABLE when onnxruntime refuses the model.
 */
export async function openOracle(name: OracleName, model: Uint8Array, options: OracleOptions = {}): Promise<Oracle> {
  const ort = await load(name, options.from);
  const threads = options.threads ?? 1;
  if (name === 'onnxruntime-web') ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [name === 'onnxruntime-web' ? 'wasm' : 'cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Warnings about the model go to stderr otherwise, one a node.
    logSeverityLevel: 3,
    ...(options.externalData ? { externalData: options.externalData } : {}),
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EigenError('EW3001_MODEL_UNREADABLE', `${name} refuses the model: ${reason}`, {
      hint: 'The file is damaged, not ONNX, or needs a newer onnxruntime.',
      cause,
    });
  });
  return {
    name,
    version: ort.env.versions[name === 'onnxruntime-web' ? 'web' : 'node'] ?? ort.env.versions.common ?? 'unknown',
    async run(inputs, into = {}) {
      const given = (t: Tensor): OrtTensor => new ort.Tensor(ORT_TYPES[t.dtype], t.data, t.shape);
      const feeds = Object.fromEntries(Object.entries(inputs).map(([k, t]) => [k, given(t)]));
      const written = name === 'onnxruntime-node' ? into : {};
      const fetches = Object.fromEntries(session.outputNames.map((k) => [k, written[k] ? given(written[k]) : null]));
      const outputs = Object.entries(await session.run(feeds, fetches));
      return Object.fromEntries(outputs.map(([k, t]) => [k, written[k] ?? toTensor(t)]));
    },
    close: () => session.release(),
  };
}

/** The same memory: onnxruntime makes it anew every time, and a copy would be counted as time of its. */
function toTensor(t: OrtTensor): Tensor {
  const dtype = DTYPES.get(t.type);
  if (!dtype) throw new EigenError('EW3103_OP_INVALID', `onnxruntime gave an output of type ${t.type}`);
  const bytes = new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength);
  return { dtype, shape: [...t.dims], data: viewBytes(dtype, bytes) } as Tensor;
}

async function load(name: OracleName, from: string | undefined): Promise<OrtModule> {
  try {
    const path =
      from === undefined ? name : pathToFileURL(createRequire(join(from, 'package.json')).resolve(name)).href;
    return (await import(path)) as unknown as OrtModule;
  } catch (cause) {
    const hint =
      name === 'onnxruntime-node'
        ? 'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node'
        : 'npm install onnxruntime-web';
    throw new EigenError('EW5001_TOOL_MISSING', `the package ${name} is not installed`, { hint, cause });
  }
}

/** Whether the package can be found from here, without loading it. */
export function hasOracle(name: OracleName): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
