import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ModelRequest, type NamedType, readArrays, type SampleArrays, type Tensor } from '../../sdk/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { newArray, sizeOf } from '../../sdk/util/tensor.ts';
import { MODELS } from '../quality/task.ts';
import type { WorkKind } from './results.ts';

export type InputKind = 'noise' | 'bars';

/** An ONNX model and how samples for it are made: what benchmarks and tests of all models go through. */
export interface SampleModel extends ModelRequest {
  readonly id: string;
  /** What its float inputs look like: standard normal noise, or pictures of dark bars for a detector that finds nothing in noise. */
  readonly inputs: InputKind;
  readonly work: WorkKind;
  /** Samples to take instead, .npz. */
  readonly calibration?: string;
}

interface Entry extends Omit<ModelRequest, 'path'> {
  readonly path: string;
  readonly inputs?: InputKind;
  /** Convolutions unless it says so. */
  readonly work?: WorkKind;
}

/** Sizes of dynamic dimensions as the models are used: lines of text, windows of tokens, frames of sound. */
const SHARED: readonly Entry[] = [
  { path: 'kws_dscnn/model.onnx' },
  { path: 'cifar_resnet8/model.onnx' },
  { path: 'mnist_mlp/model.onnx', work: 'products' },
  { path: 'ocr_ppocr2_cls/model.onnx', dims: { 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 } },
  { path: 'vww_mobilenet/model.onnx' },
  { path: 'anomaly_autoencoder/model.onnx', work: 'products' },
  { path: 'lm_charrnn_darwin/model.onnx', dims: { T: 64 }, work: 'products' },
  { path: 'lm_charrnn_shakespeare/model.onnx', dims: { T: 64 }, work: 'products' },
  { path: 'vad_silero/model.onnx', dims: { sequence: 576 }, set: { sr: 16000 }, work: 'products' },
  { path: 'cifar_resnet8/model_large.onnx' },
  { path: 'pitch_crepe_tiny/model.onnx' },
  { path: 'fashion_mnist/model_mlp.onnx', work: 'products' },
  {
    path: 'ocr_ppocr4_det/model.onnx',
    dims: { 'p2o.DynamicDimension.1': 320, 'p2o.DynamicDimension.2': 320 },
    inputs: 'bars',
  },
  { path: 'fashion_mnist/model.onnx' },
  { path: 'lm_gpt_shakespeare/model.onnx', dims: { T: 128 }, work: 'products' },
  { path: 'imagenet_mobilenet_v1/model.onnx' },
  { path: 'ocr_ppocr4_rec/model.onnx', dims: { 'p2o.DynamicDimension.1': 320 } },
];

/** The fp32 models beside the checkout, small ones first; none where the folder is absent. */
export function sharedModels(): SampleModel[] {
  return SHARED.filter(({ path }) => existsSync(join(MODELS, path))).map(
    ({ path, inputs = 'noise', work = 'convolutions', ...rest }): SampleModel => {
      const calibration = join(MODELS, path, '../calib.npz');
      return {
        ...rest,
        id: path.replace('/model', '').replace('.onnx', ''),
        path: resolve(MODELS, path),
        inputs,
        work,
        ...(existsSync(calibration) ? { calibration } : {}),
      };
    },
  );
}

/**
 * `count` samples for a model: the first ones of its calibration data, cut to the lengths that the model takes, or made up from a seed.
 * Inputs that are set are left out.
 */
export async function samplesFor(
  model: SampleModel,
  inputs: readonly NamedType[],
  count: number,
): Promise<SampleArrays> {
  if (model.calibration) {
    const arrays = await readArrays(model.calibration);
    return Object.fromEntries(inputs.map(({ name, shape }) => [name, firstOf(arrays[name]!, count, shape)]));
  }
  const rng = new Rng(20240613);
  return Object.fromEntries(inputs.map((input) => [input.name, made(input, count, rng, model.inputs)]));
}

/** Inputs that are constants of the bundle, as the original still takes them: scalars of i64. */
export function setInputs({ set = {} }: ModelRequest): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(set).map(([name, value]): [string, Tensor] => [
      name,
      { dtype: 'i64', shape: [], data: BigInt64Array.of(BigInt(value)) },
    ]),
  );
}

/** The first samples of an array [N, ...]; longer sequences than in `shape` [1, length, ...] lose their ends. */
function firstOf(t: Tensor, count: number, shape: readonly number[]): Tensor {
  const [samples = 0, length = 1, ...rest] = t.shape;
  const n = Math.min(count, samples);
  const kept = Math.min(length, shape.length === t.shape.length ? (shape[1] ?? 1) : length);
  const [from, to] = [length * sizeOf(rest), kept * sizeOf(rest)];
  const data = newArray(t.dtype, n * to) as Float32Array;
  for (let i = 0; i < n; i++) data.set(t.data.subarray(i * from, i * from + to) as Float32Array, i * to);
  return { dtype: t.dtype, shape: t.shape.length < 2 ? [n] : [n, kept, ...rest], data } as Tensor;
}

/** Tokens are below this: every vocabulary is larger. */
const TOKENS = 60;

function made({ dtype, shape }: NamedType, count: number, rng: Rng, kind: InputKind): Tensor {
  const size = sizeOf(shape);
  const data = newArray(dtype, count * size);
  const [height = 1, width = 1] = shape.slice(-2);
  for (let i = 0; i < data.length; i++) {
    if (dtype === 'f32')
      data[i] = kind === 'bars' ? bar(i % width, Math.floor(i / width) % height, width, height) : rng.normal();
    else if (dtype === 'i64') data[i] = BigInt(rng.below(TOKENS));
    else data[i] = rng.below(2);
  }
  return { dtype, shape: [count, ...shape], data } as Tensor;
}

/** A pixel of dark strokes on white, in -1..1: something for a text detector to find. */
export function bar(x: number, y: number, width: number, height: number): number {
  const inside = y > height * 0.35 && y < height * 0.65 && x > width * 0.1 && x < width * 0.9;
  return inside && x % 7 < 3 ? -0.9 : 0.9;
}
