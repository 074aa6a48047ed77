import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GraphBuilder } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { qattention } from '../../sdk/ir/ops/qattention.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';
import { engineCases } from '../support/engines.ts';

/** More query rows than a block holds, so that threads share them, and a query from which every key is hidden. */
const SIZES = { batch: 1, heads: 3, queries: 75, keys: 80, size: 12, valueSize: 20 };
const VIEWS = { q: [0, 0, 12, 36], k: [0, 0, 960, 12], v: [0, 0, 20, 60] };
const attrs = { ...SIZES, ...VIEWS, causal: true };
const mask = sample([75, 80], 9, -3, 3);
mask.data.fill(Number.NEGATIVE_INFINITY, 41 * 80, 42 * 80);
const inputs = {
  q: sampleInts('i8', [75, 36], -127, 128, 4),
  k: sampleInts('i8', [3, 80, 12], -127, 128, 5),
  v: sampleInts('i8', [80, 60], -127, 128, 6),
  scale: sample([3], 7, 1e-4, 4e-4),
  values: sample([60], 8, 0.01, 0.02),
  mask,
};

test('any number of threads gives the reference bits; a query that sees nothing gives zeros', async () => {
  const b = new GraphBuilder('attention');
  const names = Object.entries(inputs).map(([name, t]) => b.input(name, { dtype: t.dtype, shape: t.shape }));
  const [want] = qattention.evaluate(Object.values(inputs), attrs);
  b.node({ name: 'y', op: 'QAttention', inputs: names, outputs: ['y'], attrs }, [want!]);
  b.outputs.push('y');
  assert.ok(
    Array.from(want!.data as Float32Array)
      .slice(41 * 60, 42 * 60)
      .every((v) => v === 0),
  );
  const variants = ['simd128', 'avx2', 'avx512vnni'];
  for (const { name, load } of await engineCases(b.build(), { variants }))
    for (const threads of [1, 2, 3]) {
      const engine = await load(threads);
      const { y } = engine.run(inputs);
      engine.close();
      assert.ok(Buffer.from(bytesOf(y!.data)).equals(Buffer.from(bytesOf(want!.data))), `${name}, ${threads} threads`);
    }
});

test.run();
