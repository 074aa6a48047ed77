// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { TARGETS } from '../../targets/index.ts';
import { testOutputs } from '../support/same-outputs.ts';
import { winogradGraph } from '../support/winograd-graph.ts';

/** Convolutions by Winograd's algorithm on every engine give the bits of the operator. */
const { graph, inputs, expected, layers } = winogradGraph();

await testOutputs(graph, inputs, expected, [1, 2]);

test('what could be inexact goes by the direct kernel, the rest does not', () => {
  for (const target of TARGETS) {
    for (const vectors of new Set([target.vectors, ...target.variants.flatMap((v) => v.vectors ?? [])])) {
      const source = planProgram(graph, vectors).source;
      const kernels = source.split(/^static void k\d+\(/m).slice(1);
      const convolutions = kernels.filter((k) => /ew_(panel|block)/.test(k));
      const transformed = convolutions.map((k) => k.includes('ew_winograd_image'));
      assert.is(transformed.length, layers, target.id);
      assert.equal(transformed.slice(-2), [false, false], target.id);
      assert.ok(transformed.includes(true), target.id);
      if (!vectors.wide) assert.equal(transformed.slice(4, 8), [true, true, true, true], target.id);
    }
  }
});

test.run();
