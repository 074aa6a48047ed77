import { dirname } from 'node:path';
import { normalize } from '../ir/passes/index.ts';
import { modelFile, readerBeside } from '../model/files.ts';
import { exportOnnx } from '../model/onnx/export/index.ts';
import { externalFiles, fixedInputs } from '../model/onnx/index.ts';
import { loadModel, sniff } from '../model/sniff.ts';
import { readBytes } from '../util/files.ts';
import { packageVersion } from '../util/package.ts';
import { type Tensor, tensor } from '../util/tensor.ts';

/** A model as onnxruntime takes it. */
export interface Original {
  readonly bytes: Uint8Array;
  /** Files that hold weights outside it, by the path that it names. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Values of inputs that a bundle was built without and that the file still has. */
  readonly fixed: Readonly<Record<string, Tensor>>;
}

/** How a bundle was built. */
export interface Settings {
  readonly dims: Readonly<Record<string, number>>;
  readonly fixed: Readonly<Record<string, number>>;
}

/** The ONNX file that a bundle was made from; of a TensorFlow.js model, its float network written as ONNX with the sizes of the bundle. */
export async function readOriginal(path: string, settings: Settings): Promise<Original> {
  const file = modelFile(path);
  const bytes = await readBytes(file);
  const values = Object.entries(settings.fixed).map(([name, v]) => [name, tensor('f64', [], [v])]);
  const bindings = { dims: settings.dims, fixed: Object.fromEntries(values) };
  if (sniff(bytes) === 'tfjs') {
    const graph = normalize(loadModel(path, bindings));
    return { bytes: exportOnnx(graph, { producerVersion: packageVersion() }).bytes, externalData: [], fixed: {} };
  }
  const read = readerBeside(dirname(file));
  const externalData = externalFiles(bytes).map((location) => ({ path: location, data: read(location) }));
  return { bytes, externalData, fixed: fixedInputs(bytes, bindings) };
}
