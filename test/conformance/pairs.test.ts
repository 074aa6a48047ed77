// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { pairsGraph } from '../support/pairs-graph.ts';
import { testOutputs } from '../support/same-outputs.ts';

/** Convolutions of which several pixels may share a vector give the bits of the operator on every engine. */
const { graph, inputs, expected, pixels } = pairsGraph();

await testOutputs(graph, inputs, expected, [1, 2, 3]);

test('pixels share a vector where all channels fill half of it', () => {
  const { vectors } = hostTarget.variants.find((v) => v.id === 'avx512vnni')!;
  const kernels = planProgram(graph, vectors!)
    .source.split(/^static void k\d+\(/m)
    .slice(1);
  const convolutions = kernels.filter((k) => /ew_(block|filters)\(/.test(k));
  assert.equal(
    convolutions.map((k) => (k.includes('ew_store_pixels(') ? 16 : k.includes('_twice(') ? 2 : 1)),
    pixels,
  );
});

test.run();
