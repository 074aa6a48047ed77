import { join } from 'node:path';
import { readArrays } from '../../sdk/index.ts';
import { floatsOf, npzCalibration, type QualityTask, sampleOf } from './task.ts';

/** A language model with `ids` and `targets` in eval.npz, windows of `length` tokens: perplexity over the targets that are not -1. */
export function languageModel(folder: string, length: number, published: QualityTask['published']): QualityTask {
  return {
    id: folder,
    model: join(folder, 'model.onnx'),
    dims: { T: length },
    metric: 'perplexity',
    measure: 'perplexity',
    rows: 'softmax',
    published,
    calibration: npzCalibration(folder),
    async evaluation(models) {
      const arrays = await readArrays(join(models, folder, 'eval.npz'));
      const { targets } = arrays;
      const counted = (window: number, at: number): number => Number(targets!.data[window * length + at]);
      return {
        count: targets!.shape[0]!,
        inputs: async (i) => ({ ids: sampleOf(arrays, 'ids', i) }),
        counts: (i, row) => counted(i, row) >= 0,
        score: (i, output) => {
          const logits = floatsOf(output);
          const tokens = logits.length / length;
          let [loss, n] = [0, 0];
          for (let t = 0; t < length; t++) {
            const target = counted(i, t);
            if (target < 0) continue;
            loss += logSumExp(logits, t * tokens, tokens) - logits[t * tokens + target]!;
            n++;
          }
          return [loss, n];
        },
      };
    },
  };
}

/** log of the sum of exp of `count` values from `at`. */
export function logSumExp(values: ArrayLike<number>, at: number, count: number): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < count; c++) max = Math.max(max, values[at + c]!);
  let sum = 0;
  for (let c = 0; c < count; c++) sum += Math.exp(values[at + c]! - max);
  return max + Math.log(sum);
}
