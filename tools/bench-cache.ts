/**
 * What caches of keys and values as int8 codes cost: the GPT of ../shared/models as a step of its decoder (tools/cache/step-model.ts), fed
 * the evaluation text token by token, every step's caches into the next. Perplexity of the original, of 8x with float caches and of 8x
 * with codes, on the same tokens; divergence is from the original's distributions. Prints a Markdown table.
 *
 * --windows N  of 128 tokens, evenly spread over the evaluation text; 40 by default
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type BundleSession,
  buildCompressed,
  OutputCollector,
  openOracle,
  openSession,
  readArrays,
  type SampleArrays,
  type Tensor,
  writeArrays,
} from '../sdk/index.ts';
import { normalize } from '../sdk/ir/passes/index.ts';
import { loadModel } from '../sdk/model/sniff.ts';
import { Rng } from '../sdk/util/rng.ts';
import { byteLength } from '../sdk/util/tensor.ts';
import { type DecoderShape, stepModel } from './cache/step-model.ts';
import { decode, emptyCaches, type Inputs } from './cache/steps.ts';
import { logSumExp } from './quality/language.ts';
import { type Forward, floatsOf, MODELS, sampleOf } from './quality/task.ts';

const GPT: DecoderShape = { blocks: 4, heads: 6, width: 192, window: 128 };
const FOLDER = join(MODELS, 'lm_gpt_shakespeare');
const OUT = resolve(import.meta.dirname, '../out/cache');
/** Steps to calibrate on, each at a place of its own in a text of its own. */
const CALIBRATION = 64;

/** What one model said of all tokens. */
interface Told {
  readonly name: string;
  readonly cacheBytes: number;
  loss: number;
  tokens: number;
  divergence: number;
}

/** Steps with the caches that the original has there, as the compressor reads them. */
async function writeCalibration(model: Forward, path: string): Promise<void> {
  const arrays = await readArrays(join(FOLDER, 'calib.npz'));
  const windows = arrays.ids!.shape[0]!;
  const rng = new Rng(1);
  const collected = new OutputCollector(CALIBRATION);
  for (let i = 0; i < CALIBRATION; i++) {
    const ids = sampleOf(arrays, 'ids', i % windows).data as BigInt64Array;
    const length = 1 + rng.below(GPT.window);
    let last: Inputs = {};
    await decode(model, ids.subarray(0, length), emptyCaches(GPT, 'f32'), (_, inputs) => {
      last = inputs;
    });
    collected.add(i, last);
  }
  await writeArrays(path, collected.result());
}

async function compressed(model: string, codedCaches: boolean): Promise<BundleSession> {
  const out = join(OUT, codedCaches ? 'codes.ewb' : 'floats.ewb');
  const request = {
    target: 'raspberry-pi-4b',
    calibration: join(OUT, 'calib.npz'),
    cwd: OUT,
    force: true,
    codedCaches,
    out,
  };
  const { report } = await buildCompressed({ path: model }, request);
  const { gate, totals } = report!;
  console.error(`${out}: ${totals.wireBytes} bytes, divergence ${gate.divergence.toPrecision(3)} on held-out steps`);
  return openSession(out);
}

/** The text by the original and by both bundles; each goes by its own caches. */
async function compare(
  models: readonly { readonly name: string; readonly run: Forward; readonly dtype: 'f32' | 'i8' }[],
  count: number,
) {
  const arrays: SampleArrays = await readArrays(join(FOLDER, 'eval.npz'));
  const windows = arrays.ids!.shape[0]!;
  const told = models.map(({ name, dtype }): Told => {
    const cacheBytes = Object.values(emptyCaches(GPT, dtype)).reduce((sum, t) => sum + byteLength(t), 0);
    return { name, cacheBytes, loss: 0, tokens: 0, divergence: 0 };
  });
  for (let w = 0; w < count; w++) {
    const at = Math.floor((w * windows) / count);
    const [ids, targets] = ['ids', 'targets'].map((name) => sampleOf(arrays, name, at)) as [Tensor, Tensor];
    const original: Float32Array[] = [];
    for (const [m, { run, dtype }] of models.entries()) {
      await decode(run, ids.data as BigInt64Array, emptyCaches(GPT, dtype), (p, _, y) => {
        const target = Number(targets.data[p]);
        if (target < 0) return;
        const logits = floatsOf(y).slice();
        if (m === 0) original[p] = logits;
        told[m]!.tokens++;
        told[m]!.loss += logSumExp(logits, 0, logits.length) - logits[target]!;
        told[m]!.divergence += divergence(original[p]!, logits);
      });
    }
  }
  return told;
}

function divergence(theirs: Float32Array, ours: Float32Array): number {
  const [a, b] = [theirs, ours].map((logits) => logSumExp(logits, 0, logits.length)) as [number, number];
  return theirs.reduce((sum, v, c) => sum + Math.exp(v - a) * (v - a - (ours[c]! - b)), 0);
}

const { values } = parseArgs({ options: { windows: { type: 'string', default: '40' } } });
await mkdir(OUT, { recursive: true });
const model = join(OUT, 'step.onnx');
const graph = normalize(loadModel(join(FOLDER, 'model.onnx'), { dims: { T: GPT.window } }));
await writeFile(model, stepModel(graph, GPT));
const oracle = await openOracle('onnxruntime-web', await readFile(model));
const original: Forward = (inputs) => oracle.run(inputs);
await writeCalibration(original, join(OUT, 'calib.npz'));
const sessions = [await compressed(model, false), await compressed(model, true)];
const rows = await compare(
  [
    { name: 'original', run: original, dtype: 'f32' },
    ...sessions.map(
      (s, i) =>
        ({
          name: i === 0 ? '8x, caches as floats' : '8x, caches as codes',
          run: (x: Inputs) => s.run(x),
          dtype: i === 0 ? 'f32' : 'i8',
        }) as const,
    ),
  ],
  Number(values.windows),
);
console.log('| model | cache | perplexity | divergence, nats | tokens |\n| --- | ---: | ---: | ---: | ---: |');
for (const r of rows)
  console.log(
    `| ${r.name} | ${r.cacheBytes} B | ${Math.exp(r.loss / r.tokens).toFixed(4)} | ${(r.divergence / r.tokens).toPrecision(2)} | ${r.tokens} |`,
  );
for (const s of sessions) s.close();
await oracle.close();
