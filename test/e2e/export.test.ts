// timeout: 300
/** Compressed models of ../shared/models as ONNX files: onnxruntime-web gives the answers and the score that the kernels give. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildCompressed, exportBundle, openOracle, openSession, ROUND_TO_NEAREST } from '../../sdk/index.ts';
import { skip } from '../../sdk/testing/index.ts';
import type { Tensor } from '../../sdk/util/tensor.ts';
import { modelOf, type QualityTask } from '../../tools/quality/task.ts';
import { TASKS } from '../../tools/quality/tasks.ts';
import { shared } from '../support/shared.ts';

interface Exported {
  readonly task: string;
  readonly samples: number;
  readonly matmul: 'qdq' | 'nbits';
  /** Share of rows with the same answer, at least. */
  readonly agreement: number;
  /** Largest difference of the two scores, relative. */
  readonly score: number;
}

const MODELS: readonly Exported[] = [
  { task: 'kws_dscnn', samples: 200, matmul: 'qdq', agreement: 0.99, score: 0.01 },
  { task: 'cifar_resnet8', samples: 200, matmul: 'qdq', agreement: 0.98, score: 0.02 },
  { task: 'lm_gpt_shakespeare', samples: 8, matmul: 'nbits', agreement: 0.98, score: 0.005 },
  { task: 'lm_charrnn_shakespeare', samples: 1, matmul: 'qdq', agreement: 0.98, score: 0.005 },
];

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-export-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Rounded to nearest: what is tested here is that the file says the same, not how good it is. */
async function build(task: QualityTask, models: string): Promise<string> {
  const out = join(folder, `${task.id}.ewb`);
  const calibration = await task.calibration(models, folder);
  await buildCompressed(modelOf(task, models), {
    target: 'host',
    calibration,
    budget: { factor: 6 },
    minQuality: 0,
    cwd: folder,
    stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
    force: true,
    out,
  });
  return out;
}

function answers(t: Tensor): number[] {
  const classes = t.shape.at(-1)!;
  const data = t.data as Float32Array;
  return Array.from({ length: data.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (data[row * classes + c]! > data[row * classes + best]!) best = c;
    return best;
  });
}

for (const m of MODELS) {
  test(`${m.task} with ${m.matmul}`, async () => {
    const models = shared('models');
    if (!models) return skip(m.task, '../shared/models is not there');
    const task = TASKS.find((t) => t.id === m.task)!;
    const bundle = await build(task, models);
    const out = join(folder, `${m.task}.onnx`);
    const report = await exportBundle(bundle, { matmul: m.matmul, out });
    assert.ok(report.bytes < report.originalBytes / 2.5, `${report.bytes} of ${report.originalBytes} bytes`);
    const [ours, theirs] = [await openSession(bundle), await openOracle('onnxruntime-web', readFileSync(out))];
    try {
      const data = await task.evaluation(models);
      const scores = { ours: [0, 0], theirs: [0, 0] };
      let [same, rows] = [0, 0];
      for (let i = 0; i < m.samples; i++) {
        const inputs = await data.inputs(i);
        const [a, b] = [await ours.run(inputs), await theirs.run(inputs)].map((o) => o[ours.outputs[0]!.name]!);
        for (const [who, t] of Object.entries({ ours: a!, theirs: b! }) as ['ours' | 'theirs', Tensor][]) {
          const [sum, weight] = data.score!(i, t);
          scores[who][0]! += sum;
          scores[who][1]! += weight;
        }
        const [p, q] = [answers(a!), answers(b!)];
        same += p.filter((v, k) => v === q[k]).length;
        rows += p.length;
      }
      const [x, y] = [scores.ours[0]! / scores.ours[1]!, scores.theirs[0]! / scores.theirs[1]!];
      assert.ok(same / rows >= m.agreement, `${same} of ${rows} answers are the same`);
      assert.ok(Math.abs(x - y) <= m.score * x, `scores ${x} and ${y}`);
    } finally {
      ours.close();
      await theirs.close();
    }
  });
}

test.run();
