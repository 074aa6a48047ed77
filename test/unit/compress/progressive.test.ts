import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompressOptions, compress, DEFAULT_OPTIONS } from '../../../sdk/compress/index.ts';
import type { Planer } from '../../../sdk/compress/size.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { codeCounts, pointsOf } from '../../../sdk/util/nested.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { imageSamples, smallCnn } from './networks.ts';

const samples = imageSamples(40);
const run = (more: Partial<CompressOptions>) => {
  const options = { ...DEFAULT_OPTIONS, frontierPoints: 0, wireBudgetBytes: 4800, minQuality: 0, ...more };
  return compress(smallCnn(), { samples }, options, referenceRunner, noProgress);
};

/** Every matrix in a base and two planes of a fifth and a quarter of a byte a code. */
const planer: Planer = (codes) => ({
  planes: [{ length: Math.floor(codes.length / 5) }, { length: Math.floor(codes.length / 4) }],
  points: [1, 2].map((level) => pointsOf(codeCounts(codes), level)),
});

test('prefixes of the weights are measured in the order of travel; the whole is what the gate saw', async () => {
  const { report, graph } = await run({ planer });
  const points = report.progressive!;
  assert.ok(points.length > 2 && points.length <= 8, JSON.stringify(points));
  const codes = report.layers.reduce((sum, l) => sum + Math.floor(l.params / 5) + Math.floor(l.params / 4), 0);
  assert.is(points[0]!.bytes, report.totals.wireBytes - codes);
  assert.is(points.at(-1)!.bytes, report.totals.wireBytes);
  points.forEach((p, i) => {
    assert.is(p.share, p.bytes / report.totals.wireBytes);
    assert.is(p.samples, report.holdoutSamples);
    assert.ok(i === 0 || p.bytes > points[i - 1]!.bytes);
  });
  const last = points.at(-1)!;
  assert.equal(
    [last.divergence, last.quality, last.agreement],
    [report.gate.divergence, report.gate.quality, report.gate.agreement],
  );
  assert.ok(points[0]!.divergence > 2 * last.divergence);
  const plain = await run({});
  assert.is(plain.report.progressive, undefined);
  assert.equal(plain.graph.values, graph.values);
});

test('weights that travel whole are one point', async () => {
  const { report } = await run({ planer: () => ({ planes: [], points: [] }) });
  assert.equal(
    report.progressive!.map((p) => p.share),
    [1],
  );
});

test.run();
