import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { attentionRanges, integerAttention } from '../../../sdk/compress/attention.ts';
import { findAttention } from '../../../sdk/compress/attention-match.ts';
import { fixedInputs } from '../../../sdk/compress/fixed-inputs.ts';
import { compress, DEFAULT_OPTIONS } from '../../../sdk/compress/index.ts';
import { findLayers } from '../../../sdk/compress/layers.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../sdk/ir/graph.ts';
import { verifyGraph } from '../../../sdk/ir/verify.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { tensor, toNumbers } from '../../../sdk/util/tensor.ts';
import { NetworkBuilder, smallTransformer, tokenSamples } from './networks.ts';

const graph = smallTransformer();
const samples = tokenSamples(24, 3, [1, 12]);

function relativeError(a: Graph, b: Graph, inputs: typeof samples): number {
  let [error, energy] = [0, 0];
  for (const s of inputs) {
    const [p, q] = [a, b].map((g) => toNumbers(evaluateGraph(g, s)[g.outputs[0]!]!));
    p!.forEach((v, i) => {
      error += (v - q![i]!) ** 2;
      energy += v * v;
    });
  }
  return error / energy;
}

test('attention is found behind slices, reshapes and transposes, its mask understood', () => {
  const [a, ...more] = findAttention(graph);
  assert.is(more.length, 0);
  assert.equal([a!.q.value, a!.q.at], ['qkv', [0, 0, 8, 72]]);
  assert.equal(a!.k.at, [24, 0, 8, 72]);
  assert.equal(a!.v.at, [48, 0, 8, 72]);
  assert.ok(Math.abs(a!.factor - 1 / Math.sqrt(8)) < 1e-6);
  assert.ok(a!.causal && a!.mask === '' && a!.causalMask === 'later');
  assert.equal([a!.output, a!.sideBySide], ['rows', true]);
  assert.equal([a!.heads, a!.queries, a!.keys, a!.size, a!.valueSize], [3, 12, 12, 8, 8]);
});

/** Heads that never lie side by side, keys from another tensor, a mask that depends on the input. */
function crossAttention(scoresAreAnOutput: boolean): Graph {
  const n = new NetworkBuilder('cross', 4);
  const [q, kv] = [n.input('q', { dtype: 'f32', shape: [2, 5, 6] }), n.input('kv', { dtype: 'f32', shape: [2, 7, 6] })];
  const mask = n.input('mask', { dtype: 'f32', shape: [2, 1, 7] });
  const plain = { transA: false, transB: false };
  const keys = n.op('Transpose', 'keys', [n.linear('k', kv, 6)], { perm: [0, 2, 1] });
  const scores = n.op('MatMul', 'scores', [n.linear('queries', q, 6), keys], plain);
  const weights = n.op('Softmax', 'weights', [n.op('Add', 'masked', [scores, mask])], { axis: 2, log: false });
  const y = n.op('MatMul', 'y', [weights, n.linear('v', kv, 6)], plain);
  return n.build(...(scoresAreAnOutput ? [y, 'scores'] : [y]));
}

test('one head a sample, a mask that is computed; scores that are read elsewhere stay', async () => {
  const cross = crossAttention(false);
  const found = findAttention(cross);
  assert.is(found.length, 1);
  assert.equal([found[0]!.mask, found[0]!.causal, found[0]!.heads], ['mask', false, 2]);
  assert.is(findAttention(crossAttention(true)).length, 0);
  const session = await referenceRunner.open(cross, { keep: ['queries', 'k', 'v'] });
  const random = (shape: readonly number[], seed: number) => {
    const { rng } = new NetworkBuilder('inputs', seed);
    const values = Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
    return tensor('f32', shape, values);
  };
  const inputs = { q: random([2, 5, 6], 5), kv: random([2, 7, 6], 6), mask: random([2, 1, 7], 7) };
  const integer = integerAttention(cross, found, await attentionRanges(found, session, [inputs]));
  verifyGraph(integer);
  const [p, q] = [cross, integer].map((g) => toNumbers(evaluateGraph(g, inputs).y!));
  assert.ok(Math.max(...p!.map((v, i) => Math.abs(v - q![i]!))) < 0.06);
});

test('integer attention follows the float one to within the step of the codes, and nothing else is left of it', async () => {
  const found = findAttention(graph);
  const session = await referenceRunner.open(graph, { keep: ['qkv'] });
  const integer = integerAttention(graph, found, await attentionRanges(found, session, samples));
  verifyGraph(integer);
  assert.equal(
    integer.nodes.filter((n) => ['Slice', 'MatMul', 'Softmax', 'Transpose'].includes(n.op)).map((n) => n.name),
    [],
  );
  assert.not.ok(integer.values.has('later'));
  assert.ok(relativeError(graph, integer, samples.slice(0, 6)) < 1e-3);
});

test('hidden layers read by linear layers only get fixed scales', () => {
  const layers = findLayers(graph);
  assert.not.ok(layers.some((l) => l.kind === 'table'));
  assert.equal(
    [...fixedInputs(graph, layers)].map((l) => l.input),
    ['hidden'],
  );
});

test('a transformer in integers end to end', async () => {
  const options = { ...DEFAULT_OPTIONS, spectrum: false, frontierPoints: 0, wireBudgetBytes: 3000 };
  const { graph: integer, report } = await compress(graph, { samples }, options, referenceRunner, noProgress);
  assert.ok(report.budgetMet);
  const ops = new Set(integer.nodes.map((n) => n.op));
  assert.ok(ops.has('QAttention') && !ops.has('MatMul') && !ops.has('Softmax'));
  assert.is(report.layers.find((l) => l.name === 'down')!.activation, 'static');
  assert.ok(relativeError(graph, integer, tokenSamples(6, 99, [1, 12])) < 0.02);
});

test.run();
