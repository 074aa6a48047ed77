import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadMetric } from '../../../../sdk/measure/metrics/index.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';

const near = (a: number, b: number, tolerance = 1e-6): void =>
  assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const outputs = (shape: number[], data: number[]) => ({ y: tensor('f32', shape, data) });

async function rejects(p: Promise<unknown>, code: string, text: string): Promise<void> {
  const e = await p.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isEigenError(e), 'an EigenError');
  assert.is((e as { code: string }).code, code);
  assert.match((e as Error).message, text);
}

test('top1 counts labels, leaves -1 out and gives the quality kept', async () => {
  const judge = await loadMetric('top1', '.');
  const original = outputs([4, 2], [1, 0, 0, 1, 1, 0, 1, 0]);
  const ours = outputs([4, 2], [1, 0, 1, 0, 1, 0, 1, 0]);
  const c = await judge.compare({ ours, original, arrays: { labels: tensor('i64', [4], [0, 1, 0, -1]) } });
  near(c.original, 1);
  near(c.ours, 2 / 3);
  near(c.quality, 2 / 3);
  assert.is(c.samples, 4);
  assert.ok(c.interval[0] <= c.quality && c.quality <= c.interval[1]);
});

test('the interval is paired: equal predictions give exactly [1, 1]', async () => {
  const judge = await loadMetric('top1', '.');
  const y = outputs([6, 2], [1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1]);
  const c = await judge.compare({ ours: y, original: y, arrays: { labels: tensor('i32', [6], [0, 0, 0, 1, 1, 1]) } });
  assert.equal(c.interval, [1, 1]);
});

test('the interval has the width that the binomial distribution gives', async () => {
  const n = 400;
  const labels = tensor('i32', [n], new Array(n).fill(0));
  const original = outputs(
    [n, 2],
    Array.from({ length: 2 * n }, (_, i) => 1 - (i % 2)),
  );
  const ours = outputs([n, 2], Array.from({ length: n }, (_, i) => (i % 10 === 0 ? [0, 1] : [1, 0])).flat());
  const c = await (await loadMetric('top1', '.')).compare({ ours, original, arrays: { labels } });
  const half = 1.96 * Math.sqrt((0.1 * 0.9) / n);
  near(c.interval[0], 0.9 - half, 0.008);
  near(c.interval[1], 0.9 + half, 0.008);
});

test('agreement looks at the largest score over the last axis', async () => {
  const judge = await loadMetric('agreement', '.');
  const original = outputs([1, 2, 3], [1, 2, 3, 3, 2, 1]);
  const ours = outputs([1, 2, 3], [0, 0, 9, 0, 1, 0]);
  near((await judge.compare({ ours, original, arrays: {} })).quality, 0.5);
});

test('sqnr: noise of a tenth of the amplitude is 20 dB and keeps 99 %', async () => {
  const judge = await loadMetric('sqnr', '.');
  const c = await judge.compare({
    ours: outputs([2, 2], [1.1, 0.9, 1.1, 0.9]),
    original: outputs([2, 2], [1, 1, 1, 1]),
    arrays: {},
  });
  near(c.ours, 20, 1e-4);
  near(c.quality, 0.99, 1e-6);
});

test('perplexity from logits and from probabilities is the same number', async () => {
  const judge = await loadMetric('perplexity', '.');
  const arrays = { targets: tensor('i64', [1, 2], [1, -1]) };
  const probabilities = outputs([1, 2, 2], [0.25, 0.75, 0.5, 0.5]);
  const logits = outputs([1, 2, 2], [5, 5 + Math.log(3), 0, 0]);
  const c = await judge.compare({ ours: logits, original: probabilities, arrays });
  near(c.original, 4 / 3, 1e-6);
  near(c.ours, 4 / 3, 1e-6);
});

test('what is missing is known before anything was measured', async () => {
  const arrays = { x: tensor('f32', [1], [0]) };
  for (const [name, array] of [
    ['top1', 'labels'],
    ['perplexity', 'targets'],
  ] as const) {
    const judge = await loadMetric(name, '.');
    assert.throws(() => judge.check(arrays), `needs the array '${array}', the evaluation file has x`);
    judge.check({ [array]: arrays.x });
  }
  (await loadMetric('agreement', '.')).check(arrays);
});

test('missing, misshapen and impossible labels are named', async () => {
  const judge = await loadMetric('top1', '.');
  const y = outputs([2, 2], [1, 0, 0, 1]);
  await rejects(
    judge.compare({ ours: y, original: y, arrays: { x: y.y } }),
    'EW3202_DATA_INVALID',
    "needs the array 'labels', the evaluation file has x",
  );
  await rejects(
    judge.compare({ ours: y, original: y, arrays: { labels: tensor('i32', [3], [0, 1, 0]) } }),
    'EW3202_DATA_INVALID',
    'shape [3]',
  );
  await rejects(
    judge.compare({ ours: y, original: y, arrays: { labels: tensor('i32', [2], [0, 2]) } }),
    'EW3202_DATA_INVALID',
    '2 is no class',
  );
});

test('a module of the user, by path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'metric-'));
  try {
    writeFileSync(
      join(folder, 'mean.mjs'),
      'export default (o, a) => o.y.data.reduce((s, v) => s + v, 0) / o.y.shape[0] + a.z.data.length * 0;',
    );
    writeFileSync(join(folder, 'nan.mjs'), 'export const metric = () => NaN;');
    writeFileSync(join(folder, 'none.mjs'), 'export const other = 1;');
    const outcome = {
      ours: outputs([2, 1], [1, 2]),
      original: outputs([2, 1], [2, 2]),
      arrays: { z: tensor('f32', [2], [0, 0]) },
    };
    const c = await (await loadMetric('./mean.mjs', folder)).compare(outcome);
    near(c.quality, 0.75);
    await rejects((await loadMetric('./nan.mjs', folder)).compare(outcome), 'EW3202_DATA_INVALID', 'returned NaN');
    await rejects(loadMetric('./none.mjs', folder), 'EW1001_USAGE', 'exports no function');
    await rejects(loadMetric('./absent.mjs', folder), 'EW1002_FILE_NOT_FOUND', 'cannot be loaded');
    await rejects(loadMetric('topl', folder), 'EW1001_USAGE', "unknown metric 'topl'");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
