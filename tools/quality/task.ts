import { join, resolve } from 'node:path';
import type { ModelRequest, SampleArrays, Tensor } from '../../sdk/index.ts';

/** The folder of models and labelled data that the quality benchmark and some tests measure on, beside the checkout. */
export const MODELS = resolve(import.meta.dirname, '../../../shared/models');

/** A model with labelled data. Everything a row of the quality table needs to know; settings of the compressor are none of it. */
export interface QualityTask {
  readonly id: string;
  /** The model, relative to the folder of models. */
  readonly model: string;
  /** Sizes of dynamic dimensions, by name. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that are constants. */
  readonly set?: Readonly<Record<string, number>>;
  readonly metric: string;
  /**
   * How samples become the metric: `share` is sum / weight, `perplexity` is exp(sum / weight), the sum being of -log p; `auc` is the area
   * under the ROC curve of all predictions of all samples.
   */
  readonly measure: 'share' | 'perplexity' | 'auc';
  /** What a row of the output is: one distribution over classes, or one probability a class. */
  readonly rows: 'softmax' | 'sigmoid';
  /** The original's score on the whole evaluation data, as the data's description gives it, and on how many samples. */
  readonly published: { readonly score: number; readonly samples: number };
  /** Path of an .npz with the calibration samples; a task whose samples are images writes it into `folder`. */
  calibration(models: string, folder: string): Promise<string>;
  evaluation(models: string): Promise<Evaluation>;
}

/** A model to be judged: inputs of one run in, all outputs by name out. */
export type Forward = (inputs: Readonly<Record<string, Tensor>>) => Promise<Readonly<Record<string, Tensor>>>;

/** Labelled samples, read one at a time. */
export interface Evaluation {
  readonly count: number;
  /** Of a sample; of its first run where it takes several. */
  inputs(index: number): Promise<Readonly<Record<string, Tensor>>>;
  /** Answers a sample that takes more than one run: predictions [rows, classes]. */
  run?(model: Forward, index: number): Promise<Tensor>;
  /** What is true of every row of a sample, for `auc`: above 0 is positive. */
  labels?(index: number): ArrayLike<number>;
  /** The sample's share in the metric, for sums: [sum, weight]. */
  score?(index: number, output: Tensor): readonly [sum: number, weight: number];
  /** Whether a row of the output counts for agreement and divergence; all do by default. */
  counts?(index: number, row: number): boolean;
}

/** The model of a task, its open ends tied. */
export function modelOf(task: QualityTask, models: string): ModelRequest {
  const { dims, set } = task;
  return { path: join(models, task.model), ...(dims ? { dims } : {}), ...(set ? { set } : {}) };
}

/** The paths of a task whose calibration samples lie in an .npz beside the model. */
export function npzCalibration(folder: string): (models: string) => Promise<string> {
  return async (models) => join(models, folder, 'calib.npz');
}

/** Sample `index` of an array [N, ...], as the batch of one that a model takes. */
export function sampleOf(arrays: SampleArrays, name: string, index: number): Tensor {
  const all = arrays[name];
  if (!all) throw new Error(`the evaluation data has no array '${name}'`);
  const [samples = 0, ...rest] = all.shape;
  const size = all.data.length / samples;
  return { dtype: all.dtype, shape: [1, ...rest], data: all.data.slice(index * size, (index + 1) * size) } as Tensor;
}

/** Index of the largest of `count` values from `at`; the first one of equals. */
export function argmax(values: ArrayLike<number>, at: number, count: number): number {
  let best = 0;
  for (let c = 1; c < count; c++) if (values[at + c]! > values[at + best]!) best = c;
  return best;
}

/** Values of an output as numbers; outputs of all tasks are f32. */
export function floatsOf(t: Tensor): Float32Array {
  if (t.dtype !== 'f32') throw new TypeError(`the output is ${t.dtype}, expected f32`);
  return t.data as Float32Array;
}
