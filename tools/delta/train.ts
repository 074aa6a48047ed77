import { readFile } from 'node:fs/promises';
import { readArrays } from '../../sdk/index.ts';
import { openModel } from '../../sdk/pipeline.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';

/** Dense layer: weights [rows, cols] and biases [rows]. */
interface Dense {
  readonly rows: number;
  readonly cols: number;
  readonly weights: Float32Array;
  readonly biases: Float32Array;
}

export interface Training {
  readonly epochs: number;
  readonly rate: number;
  /** The last layer only. */
  readonly lastOnly?: boolean;
}

const BATCH = 32;

/**
 * The file of a multi-layer perceptron, trained a little further by stochastic gradient descent: on its own answers to the pictures
 * `samples`, moved by up to a pixel. The new weights stand where the old ones stood in the file.
 */
export async function trainFurther(path: string, samples: string, training: Training): Promise<Uint8Array> {
  const file = Buffer.from(await readFile(path));
  const { graph } = await openModel({ path });
  const constants = [...graph.values.values()].flatMap((v) => (v.data?.dtype === 'f32' ? [v.data] : []));
  const [matrices, vectors] = [2, 1].map((rank) => constants.filter((t) => t.shape.length === rank));
  const layers = matrices!.map((t, i): Dense => {
    const [rows, cols] = t.shape as [number, number];
    return {
      rows,
      cols,
      weights: Float32Array.from(t.data as Float32Array),
      biases: Float32Array.from(vectors![i]!.data as Float32Array),
    };
  });
  const [pictures] = Object.values(await readArrays(samples));
  descend(layers, pictures!.data as Float32Array, training);
  [...matrices!, ...vectors!].forEach((old, i) => {
    const at = file.indexOf(bytesOf(old.data));
    if (at < 0) throw new Error(`${path}: a constant is not in the file as it is used`);
    const layer = layers[i % layers.length]!;
    file.set(bytesOf(i < layers.length ? layer.weights : layer.biases), at);
  });
  return file;
}

function descend(layers: readonly Dense[], pictures: Float32Array, { epochs, rate, lastOnly }: Training): void {
  const size = layers[0]!.cols;
  const count = pictures.length / size;
  const picture = (n: number): Float32Array => pictures.subarray(n * size, (n + 1) * size);
  const answers = Array.from({ length: count }, (_, n) => {
    const scores = forward(layers, picture(n)).at(-1)!;
    return scores.indexOf(Math.max(...scores));
  });
  const rng = new Rng(1);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = rng.permutation(count);
    for (let from = 0; from < count; from += BATCH) {
      const shift = (rng.below(3) - 1) * Math.sqrt(size) + rng.below(3) - 1;
      const batch = order.slice(from, from + BATCH);
      const steps = batch.map((n) => gradient(layers, moved(picture(n), shift), answers[n]!));
      layers.forEach((layer, l) => {
        if (!lastOnly || l === layers.length - 1)
          step(
            layer,
            steps.map((s) => s[l]!),
            rate / batch.length,
          );
      });
    }
  }
}

function moved(values: Float32Array, shift: number): Float32Array {
  return values.map((_, i) => values[(i + shift + values.length) % values.length]!);
}

/** The input of every layer, and the scores. */
function forward(layers: readonly Dense[], input: Float32Array): Float32Array[] {
  const out = [input];
  layers.forEach(({ rows, cols, weights, biases }, l) => {
    const x = out[l]!;
    const y = new Float32Array(rows);
    for (let r = 0; r < rows; r++) {
      let sum = biases[r]!;
      for (let c = 0; c < cols; c++) sum += weights[r * cols + c]! * x[c]!;
      y[r] = l < layers.length - 1 ? Math.max(0, sum) : sum;
    }
    out.push(y);
  });
  return out;
}

/** Input and gradient at the output of a layer: the gradient of its weights is their product. */
interface Step {
  readonly input: Float32Array;
  readonly delta: Float32Array;
}

function gradient(layers: readonly Dense[], input: Float32Array, answer: number): Step[] {
  const values = forward(layers, input);
  const scores = values.at(-1)!;
  const powers = scores.map((s) => Math.exp(s - Math.max(...scores)));
  const total = powers.reduce((sum, p) => sum + p, 0);
  let delta = powers.map((p, k) => p / total - (k === answer ? 1 : 0));
  const steps: Step[] = [];
  for (let l = layers.length - 1; l >= 0; l--) {
    const { rows, cols, weights } = layers[l]!;
    steps.unshift({ input: values[l]!, delta });
    const before = new Float32Array(cols);
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) before[c]! += weights[r * cols + c]! * delta[r]!;
    delta = before.map((d, c) => (values[l]![c]! > 0 ? d : 0));
  }
  return steps;
}

function step({ rows, cols, weights, biases }: Dense, steps: readonly Step[], rate: number): void {
  for (const { input, delta } of steps)
    for (let r = 0; r < rows; r++) {
      const by = rate * delta[r]!;
      if (by === 0) continue;
      biases[r]! -= by;
      for (let c = 0; c < cols; c++) weights[r * cols + c]! -= by * input[c]!;
    }
}
