/** Runs an ONNX model in onnxruntime-node as an application would, and nothing else: `ort.ts FOLDER MODEL INPUTS RUNS`. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type InputFile, valuesOf } from './inputs.ts';

interface Ort {
  readonly InferenceSession: {
    create(path: string, options: object): Promise<{ run(feeds: object, fetches?: object): Promise<object> }>;
  };
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => object;
}

const [folder = '', model = '', inputs = '[]', runs = '1'] = process.argv.slice(2);
const ort = createRequire(join(folder, 'package.json'))('onnxruntime-node') as Ort;
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const feeds = (JSON.parse(inputs) as InputFile[]).map((f) => [f.name, new ort.Tensor('float32', valuesOf(f), f.shape)]);
// What was made for outputs is used again, as ours does.
let outputs: object | undefined;
for (let i = 0; i < Number(runs); i++)
  outputs = await (outputs ? session.run(Object.fromEntries(feeds), outputs) : session.run(Object.fromEntries(feeds)));
