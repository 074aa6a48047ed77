import { join } from 'node:path';
import { readArrays } from '../../sdk/index.ts';
import { argmax, floatsOf, npzCalibration, type QualityTask, sampleOf } from './task.ts';

const FOLDER = 'pitch_crepe_tiny';
/** Bins of the output: 20 cents each, from 1997.3794 cents over 10 Hz (Kim et al. 2018, CREPE). */
const BINS = 360;
const BIN_CENTS = 7180 / 359;
const FIRST_CENTS = 1997.3794;
const TOLERANCE_CENTS = 50;

/** CREPE tiny: the share of frames whose pitch is within 50 cents of the true one. */
export const pitchCrepe: QualityTask = {
  id: FOLDER,
  model: join(FOLDER, 'model.onnx'),
  metric: 'within 50 cents',
  measure: 'share',
  rows: 'sigmoid',
  published: { score: 0.988, samples: 900 },
  calibration: npzCalibration(FOLDER),
  async evaluation(models) {
    const arrays = await readArrays(join(models, FOLDER, 'eval.npz'));
    const truth = arrays.f0_hz!;
    return {
      count: truth.shape[0]!,
      inputs: async (i) => ({ input: sampleOf(arrays, 'input', i) }),
      score: (i, output) => {
        const expected = 1200 * Math.log2(Number(truth.data[i]) / 10);
        return [Number(Math.abs(centsOf(floatsOf(output)) - expected) <= TOLERANCE_CENTS), 1];
      },
    };
  },
};

/** Weighted mean of the nine bins round the largest, cents over 10 Hz. */
function centsOf(activation: Float32Array): number {
  const centre = argmax(activation, 0, BINS);
  let [sum, weight] = [0, 0];
  for (let k = Math.max(0, centre - 4); k <= Math.min(BINS - 1, centre + 4); k++) {
    sum += activation[k]! * (k * BIN_CENTS + FIRST_CENTS);
    weight += activation[k]!;
  }
  return sum / weight;
}
