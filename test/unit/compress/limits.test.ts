import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompressOptions,
  type CompressResult,
  compress,
  DEFAULT_OPTIONS,
  estimateInts,
  type Footprint,
  graphSize,
} from '../../../sdk/compress/index.ts';
import { bindingOf, excessOf, residentLimit } from '../../../sdk/compress/limits.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { imageSamples, smallCnn } from './networks.ts';

const cnn = smallCnn();
const images = imageSamples(40);

/** A made-up board: 16-bit inputs take a kilobyte and a millisecond more each, weights a microsecond a byte. */
function footprint(graph: Graph): Footprint {
  const wide = [...graph.values.values()].filter((v) => v.type.dtype === 'i16').length;
  const weightBytes = graphSize(graph, estimateInts).residentBytes;
  return {
    weightBytes,
    arenaBytes: 2000 + 1000 * wide,
    scratchBytes: 500,
    latencyMs: 10 + wide + 1e-3 * weightBytes,
    msPerByte: 1e-3,
  };
}

function run(more: Partial<CompressOptions>, wireBudgetBytes = 4800): Promise<CompressResult> {
  const options = { ...DEFAULT_OPTIONS, frontierPoints: 0, spectrum: false, wireBudgetBytes, footprint, ...more };
  return compress(cnn, { samples: images }, options, referenceRunner, noProgress);
}

const inputs = (graph: Graph, dtype: string): number =>
  [...graph.values.values()].filter((v) => v.type.dtype === dtype && !v.data).length;

test('the size binds where there is no other limit, and the report says what the program takes', async () => {
  const { graph, report } = await run({});
  assert.equal(report.binds, ['wire']);
  const f = footprint(graph);
  assert.is(report.totals.ramBytes, f.weightBytes + f.arenaBytes + f.scratchBytes);
  assert.is(report.frontier[0]!.ramBytes, report.totals.ramBytes);
});

test('a limit of memory is kept by weights and activations together', async () => {
  const wide = { wideActivations: 'all' } as const;
  const free = await run(wide);
  const maxRamBytes = Math.floor(free.report.totals.ramBytes! * 0.6);
  const { report } = await run({ ...wide, maxRamBytes });
  assert.ok(report.budgetMet, `${report.totals.ramBytes} of ${maxRamBytes}`);
  assert.ok(report.totals.ramBytes! <= maxRamBytes);
  assert.is(report.binds[0], 'resident');
  assert.ok(report.gate.divergence >= free.report.gate.divergence);
});

test('a limit of time takes 16-bit inputs away', async () => {
  const wide = { wideActivations: 'all' } as const;
  const free = await run(wide);
  const { graph, report } = await run({ ...wide, maxLatencyMs: footprint(free.graph).latencyMs - 1.2 });
  assert.ok(report.budgetMet);
  assert.ok(inputs(graph, 'i16') < inputs(free.graph, 'i16'));
  assert.equal(report.binds[0], 'latency');
});

test('a limit that cannot be kept is said, and which', async () => {
  const { report } = await run({ maxLatencyMs: 3 });
  assert.not.ok(report.budgetMet);
  assert.is(report.binds[0], 'latency');
});

test('under a limit below what activations alone take, the plan is the one that is least over it', async () => {
  const { graph, report } = await run({ wideActivations: 'all', maxRamBytes: 1500 });
  assert.not.ok(report.budgetMet);
  assert.is(inputs(graph, 'i16'), 0, 'activations of 16 bits where 8 would be nearer');
});

test('what the weights may take: the tightest of the limits', () => {
  const f: Footprint = { weightBytes: 100, arenaBytes: 50, scratchBytes: 10, latencyMs: 5, msPerByte: 0.01 };
  const options = { ...DEFAULT_OPTIONS, wireBudgetBytes: 1 };
  assert.equal(residentLimit({ ...options, residentBudgetBytes: 70 }, undefined), { bytes: 70, by: 'resident' });
  assert.equal(residentLimit({ ...options, maxRamBytes: 90 }, f), { bytes: 30, by: 'resident' });
  assert.equal(residentLimit({ ...options, maxLatencyMs: 4.5 }, f), { bytes: 50, by: 'latency' });
  assert.equal(residentLimit({ ...options, maxLatencyMs: 1, maxRamBytes: 90 }, f), { bytes: -300, by: 'latency' });
  assert.is(residentLimit({ ...options, residentBudgetBytes: 20, maxRamBytes: 90 }, f).bytes, 20);
  assert.is(excessOf({ ...options, maxRamBytes: 80 }, f), 80);
  assert.is(excessOf({ ...options, maxRamBytes: 159, maxLatencyMs: 4 }, f), 100);
  assert.is(excessOf({ ...options, maxRamBytes: 160, maxLatencyMs: 5 }, f), 0);
});

test('what binds: broken first; the quality when the size was sought', () => {
  const f: Footprint = { weightBytes: 100, arenaBytes: 50, scratchBytes: 0, latencyMs: 5, msPerByte: 0.01 };
  const options = { ...DEFAULT_OPTIONS, wireBudgetBytes: 100 };
  const spent = { wireBytes: 99, residentBytes: 100, footprint: f, limited: undefined };
  assert.equal(bindingOf({ ...options, maxLatencyMs: 4 }, spent), ['latency', 'wire']);
  assert.equal(bindingOf({ ...options, maxRamBytes: 1000 }, { ...spent, wireBytes: 50 }), []);
  assert.equal(bindingOf({ ...options, smallest: true }, { ...spent, limited: 'resident' }), ['quality', 'resident']);
  assert.equal(bindingOf(options, { ...spent, wireBytes: 101, limited: 'latency' }), ['wire', 'latency']);
});

test.run();
