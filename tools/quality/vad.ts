import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOracle, readArrays, type Tensor, writeArrays } from '../../sdk/index.ts';
import { fixedInputs } from '../../sdk/model/onnx/index.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { type Forward, floatsOf, type QualityTask } from './task.ts';

const FOLDER = 'vad_silero';
const RATE = 16_000;
/** Audio samples of a frame, and of the frame before that the model also takes. */
const FRAME = 512;
const CONTEXT = 64;
const STATE = [2, 1, 128];
/** The first clips are for calibration, the others for evaluation. */
const CALIBRATION_CLIPS = 4;
/** Every so manieth frame of them is a calibration sample. */
const STRIDE = 11;

interface Clips {
  readonly count: number;
  readonly frames: number;
  readonly audio: Int16Array;
  readonly speech: Uint8Array;
}

/** Silero's voice activity detector, frame by frame with its state carried along: area under the ROC curve over all frames. */
export const vadSilero: QualityTask = {
  id: FOLDER,
  model: join(FOLDER, 'model.onnx'),
  dims: { sequence: FRAME + CONTEXT },
  set: { sr: RATE },
  metric: 'AUC',
  measure: 'auc',
  rows: 'sigmoid',
  published: { score: 0.965, samples: 12 },
  async calibration(models, folder) {
    const clips = await clipsOf(models);
    const file = await readFile(join(models, FOLDER, 'model.onnx'));
    const fixed = fixedInputs(file, { fixed: { sr: tensor('f64', [], [RATE]) }, dims: { sequence: FRAME + CONTEXT } });
    const oracle = await openOracle('onnxruntime-web', file);
    const taken: Readonly<Record<string, Tensor>>[] = [];
    const keep: Forward = async (inputs) => {
      taken.push(inputs);
      return oracle.run({ ...inputs, ...fixed });
    };
    try {
      for (let clip = 0; clip < CALIBRATION_CLIPS; clip++) await listen(keep, clips, clip);
    } finally {
      await oracle.close();
    }
    const kept = taken.filter((_, i) => i % STRIDE === 0);
    const path = join(folder, 'calib.npz');
    await writeArrays(path, { input: stacked(kept, 'input'), state: stacked(kept, 'state') });
    return path;
  },
  async evaluation(models) {
    const clips = await clipsOf(models);
    return {
      count: clips.count - CALIBRATION_CLIPS,
      inputs: async (i) => ({ input: frameOf(clips, CALIBRATION_CLIPS + i, 0), state: tensor('f32', STATE) }),
      run: (model, i) => listen(model, clips, CALIBRATION_CLIPS + i),
      labels: (i) => clips.speech.subarray((CALIBRATION_CLIPS + i) * clips.frames).subarray(0, clips.frames),
    };
  },
};

/** Runs a whole clip: the probability of speech of every frame. */
async function listen(model: Forward, clips: Clips, clip: number): Promise<Tensor> {
  const out = tensor('f32', [clips.frames, 1]);
  let state = tensor('f32', STATE);
  for (let t = 0; t < clips.frames; t++) {
    const outputs = await model({ input: frameOf(clips, clip, t), state });
    out.data[t] = floatsOf(outputs.output!)[0]!;
    state = tensor('f32', STATE, floatsOf(outputs.stateN!).slice());
  }
  return out;
}

/** A frame with what was heard just before it, -1 to 1. */
function frameOf(clips: Clips, clip: number, frame: number): Tensor {
  const from = clip * clips.frames * FRAME;
  const data = Float32Array.from({ length: CONTEXT + FRAME }, (_, k) => {
    const at = frame * FRAME + k - CONTEXT;
    return at < 0 ? 0 : clips.audio[from + at]! / 32768;
  });
  return tensor('f32', [1, CONTEXT + FRAME], data);
}

async function clipsOf(models: string): Promise<Clips> {
  const { pcm16, speech } = await readArrays(join(models, FOLDER, 'eval_audio.npz'));
  const [count, frames] = speech!.shape as [number, number];
  return { count, frames, audio: pcm16!.data as Int16Array, speech: speech!.data as Uint8Array };
}

function stacked(samples: readonly Readonly<Record<string, Tensor>>[], name: string): Tensor {
  const { shape } = samples[0]![name]!;
  const size = shape.reduce((a, b) => a * b, 1);
  const out = tensor('f32', [samples.length, ...shape.slice(name === 'input' ? 1 : 0)]);
  samples.forEach((s, i) => {
    out.data.set(floatsOf(s[name]!), i * size);
  });
  return out;
}
