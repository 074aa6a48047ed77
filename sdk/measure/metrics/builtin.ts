import { EigenError } from '../../util/errors.ts';
import { numberAt, sizeOf, type Tensor } from '../../util/tensor.ts';
import type { Arrays, Metric, Outcome } from './metric.ts';

/** Output whose last axis holds the scores of classes or tokens: the first one of the model. */
function firstOutput(arrays: Arrays): Tensor {
  const first = Object.values(arrays)[0];
  if (!first || first.shape.length === 0)
    throw new EigenError('EW3202_DATA_INVALID', 'the model has no output to evaluate');
  return first;
}

interface Rows {
  readonly samples: number;
  /** Score vectors a sample. */
  readonly perSample: number;
  readonly classes: number;
}

/** A vector of outputs without a class axis, [N], is one class a sample. */
function rowsOf(t: Tensor): Rows {
  const samples = t.shape[0]!;
  const classes = t.shape.length > 1 ? t.shape[t.shape.length - 1]! : 1;
  return { samples, classes, perSample: sizeOf(t.shape) / Math.max(1, samples * classes) };
}

/** Index of the largest score of row `r`; the first one of equals. */
function argmax(t: Tensor, r: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if (t.data[r * classes + c]! > t.data[r * classes + best]!) best = c;
  return best;
}

const hintOf = (name: string): string => `Give the array '${name}' in the --eval file, or another --metric.`;

/** An array of the evaluation file. Throws EW3202_DATA_INVALID when it is not there. */
export function arrayNamed(arrays: Arrays, name: string, metric: string): Tensor {
  const t = arrays[name];
  if (t) return t;
  const message = `metric ${metric} needs the array '${name}', the evaluation file has ${Object.keys(arrays).join(', ')}`;
  throw new EigenError('EW3202_DATA_INVALID', message, { hint: hintOf(name) });
}

function needArray(arrays: Arrays, name: string, metric: string, rows: Rows): Tensor {
  const t = arrayNamed(arrays, name, metric);
  const expected = rows.samples * rows.perSample;
  if (sizeOf(t.shape) !== expected) {
    const message = `array '${name}' has shape [${t.shape.join(', ')}], the model gives ${expected} predictions (${rows.samples} samples of ${rows.perSample})`;
    throw new EigenError('EW3202_DATA_INVALID', message, {
      hint: hintOf(name),
      details: { array: name, shape: t.shape },
    });
  }
  return t;
}

/** Index of a class; -1 is not counted. */
function classAt(t: Tensor, r: number, classes: number, name: string): number {
  const c = numberAt(t, r);
  if (!Number.isInteger(c) || c < -1 || c >= classes) {
    throw new EigenError(
      'EW3202_DATA_INVALID',
      `array '${name}', element ${r}: ${c} is no class, the model has ${classes}`,
      { hint: 'Classes count from 0; -1 marks an element that is not counted.' },
    );
  }
  return c;
}

/** Share of predictions whose largest score is the label. Quality: our share / the original's. */
export const top1: Metric = {
  name: 'top1',
  needs: 'labels',
  unit: 'share correct',
  width: 3,
  rows({ ours, original, arrays }: Outcome) {
    const [a, b] = [firstOutput(ours), firstOutput(original)];
    const shape = rowsOf(a);
    const labels = needArray(arrays, 'labels', 'top1', shape);
    return perSample(shape, 3, (r, sums, at) => {
      const label = classAt(labels, r, shape.classes, 'labels');
      if (label < 0) return;
      sums[at]! += Number(argmax(b, r, shape.classes) === label);
      sums[at + 1]! += Number(argmax(a, r, shape.classes) === label);
      sums[at + 2]! += 1;
    });
  },
  score: ([original, ours, n]) => ({ original: original! / n!, ours: ours! / n!, quality: ours! / original! }),
};

/** Share of predictions where both models have the same largest score. The original agrees with itself. */
export const agreement: Metric = {
  name: 'agreement',
  unit: 'share equal',
  width: 2,
  rows({ ours, original }: Outcome) {
    const [a, b] = [firstOutput(ours), firstOutput(original)];
    const shape = rowsOf(a);
    return perSample(shape, 2, (r, sums, at) => {
      sums[at]! += Number(argmax(a, r, shape.classes) === argmax(b, r, shape.classes));
      sums[at + 1]! += 1;
    });
  },
  score: ([equal, n]) => ({ original: 1, ours: equal! / n!, quality: equal! / n! }),
};

/** Signal to quantization-noise ratio over all outputs, dB. Quality: the share of the outputs' energy that is kept, 1 - noise / signal. */
export const sqnr: Metric = {
  name: 'sqnr',
  unit: 'dB',
  width: 2,
  rows({ ours, original }: Outcome) {
    const samples = firstOutput(original).shape[0]!;
    const sums = new Float64Array(samples * 2);
    for (const [name, b] of Object.entries(original)) {
      const size = sizeOf(b.shape) / samples;
      for (let i = 0; i < samples * size; i++) {
        const at = Math.floor(i / size) * 2;
        const signal = numberAt(b, i);
        sums[at]! += signal ** 2;
        sums[at + 1]! += (numberAt(ours[name]!, i) - signal) ** 2;
      }
    }
    return sums;
  },
  score: ([signal, noise]) => ({
    original: Number.POSITIVE_INFINITY,
    ours: 10 * Math.log10(signal! / noise!),
    quality: 1 - noise! / signal!,
  }),
};

/** Perplexity of the target tokens, from logits or probabilities. Quality: the original's / ours. */
export const perplexity: Metric = {
  name: 'perplexity',
  needs: 'targets',
  unit: 'perplexity',
  width: 3,
  rows({ ours, original, arrays }: Outcome) {
    const [a, b] = [firstOutput(ours), firstOutput(original)];
    const shape = rowsOf(a);
    const targets = needArray(arrays, 'targets', 'perplexity', shape);
    const loss = [lossOf(b, shape), lossOf(a, shape)];
    return perSample(shape, 3, (r, sums, at) => {
      const target = classAt(targets, r, shape.classes, 'targets');
      if (target < 0) return;
      sums[at]! += loss[0]!(r, target);
      sums[at + 1]! += loss[1]!(r, target);
      sums[at + 2]! += 1;
    });
  },
  score: ([original, ours, n]) => ({
    original: Math.exp(original! / n!),
    ours: Math.exp(ours! / n!),
    quality: Math.exp((original! - ours!) / n!),
  }),
};

export const BUILTIN_METRICS = { top1, agreement, sqnr, perplexity } as const;

function perSample(
  shape: Rows,
  width: number,
  add: (row: number, sums: Float64Array, at: number) => void,
): Float64Array {
  const sums = new Float64Array(shape.samples * width);
  for (let s = 0; s < shape.samples; s++)
    for (let k = 0; k < shape.perSample; k++) add(s * shape.perSample + k, sums, s * width);
  return sums;
}

/** -log p(target) of a row. Rows that are probabilities already (in [0, 1], sum 1) are taken as such, others as logits. */
function lossOf(t: Tensor, { samples, perSample: rows, classes }: Rows): (row: number, target: number) => number {
  const floor = 1e-30;
  const isProbability =
    samples > 0 &&
    Array.from({ length: Math.min(8, samples * rows) }, (_, r) => sumsToOne(t, r, classes)).every(Boolean);
  if (isProbability) return (r, target) => -Math.log(Math.max(floor, numberAt(t, r * classes + target)));
  return (r, target) => {
    let max = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) max = Math.max(max, numberAt(t, r * classes + c));
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(numberAt(t, r * classes + c) - max);
    return Math.log(sum) + max - numberAt(t, r * classes + target);
  };
}

function sumsToOne(t: Tensor, r: number, classes: number): boolean {
  let sum = 0;
  for (let c = 0; c < classes; c++) {
    const p = numberAt(t, r * classes + c);
    if (p < 0 || p > 1) return false;
    sum += p;
  }
  return Math.abs(sum - 1) < 1e-3;
}
