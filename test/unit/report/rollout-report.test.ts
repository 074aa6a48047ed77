import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type RolloutReport, rolloutPage } from '../../../sdk/report/index.ts';

const wave = (name: string, committed: number, failed: number) => ({
  name,
  devices: 10,
  committed,
  failed,
  stalled: 0,
  absent: 1,
  open: 9 - committed - failed,
  skipped: 2,
  reverting: 0,
  reverted: 0,
});

const REPORT: RolloutReport = {
  id: 'kws <2>',
  phase: 'WAVE',
  wave: 'wave 1',
  waits: '3 of 10 devices are at it',
  waves: [wave('canary', 9, 0), wave('wave 1', 4, 2)],
  comparisons: [
    { metric: 'accuracy', loss: 0.01, low: -0.005, high: 0.025, margin: 0.03, devices: { treated: 9, control: 12 } },
  ],
  failures: [{ device: 'd<1>', state: 'FAILED', code: 'EW7005_GATE_FAILED' }],
  timeline: [
    { at: 0, committed: 0, failed: 0, reverted: 0 },
    { at: 600_000, committed: 13, failed: 2, reverted: 0 },
  ],
};

test('a page shows waves, time, metrics and failures', () => {
  const page = rolloutPage(REPORT);
  assert.match(page, 'Rollout kws &lt;2&gt;');
  assert.match(page, 'WAVE, wave 1: 3 of 10 devices are at it.');
  assert.match(page, '<title>wave 1, failed: 2</title>');
  assert.match(page, 'accuracy: 1.00 %, -0.50 % to 2.50 %');
  assert.match(page, 'Change on 9 devices that have it against 12 that do not');
  assert.match(page, '<code>EW7005_GATE_FAILED</code>');
  assert.match(page, '>minutes</text>');
  assert.not.match(page, /<script|https?:|NaN|undefined/);
});

test('a rollout that has not begun has a page', () => {
  const page = rolloutPage({ ...REPORT, phase: 'DRAFT', waves: [], comparisons: [], failures: [], timeline: [] });
  assert.match(page, 'DRAFT');
  assert.not.match(page, /Against devices|Failures|NaN|undefined/);
});

test.run();
