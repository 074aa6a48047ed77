// timeout: 600
/** Every model of ../shared/models through the public API: the float bundle against onnxruntime-web, and its metric against the published. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type BundleSession,
  buildFloat,
  type ModelRequest,
  openSession,
  samplesOf,
  type Tensor,
} from '../../sdk/index.ts';
import { skip } from '../../sdk/testing/index.ts';
import { compareOn } from '../../tools/quality/compare.ts';
import { MODELS, modelOf, type QualityTask } from '../../tools/quality/task.ts';
import { TASKS } from '../../tools/quality/tasks.ts';
import { type SampleModel, samplesFor, setInputs, sharedModels } from '../../tools/speed/models.ts';
import { relativeError, runOnnx } from '../support/onnxruntime.ts';
import { shared } from '../support/shared.ts';

const TOLERANCE = 1e-4;
const SAMPLES = 2;
/** Labelled samples of a task: a few seconds' worth. */
const LIMITS: Readonly<Record<string, number>> = {
  imagenet_mobilenet_v1: 150,
  lm_gpt_shakespeare: 100,
  ocr_ppocr4_rec_320: 40,
  ocr_ppocr4_rec_480: 0,
  ocr_ppocr4_rec_640: 0,
};
const LIMIT = 300;

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-metrics-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function openFloat(model: ModelRequest): Promise<BundleSession> {
  const out = join(folder, 'float.ewb');
  await buildFloat(model, { target: 'host', out, force: true });
  return openSession(out);
}

async function compareOutputs(
  session: BundleSession,
  file: Uint8Array,
  inputs: Readonly<Record<string, Tensor>>,
  set: Readonly<Record<string, Tensor>> = {},
): Promise<void> {
  const ours = await session.run(inputs);
  for (const [name, expected] of Object.entries(await runOnnx(file, { ...inputs, ...set }))) {
    const error = relativeError(ours[name]!, expected);
    assert.ok(error <= TOLERANCE, `output ${name}: relative error ${error}`);
  }
}

/** The metric on a part of the samples lies within four standard errors of the whole's; on all of them it is equal, to rounding. */
async function checkMetric(task: QualityTask, session: BundleSession): Promise<void> {
  const evaluation = await task.evaluation(MODELS);
  const result = await compareOn(task, evaluation, (inputs) => session.run(inputs), [], LIMITS[task.id] ?? LIMIT);
  const { score, samples } = task.published;
  const left = Math.sqrt(Math.max(0, 1 - result.samples / samples));
  const decimals = String(score).split('.')[1]!.length;
  const allowed = 4 * result.standardError * left + 0.6 * 10 ** -decimals;
  const message = `${task.metric} ${result.original} on ${result.samples} samples, published ${score}, allowed ${allowed}`;
  assert.ok(Math.abs(result.original - score) <= allowed, message);
}

async function checkTask(task: QualityTask): Promise<void> {
  const model = modelOf(task, MODELS);
  const session = await openFloat(model);
  try {
    const evaluation = await task.evaluation(MODELS);
    const file = readFileSync(model.path);
    for (let i = 0; i < SAMPLES; i++) await compareOutputs(session, file, await evaluation.inputs(i), setInputs(model));
    await checkMetric(task, session);
  } finally {
    session.close();
  }
}

async function checkModel(model: SampleModel): Promise<void> {
  const session = await openFloat(model);
  try {
    const samples = samplesOf(await samplesFor(model, session.inputs, SAMPLES), session.inputs);
    const file = readFileSync(model.path);
    for (let i = 0; i < samples.count; i++) await compareOutputs(session, file, samples.at(i), setInputs(model));
  } finally {
    session.close();
  }
}

if (!shared('models')) test('float models', () => skip('float models', '../shared/models is not there'));
else {
  const tasks = TASKS.filter((t) => LIMITS[t.id] !== 0);
  for (const task of tasks) test(`${task.id}: outputs and ${task.metric}`, () => checkTask(task));
  const labelled = new Set(tasks.map((t) => join(MODELS, t.model)));
  for (const model of sharedModels().filter((m) => !labelled.has(m.path)))
    test(`${model.id}: outputs`, () => checkModel(model));
}

test.run();
