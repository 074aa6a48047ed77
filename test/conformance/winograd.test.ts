// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { bytesOf, sizeOf } from '../../sdk/util/tensor.ts';
import { TARGETS } from '../../targets/index.ts';
import { engineCases } from '../support/engines.ts';
import { winogradGraph } from '../support/winograd-graph.ts';

/** Convolutions by Winograd's algorithm on every engine give the bits of the operator. */
const { graph, inputs, expected, layers } = winogradGraph();

for (const { name: engine, load } of await engineCases(graph)) {
  for (const threads of [1, 2]) {
    test(`${engine}, ${threads} threads`, async () => {
      const e = await load(threads);
      const outputs = e.run(inputs);
      e.close();
      for (const [name, want] of expected) {
        const got = outputs[name]!;
        const at = Array.from({ length: sizeOf(want.shape) }, (_, i) => i).find(
          (i) => !Object.is(got.data[i], want.data[i]),
        );
        assert.is(at, undefined, `${name}, element ${at}: got ${got.data[at!]}, expected ${want.data[at!]}`);
        assert.ok(Buffer.from(bytesOf(got.data)).equals(Buffer.from(bytesOf(want.data))));
      }
    });
  }
}

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
