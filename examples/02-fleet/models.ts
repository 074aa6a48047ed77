import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFloat } from 'eigenweights';
import { onnxModel } from 'eigenweights/testing';
import { CLASSES, recordWindows, WINDOW } from './signals.ts';

/** Windows that a model takes at a time. */
export const BATCH = 32;

/** Board that the devices say they are; kernels are WebAssembly, which runs here too. */
export const BOARD = 'raspberry-pi-5';

export interface Training {
  readonly name: string;
  /** Windows that it learns from. */
  readonly windows: number;
  readonly seed: number;
}

/**
 * Trains a classifier of windows and packs it for the board: the mean window of each class, and the class whose mean is nearest.
 * @returns the bundle's path.
 */
export async function buildModel(folder: string, training: Training): Promise<string> {
  const means = learn(training);
  // |x - m|^2 is least where 2 x m - |m|^2 is most.
  const weights = new Float32Array(WINDOW * CLASSES);
  const bias = new Float32Array(CLASSES);
  means.forEach((mean, c) => {
    mean.forEach((v, t) => {
      weights[t * CLASSES + c] = 2 * v;
      bias[c]! -= v * v;
    });
  });
  const onnx = onnxModel({
    name: training.name,
    inputs: [{ name: 'windows', shape: [BATCH, WINDOW] }],
    outputs: [{ name: 'scores', shape: [BATCH, CLASSES] }],
    initializers: {
      weights: { dtype: 'f32', shape: [WINDOW, CLASSES], data: weights },
      bias: { dtype: 'f32', shape: [CLASSES], data: bias },
    },
    nodes: [{ op: 'Gemm', inputs: ['windows', 'weights', 'bias'], outputs: ['scores'] }],
  });
  const path = join(folder, `${training.name}.onnx`);
  await writeFile(path, onnx);
  const out = join(folder, `${training.name}.ewb`);
  await buildFloat({ path }, { target: BOARD, out });
  return out;
}

function learn({ windows, seed }: Training): Float64Array[] {
  const { data, labels } = recordWindows(windows, seed);
  const means = Array.from({ length: CLASSES }, () => new Float64Array(WINDOW));
  const counts = new Array<number>(CLASSES).fill(0);
  for (let i = 0; i < windows; i++) {
    const label = labels[i]!;
    counts[label]!++;
    for (let t = 0; t < WINDOW; t++) means[label]![t]! += data[i * WINDOW + t]!;
  }
  return means.map((mean, c) => mean.map((v) => v / Math.max(1, counts[c]!)));
}
