import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Slabs } from '../../../sdk/util/slabs.ts';

const test = suite('slabs');

test('buffers in use never share memory, and what was given back is used again', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 300_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.infiniteStream(fc.nat()), (list, picks) => {
      const slabs = new Slabs();
      const used: { view: Uint8Array; mark: number }[] = [];
      for (const [i, size] of list.entries()) {
        const view = slabs.take(size);
        assert.is(view.byteLength, size);
        view.fill((i % 255) + 1);
        used.push({ view, mark: (i % 255) + 1 });
        const pick = picks.next().value as number;
        if (pick % 3 === 0) {
          const [old] = used.splice(pick % used.length, 1);
          assert.ok(old!.view.every((b) => b === old!.mark));
          slabs.give(old!.view);
        }
      }
      for (const { view, mark } of used) assert.ok(view.every((b) => b === mark));
      for (const { view } of used) slabs.give(view);
      assert.is(slabs.bytes, 0);
    }),
    { numRuns: 30 },
  );
});

test('a slab that nothing is in is let go, a buffer larger than a slab gets its own', () => {
  const slabs = new Slabs();
  const small = slabs.take(1000);
  const one = slabs.bytes;
  const large = slabs.take(2 * one);
  assert.is(slabs.bytes, 3 * one);
  slabs.give(large);
  assert.is(slabs.bytes, one);
  slabs.give(small);
  assert.is(slabs.bytes, 0);
});

test.run();
