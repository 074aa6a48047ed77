/**
 * Representations of weights that the compressor does not use, measured at the bytes on the wire that 8x leaves, on labelled data with the
 * engine that devices have: codebooks of int8 entries a matrix (levels of their own instead of whole steps, tools/representations/), and
 * steps that are chosen by their bits as well. Then what the order of an LSTM's units is worth. The goal for memory is off, so that all
 * plans are alike. Prints Markdown tables.
 *
 * --filter TEXT  tasks whose name has one of these parts (a,b)      --samples N  a limit of labelled samples
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BundleSession, buildCompressed, type CompressOptions, openOracle, openSession } from '../sdk/index.ts';
import { compareOn } from './quality/compare.ts';
import { type Forward, MODELS, modelOf, type QualityTask } from './quality/task.ts';
import { TASKS } from './quality/tasks.ts';
import { codebookFit } from './representations/codebook-fit.ts';
import { type CodeBytes, rowOrders } from './representations/rows.ts';
import { CODEBOOK_SIZES } from './representations/sizes.ts';

const OUT = resolve(import.meta.dirname, '../out/representations');
const USUAL = 'kws_dscnn,lm_charrnn_shakespeare,cifar_resnet8_large';
const FACTOR = 8;
/** Bits for more levels than a code needs: as many as 7 bits have. */
const MANY = 7;

interface Representation {
  readonly name: string;
  readonly stages: Partial<CompressOptions>;
}

const REPRESENTATIONS: readonly Representation[] = [
  { name: 'whole steps (the compressor)', stages: {} },
  { name: 'whole steps, chosen by their bits too', stages: { matrixFit: codebookFit({ kind: 'whole' }) } },
  {
    name: 'codebook, any number of entries, entropy-coded',
    stages: { matrixFit: codebookFit({ kind: 'coded', slack: MANY }), ...CODEBOOK_SIZES },
  },
  {
    name: 'codebook, entries for 0.2 bits more than a code takes, entropy-coded',
    stages: { matrixFit: codebookFit({ kind: 'coded', slack: 0.2 }), ...CODEBOOK_SIZES },
  },
  {
    name: 'codebook for a fixed width, half a bit less',
    stages: { matrixFit: codebookFit({ kind: 'fixed', slack: -0.5 }), ...CODEBOOK_SIZES },
  },
];

async function measure(task: QualityTask, limit: number | undefined): Promise<void> {
  const folder = join(OUT, task.id);
  await mkdir(folder, { recursive: true });
  const model = modelOf(task, MODELS);
  const calibration = await task.calibration(MODELS, folder);
  const fixed = { target: 'raspberry-pi-4b', calibration, cwd: folder, force: true, budget: { factor: FACTOR } };
  const oracle = await openOracle('onnxruntime-web', await readFile(model.path));
  const sessions: BundleSession[] = [];
  const sizes: CodeBytes[] = [];
  try {
    for (const [i, { name, stages }] of REPRESENTATIONS.entries()) {
      console.error(`${task.id}: ${name}`);
      const out = join(folder, `${i}.ewb`);
      const memoryGoalBytes = Number.MAX_SAFE_INTEGER;
      const built = await buildCompressed(model, {
        ...fixed,
        out,
        stages: { frontierPoints: 0, memoryGoalBytes, ...stages },
      });
      const { wireBytes, residentBytes } = built.report!.totals;
      sizes.push({ wire: wireBytes, resident: residentBytes });
      sessions.push(await openSession(out));
    }
    const models = sessions.map(
      (s): Forward =>
        (inputs) =>
          s.run(inputs),
    );
    const original: Forward = (inputs) => oracle.run(inputs);
    const result = await compareOn(task, await task.evaluation(MODELS), original, models, limit);
    console.log(
      `\n| ${task.id}, ${result.samples} samples | wire bytes | bytes in memory | divergence, nats | agreement |`,
    );
    console.log('| --- | ---: | ---: | ---: | ---: |');
    result.models.forEach(({ divergence, agreement }, i) => {
      const { wire, resident } = sizes[i]!;
      const share = `${(100 * agreement).toFixed(1)} %`;
      console.log(`| ${REPRESENTATIONS[i]!.name} | ${wire} | ${resident} | ${divergence.toPrecision(3)} | ${share} |`);
    });
    const orders = rowOrders(sessions[0]!.bundle);
    if (orders) {
      console.log('\n| codes of recurrent layers | wire bytes | bytes in memory |\n| --- | ---: | ---: |');
      for (const [name, { wire, resident }] of Object.entries(orders))
        console.log(`| ${name} | ${wire} | ${resident} |`);
    }
  } finally {
    for (const s of sessions) s.close();
    await oracle.close();
  }
}

const { values } = parseArgs({
  options: { filter: { type: 'string', default: USUAL }, samples: { type: 'string' } },
});
const parts = values.filter.split(',').filter(Boolean);
for (const task of TASKS.filter((t) => parts.some((p) => t.id === p || (values.filter !== USUAL && t.id.includes(p)))))
  await measure(task, values.samples === undefined ? undefined : Number(values.samples));
