// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { bytesOf, sizeOf } from '../../sdk/util/tensor.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { engineCases } from '../support/engines.ts';
import { pairsGraph } from '../support/pairs-graph.ts';

/** Convolutions of which several pixels may share a vector give the bits of the operator on every engine. */
const { graph, inputs, expected, pixels } = pairsGraph();

for (const { name: engine, load } of await engineCases(graph)) {
  for (const threads of [1, 2, 3]) {
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
