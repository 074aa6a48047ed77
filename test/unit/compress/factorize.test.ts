import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bestRank } from '../../../sdk/compress/factorize.ts';
import { type CompressOptions, type CompressResult, compress, DEFAULT_OPTIONS } from '../../../sdk/compress/index.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { NetworkBuilder } from './networks.ts';

/** A pointwise convolution whose weights have rank 8 of 64, and a head. */
function lowRankCnn(): Graph {
  const n = new NetworkBuilder('low-rank', 3);
  const x = n.input('image', { dtype: 'f32', shape: [1, 6, 6, 48] });
  const y = n.conv('wide', x, [64, 1, 1, 48]);
  const w = n.b.values.get('wide.w')!;
  const rng = new Rng(5);
  const [a, b] = [64 * 8, 8 * 48].map((size) => Float64Array.from({ length: size }, () => rng.normal()));
  for (let r = 0; r < 64; r++) {
    for (let c = 0; c < 48; c++) {
      let sum = 0;
      for (let k = 0; k < 8; k++) sum += a![r * 8 + k]! * b![k * 48 + c]!;
      w.data!.data[r * 48 + c] = sum / 12;
    }
  }
  const mean = n.op('Reduce', 'mean', [y], { axes: [1, 2], keepdims: false, fn: 'mean' });
  return n.build(n.op('Softmax', 'probabilities', [n.linear('head', mean, 10, 3)], { axis: 1, log: false }));
}

function samples(count: number): Record<string, Tensor>[] {
  const rng = new Rng(11);
  return Array.from({ length: count }, () => ({
    image: tensor(
      'f32',
      [1, 6, 6, 48],
      Float32Array.from({ length: 36 * 48 }, () => rng.normal()),
    ),
  }));
}

function run(graph: Graph, more: Partial<CompressOptions>): Promise<CompressResult> {
  const options = { ...DEFAULT_OPTIONS, frontierPoints: 0, wireBudgetBytes: 1250, ...more };
  return compress(graph, { samples: samples(30) }, options, referenceRunner, noProgress);
}

test('a layer with rank to spare becomes a product of two, and the network keeps more at the same bytes', async () => {
  const graph = lowRankCnn();
  const split = await run(graph, {});
  const whole = await run(graph, { lowRank: false });
  assert.equal(split.report.factorized, [{ name: 'wide', rank: 8 }]);
  assert.equal(whole.report.factorized, []);
  assert.ok(split.report.totals.wireBytes <= 1250 && whole.report.totals.wireBytes <= 1250);
  assert.is(split.report.totals.params, whole.report.totals.params);
  assert.ok(
    split.report.gate.divergence < 0.5 * whole.report.gate.divergence,
    `${split.report.gate.divergence} against ${whole.report.gate.divergence}`,
  );
  const [x] = samples(1);
  const outputs = [graph, split.graph].map((g) => evaluateGraph(g, x!)[g.outputs[0]!]!.data as Float32Array);
  assert.ok(outputs[0]!.every((p, i) => Math.abs(p - outputs[1]![i]!) < 0.2));
});

test('the rank is the one beyond which nothing is left, and none where all components weigh the same', () => {
  const steep = Float64Array.from({ length: 64 }, (_, i) => (i < 10 ? 1 : 1e-9));
  assert.is(bestRank(steep, 64, 64, 4), 10);
  assert.is(bestRank(new Float64Array(64).fill(1), 64, 64, 4), undefined);
  assert.is(bestRank(new Float64Array(64), 64, 64, 4), undefined);
});

test.run();
