import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeCaches, findCaches } from '../../../sdk/compress/caches.ts';
import { compress, DEFAULT_OPTIONS } from '../../../sdk/compress/index.ts';
import type { Sample } from '../../../sdk/compress/types.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, valueNamed } from '../../../sdk/ir/graph.ts';
import { interfaceScales } from '../../../sdk/ir/scales.ts';
import { verifyGraph } from '../../../sdk/ir/verify.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { imageSamples, NetworkBuilder, smallCnn } from './networks.ts';

/** A step of a decoder, two heads of 8: seven keys and values of the past, the oldest of which leave. */
function step(): Graph {
  const n = new NetworkBuilder('step', 5);
  const x = n.input('x', { dtype: 'f32', shape: [1, 1, 16] });
  const qkv = n.linear('qkv', x, 48, 2);
  const part = (name: string, third: number): string => {
    const attrs = { starts: [0, 0, 16 * third], sizes: [1, 1, 16], steps: [1, 1, 1] };
    const split = n.op('Reshape', `${name}.split`, [n.op('Slice', `${name}.slice`, [qkv], attrs)], {
      shape: [1, 1, 2, 8],
    });
    return n.op('Transpose', name, [split], { perm: [0, 2, 1, 3] });
  };
  const continued = (name: string, latest: string): string => {
    const past = n.input(`past.${name}`, { dtype: 'f32', shape: [1, 2, 7, 8] });
    const all = n.op('Concat', `all.${name}`, [past, latest], { axis: 2 });
    n.op('Slice', `present.${name}`, [all], { starts: [0, 0, 1, 0], sizes: [1, 2, 7, 8], steps: [1, 1, 1, 1] });
    return all;
  };
  const [keys, values] = [continued('key', part('k', 1)), continued('value', part('v', 2))];
  const scores = n.op('MatMul', 'scores', [part('q', 0), keys], { transA: false, transB: true });
  const weights = n.op('Softmax', 'weights', [scores], { axis: 3, log: false });
  const mixed = n.op('MatMul', 'mixed', [weights, values], { transA: false, transB: false });
  const rows = n.op('Reshape', 'rows', [n.op('Transpose', 'together', [mixed], { perm: [0, 2, 1, 3] })], {
    shape: [1, 1, 16],
  });
  return n.build(n.linear('head', rows, 10, 3), 'present.key', 'present.value');
}

function samplesOf(count: number): Sample[] {
  const rng = new Rng(7);
  const noise = (shape: number[], size: number) =>
    tensor(
      'f32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => size * rng.normal()),
    );
  return Array.from({ length: count }, () => ({
    x: noise([1, 1, 16], 1),
    'past.key': noise([1, 2, 7, 8], 2),
    'past.value': noise([1, 2, 7, 8], 2),
  }));
}

test('caches are inputs that outputs continue', () => {
  assert.equal(findCaches(step()), [
    { input: 'past.key', output: 'present.key' },
    { input: 'past.value', output: 'present.value' },
  ]);
  assert.equal(findCaches(smallCnn()), []);
});

test('as codes they keep their values from step to step, and answers stay near', async () => {
  const [graph, samples] = [step(), samplesOf(16)];
  const coded = await codeCaches(graph, { samples }, referenceRunner);
  verifyGraph(coded.graph);
  const scales = interfaceScales(coded.graph);
  for (const end of ['past.key', 'present.key', 'past.value', 'present.value']) {
    assert.is(valueNamed(coded.graph, end).type.dtype, 'i8');
    assert.is(scales.get(end), scales.get(end.replace('past', 'present')));
  }
  let [error, energy] = [0, 0];
  coded.data.samples.forEach((sample, i) => {
    const [y, original] = [evaluateGraph(coded.graph, sample), evaluateGraph(graph, samples[i]!)];
    // All but the oldest position, the codes themselves.
    for (let h = 0; h < 2; h++) {
      const [from, to] = [sample['past.key']!, y['present.key']!].map((t) => t.data.slice(h * 56, h * 56 + 56));
      assert.equal(to!.slice(0, 48), from!.slice(8));
    }
    original.head!.data.forEach((v, k) => {
      error += (Number(y.head!.data[k]) - Number(v)) ** 2;
      energy += Number(v) ** 2;
    });
    assert.equal(coded.data.answers!.get(sample)!.head!.data, original.head!.data);
  });
  assert.ok(error < 0.01 * energy, `${error} of ${energy}`);
});

test('quality is judged by what the original answers', async () => {
  const coded = await codeCaches(step(), { samples: samplesOf(24) }, referenceRunner);
  const options = { ...DEFAULT_OPTIONS, wireBudgetBytes: 1500, frontierPoints: 0 };
  const { report, graph } = await compress(coded.graph, coded.data, options, referenceRunner, noProgress);
  assert.ok(report.gate.divergence > 0 && report.gate.divergence < 0.1, `${report.gate.divergence}`);
  assert.is(interfaceScales(graph).size, 4);
});

test('a model without a cache is refused', async () => {
  const error = await codeCaches(smallCnn(), { samples: imageSamples(1) }, referenceRunner).catch((e) => e);
  assert.ok(isEigenError(error) && error.code === 'EW1001_USAGE', String(error));
});

test.run();
