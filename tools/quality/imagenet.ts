import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'jpeg-js';
import { type Tensor, writeArrays } from '../../sdk/index.ts';
import { argmax, floatsOf, type QualityTask } from './task.ts';

const FOLDER = 'imagenet_mobilenet_v1';
const SIDE = 224;
const PIXELS = SIDE * SIDE * 3;

interface Picture {
  readonly path: string;
  readonly label: number;
}

/** MobileNetV1 on photographs: the centre 224 x 224 of each, RGB, NHWC, x / 127.5 - 1. */
export const imagenetMobilenet: QualityTask = {
  id: FOLDER,
  model: join(FOLDER, 'model.onnx'),
  metric: 'top-1',
  measure: 'share',
  rows: 'softmax',
  published: { score: 0.85, samples: 400 },
  async calibration(models, folder) {
    const pictures = await picturesOf(models, 'calib/');
    const data = new Float32Array(pictures.length * PIXELS);
    for (const [i, p] of pictures.entries()) data.set(await pixelsOf(p.path), i * PIXELS);
    const path = join(folder, 'calib.npz');
    await writeArrays(path, { input: { dtype: 'f32', shape: [pictures.length, SIDE, SIDE, 3], data } });
    return path;
  },
  async evaluation(models) {
    const pictures = await picturesOf(models, 'eval/');
    return {
      count: pictures.length,
      inputs: async (i) => ({ input: await imageOf(pictures[i]!.path) }),
      score: (i, output) => {
        const scores = floatsOf(output);
        return [Number(argmax(scores, 0, scores.length) === pictures[i]!.label), 1];
      },
    };
  },
};

async function imageOf(path: string): Promise<Tensor> {
  return { dtype: 'f32', shape: [1, SIDE, SIDE, 3], data: await pixelsOf(path) };
}

async function picturesOf(models: string, folder: string): Promise<Picture[]> {
  const csv = await readFile(join(models, FOLDER, 'labels.csv'), 'utf8');
  return csv
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','))
    .filter(([file]) => file!.startsWith(folder))
    .map(([file, label]) => ({ path: join(models, FOLDER, file!), label: Number(label) }));
}

async function pixelsOf(path: string): Promise<Float32Array> {
  const { width, height, data } = decode(await readFile(path), { useTArray: true, formatAsRGBA: false });
  const [left, top] = [Math.floor((width - SIDE) / 2), Math.floor((height - SIDE) / 2)];
  if (left < 0 || top < 0) throw new Error(`${path}: ${width} x ${height} is smaller than ${SIDE} x ${SIDE}`);
  const out = new Float32Array(PIXELS);
  for (let y = 0; y < SIDE; y++) {
    const from = ((y + top) * width + left) * 3;
    for (let k = 0; k < SIDE * 3; k++) out[y * SIDE * 3 + k] = data[from + k]! / 127.5 - 1;
  }
  return out;
}
