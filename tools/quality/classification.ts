import { join } from 'node:path';
import { readArrays } from '../../sdk/index.ts';
import { argmax, floatsOf, npzCalibration, type QualityTask, sampleOf } from './task.ts';

/** A classifier with `input` and `labels` in eval.npz: the share of samples whose largest score is the label. */
export function classification(
  id: string,
  folder: string,
  published: QualityTask['published'],
  options: { readonly model?: string; readonly input?: string } = {},
): QualityTask {
  const { model = 'model.onnx', input = 'input' } = options;
  return {
    id,
    model: join(folder, model),
    metric: 'top-1',
    measure: 'share',
    rows: 'softmax',
    published,
    calibration: npzCalibration(folder),
    async evaluation(models) {
      const arrays = await readArrays(join(models, folder, 'eval.npz'));
      const labels = arrays.labels!;
      return {
        count: labels.shape[0]!,
        inputs: async (i) => ({ [input]: sampleOf(arrays, input, i) }),
        score: (i, output) => {
          const scores = floatsOf(output);
          return [Number(argmax(scores, 0, scores.length) === Number(labels.data[i])), 1];
        },
      };
    },
  };
}
