import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../sdk/util/cache.ts';
import { bytesOf, type Tensor, tensor } from '../../../sdk/util/tensor.ts';

/** The parts of TensorFlow.js that are used here. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  tensor(data: ArrayLike<number>, shape: readonly number[], dtype: string): TfTensor;
  loadLayersModel(handler: LoadHandler): Promise<TfLayersModel>;
  loadGraphModel(handler: LoadHandler): Promise<TfGraphModel>;
}

interface TfTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  dataSync(): ArrayLike<number>;
}

interface LoadHandler {
  load(): Promise<object>;
}

interface TfLayersModel {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputs: readonly { readonly shape: readonly (number | null)[] }[];
  readonly weights: readonly { readonly originalName: string; readonly shape: readonly number[] }[];
  setWeights(values: readonly TfTensor[]): void;
  predict(inputs: readonly TfTensor[]): TfTensor | readonly TfTensor[];
  save(handler: { save(artifacts: Artifacts): Promise<object> }): Promise<unknown>;
}

interface TfGraphModel {
  execute(inputs: Readonly<Record<string, TfTensor>>, outputs: readonly string[]): TfTensor | readonly TfTensor[];
}

/** What a model is saved as. */
export interface Artifacts {
  readonly modelTopology: object;
  readonly signature?: object;
  readonly weightSpecs: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[];
  readonly weightData: ArrayBuffer;
}

export type { Tf, TfLayersModel };

const VERSION = '4.22.0';
const FOLDER = join(cacheFolder() ?? join(tmpdir(), 'eigenweights'), 'tfjs');

/** TensorFlow.js on its plain backend, installed into the cache of this package; undefined where that is not possible. */
export async function openTfjs(): Promise<Tf | undefined> {
  const file = join(FOLDER, 'node_modules/@tensorflow/tfjs/dist/tf.node.js');
  if (!existsSync(file)) {
    await mkdir(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, 'package.json'), '{ "private": true }\n');
    const args = [
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefix',
      FOLDER,
      `@tensorflow/tfjs@${VERSION}`,
    ];
    const done = await promisify(execFile)('npm', args).catch(() => undefined);
    if (!done) return undefined;
  }
  const { warn } = console;
  // It advertises its native packages.
  console.warn = () => undefined;
  const tf = createRequire(import.meta.url)(file) as Tf;
  await tf.setBackend('cpu');
  console.warn = warn;
  return tf;
}

const TYPES = { f32: 'float32', i32: 'int32', bool: 'bool' } as const;

function toTf(tf: Tf, t: Tensor): TfTensor {
  return tf.tensor(t.data as ArrayLike<number>, t.shape, TYPES[t.dtype as 'f32']);
}

function fromTf(t: TfTensor): Tensor {
  const dtype = t.dtype === 'float32' ? 'f32' : t.dtype === 'int32' ? 'i32' : 'bool';
  return tensor(dtype, t.shape, Array.from(t.dataSync()));
}

/** Weights as they are in files, one after the other. */
export function weightsOf(weights: Readonly<Record<string, Tensor>>): Pick<Artifacts, 'weightSpecs' | 'weightData'> {
  const weightSpecs = Object.entries(weights).map(([name, t]) => ({
    name,
    shape: t.shape,
    dtype: TYPES[t.dtype as 'f32'],
  }));
  const bytes = Buffer.concat(Object.values(weights).map((t) => bytesOf(t.data)));
  return { weightSpecs, weightData: new Uint8Array(bytes).buffer };
}

/** A layers model with weights that `value` makes from their names and shapes. */
export async function layersModel(
  tf: Tf,
  modelTopology: object,
  value: (name: string, shape: readonly number[]) => Tensor,
): Promise<TfLayersModel> {
  const model = await tf.loadLayersModel({ load: async () => ({ modelTopology }) });
  model.setWeights(model.weights.map((w) => toTf(tf, value(w.originalName, w.shape))));
  return model;
}

export async function savedAs(model: TfLayersModel): Promise<Artifacts> {
  let saved: Artifacts | undefined;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  return saved!;
}

const listed = (r: TfTensor | readonly TfTensor[]): readonly TfTensor[] => (Array.isArray(r) ? r : [r as TfTensor]);

export function predict(tf: Tf, model: TfLayersModel, inputs: readonly Tensor[]): Tensor[] {
  return listed(model.predict(inputs.map((t) => toTf(tf, t)))).map(fromTf);
}

export async function execute(
  tf: Tf,
  artifacts: object,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
): Promise<Tensor[]> {
  const model = await tf.loadGraphModel({ load: async () => artifacts });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([k, t]) => [k, toTf(tf, t)]));
  return listed(model.execute(feeds, outputs)).map(fromTf);
}
