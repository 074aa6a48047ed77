import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../sdk/ir/graph.ts';
import { bytesOf, sizeOf, type Tensor } from '../../sdk/util/tensor.ts';
import { engineCases } from './engines.ts';

/** One test for every engine and number of threads: its outputs are the expected ones to the bit. */
export async function testOutputs(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  expected: ReadonlyMap<string, Tensor>,
  threadCounts: readonly number[],
): Promise<void> {
  for (const { name: engine, load } of await engineCases(graph)) {
    for (const threads of threadCounts) {
      test(`${graph.name}: ${engine}, ${threads} threads`, async () => {
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
}
