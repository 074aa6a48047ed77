import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compress, DEFAULT_OPTIONS } from '../../../sdk/compress/index.ts';
import type { Candidate } from '../../../sdk/compress/passes.ts';
import { nextSize } from '../../../sdk/compress/smallest.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { smallLstm, tokenSamples } from './networks.ts';

const lstm = smallLstm();
const samples = tokenSamples(30);
const options = { ...DEFAULT_OPTIONS, spectrum: false, dampings: [1], smallest: true };

function seek(minQuality: number, wireBudgetBytes: number) {
  return compress(lstm, { samples }, { ...options, minQuality, wireBudgetBytes }, referenceRunner, noProgress);
}

test('the smallest size that keeps a quality, from a start that is too large or too small', async () => {
  const down = (await seek(0.95, 3600)).report;
  const up = (await seek(0.95, 1500)).report;
  for (const r of [down, up]) {
    assert.ok(r.gate.passed && r.gate.quality >= 0.95);
    assert.equal(r.binds, ['quality']);
    assert.is(r.smallestPassing!.wireBytes, r.totals.wireBytes);
    assert.ok(r.frontier.every((p) => p.quality < 0.95 || p.wireBytes >= r.totals.wireBytes));
  }
  assert.ok(Math.abs(Math.log(down.totals.wireBytes / up.totals.wireBytes)) < 0.15);
});

test('a quality that no size keeps: the best one, judged as failed', async () => {
  const { report } = await seek(1.01, 3600);
  assert.not.ok(report.gate.passed);
  assert.is(report.gate.quality, Math.max(...report.frontier.map((p) => p.quality)));
});

test('a quality that every size keeps: as small as codes get', async () => {
  const { report } = await seek(0.01, 1500);
  assert.ok(report.gate.passed);
  assert.is(report.totals.wireBytes, Math.min(...report.frontier.map((p) => p.wireBytes)));
});

const measured = (asked: number, wireBytes: number, low: number): Candidate =>
  ({ wireBytes: asked, point: { wireBytes, low } }) as Candidate;

test('the next size: outwards until there is one of each, then between them, nearer to the one that is nearer', () => {
  assert.is(nextSize(measured(1000, 998, 0.99), undefined, 0.98), 714);
  assert.is(nextSize(undefined, measured(1000, 998, 0.9), 0.98), 1400);
  assert.is(nextSize(measured(1400, 1390, 0.99), measured(1000, 998, 0.96), 0.98), 1195);
  assert.is(nextSize(measured(1030, 1028, 0.99), measured(1000, 998, 0.96), 0.98), undefined);
  // Codes as coarse, or as fine, as they get.
  assert.is(nextSize(measured(500, 600, 0.99), undefined, 0.98), undefined);
  assert.is(nextSize(undefined, measured(5000, 4000, 0.9), 0.98), undefined);
});

test.run();
