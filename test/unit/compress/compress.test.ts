import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CompressOptions,
  type CompressResult,
  compress,
  DEFAULT_OPTIONS,
  estimateInts,
  graphSize,
  planCompression,
  ROUND_TO_NEAREST,
} from '../../../sdk/compress/index.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { isHalf } from '../../../sdk/util/half.ts';
import { scaleFromLog8 } from '../../../sdk/util/log8.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import type { Tensor } from '../../../sdk/util/tensor.ts';
import { imageSamples, smallCnn, smallLstm, tokenSamples } from './networks.ts';

type Samples = Record<string, Tensor>[];

function run(
  graph: Graph,
  samples: Samples,
  bytes: number,
  more: Partial<CompressOptions> = {},
): Promise<CompressResult> {
  const options = { ...DEFAULT_OPTIONS, frontierPoints: 1, wireBudgetBytes: bytes, ...more };
  return compress(graph, { samples }, options, referenceRunner, noProgress);
}

/** Mean squared difference of the first output, relative to the original's variance. */
function relativeError(a: Graph, b: Graph, samples: Samples): number {
  let error = 0;
  let energy = 0;
  for (const s of samples) {
    const p = evaluateGraph(a, s)[a.outputs[0]!]!.data as Float32Array;
    const q = evaluateGraph(b, s)[b.outputs[0]!]!.data as Float32Array;
    p.forEach((v, i) => {
      error += (v - q[i]!) ** 2;
      energy += v * v;
    });
  }
  return error / energy;
}

/** What the format promises about every packed constant. */
function checkPackings(graph: Graph): void {
  for (const v of graph.values.values()) {
    if (!v.data || !v.packing) continue;
    const data = v.data.data as Float32Array;
    if (v.packing.kind === 'f16')
      assert.ok(
        data.every((x) => isHalf(x)),
        v.name,
      );
    if (v.packing.kind === 'codes') {
      const { bits } = v.packing;
      assert.ok(
        data.every((x) => Math.abs(x) < 2 ** (bits - 1)),
        v.name,
      );
    }
    if (v.packing.kind === 'log8') {
      const { base, exponents } = v.packing;
      assert.ok(
        data.every((x, i) => x === scaleFromLog8(base, exponents[i]!)),
        v.name,
      );
    }
  }
}

const cnn = smallCnn();
const images = imageSamples(40);
const fresh = imageSamples(20, 99);

test('a convolutional network at 6x: within the budget, close, sizes add up', async () => {
  const bytes = Math.floor((4 * 4800) / 5);
  const { graph, report } = await run(cnn, images, bytes);
  checkPackings(graph);
  assert.ok(report.budgetMet, `${report.totals.wireBytes} of ${bytes}`);
  assert.ok(report.totals.wireBytes > 0.9 * bytes);
  const size = graphSize(graph, estimateInts);
  assert.is(size.wireBytes, report.totals.wireBytes);
  assert.is(
    [...size.byValue.values()].reduce((s, v) => s + v.wire, 0),
    size.wireBytes,
  );
  assert.is(report.layers.length, 4);
  assert.equal(graph.nodes.filter((n) => n.op === 'QConv').length, 3);
  assert.is(graph.values.get('image.i8')?.type.dtype, 'i8');
  assert.ok(relativeError(cnn, graph, fresh) < 0.01);
  assert.ok(report.gate.agreement > 0.85);
  assert.ok(report.layers.every((l) => l.op === 'Linear' || l.op === 'Conv'));
  const head = report.layers.find((l) => l.name === 'head')!;
  assert.ok(head.components.length > 0 && head.ranks![0] <= head.ranks![2]);
});

test('the recipe beats plain rounding of the same size', async () => {
  const bytes = Math.floor((4 * 4800) / 7);
  const ours = await run(cnn, images, bytes);
  const plain = await run(cnn, images, bytes, ROUND_TO_NEAREST);
  assert.ok(plain.report.budgetMet && ours.report.budgetMet);
  assert.ok(relativeError(cnn, ours.graph, fresh) < relativeError(cnn, plain.graph, fresh));
});

test('a recurrent network: embedding, LSTM and head in integers', async () => {
  const lstm = smallLstm();
  const { graph, report } = await run(lstm, tokenSamples(30), 3600);
  checkPackings(graph);
  assert.ok(report.budgetMet);
  assert.equal(
    graph.nodes.map((n) => n.op).filter((op) => op.startsWith('Q')),
    ['QGather', 'QLstm', 'QLinear'],
  );
  assert.ok(relativeError(lstm, graph, tokenSamples(10, 77)) < 0.02);
});

test('same inputs, same bytes', async () => {
  const one = await run(cnn, images, 3000);
  const two = await run(cnn, images, 3000);
  assert.equal(one.report, two.report);
  for (const [name, v] of one.graph.values) assert.equal(v, two.graph.values.get(name));
});

test('a resident budget caps the width of codes', async () => {
  const bytes = 4800;
  const free = await run(cnn, images, bytes, { spectrum: false });
  const limit = Math.floor(free.report.totals.residentBytes * 0.85);
  const capped = await run(cnn, images, bytes, { spectrum: false, residentBudgetBytes: limit });
  assert.ok(capped.report.totals.residentBytes <= limit, `${capped.report.totals.residentBytes} of ${limit}`);
});

test('a quality out of reach: reported with what a larger size gives', async () => {
  const { report } = await run(cnn, images, 1600, { minQuality: 1.01, frontierPoints: 2, spectrum: false });
  assert.not.ok(report.gate.passed);
  assert.is(report.frontier.length, 3);
  assert.is(report.smallestPassing, undefined);
  assert.ok(report.frontier[2]!.divergence < report.frontier[0]!.divergence);
  assert.ok(report.bestAtBudget);
});

test('a budget that cannot be met is said, not exceeded silently', async () => {
  const { report } = await run(cnn, images, 200, { frontierPoints: 0, spectrum: false });
  assert.not.ok(report.budgetMet);
});

test('interrupted between layers', async () => {
  const controller = new AbortController();
  const options = { ...DEFAULT_OPTIONS, wireBudgetBytes: 3000 };
  const progress = (e: { stage: string; done: number }): void => {
    if (e.stage === 'sensitivity' && e.done === 1) controller.abort();
  };
  try {
    await compress(cnn, { samples: images }, options, referenceRunner, progress, controller.signal);
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW1004_INTERRUPTED');
  }
});

test('the plan names layers, samples and time before anything runs', () => {
  const plan = planCompression(cnn, { samples: images }, { ...DEFAULT_OPTIONS, wireBudgetBytes: 3000 });
  assert.is(plan.layers, 4);
  assert.is(plan.fitSamples + plan.holdoutSamples, 40);
  assert.ok(plan.seconds > 0 && plan.floorBytes > 0);
});

test.run();
