import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { align, type Buffer, planMemory } from '../../sdk/compile/memory.ts';

const buffers = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), from: fc.nat(20), length: fc.nat(8) }), {
    minLength: 1,
    maxLength: 40,
  })
  .map((list) => list.map((b, i): Buffer => ({ id: `b${i}`, bytes: b.bytes, from: b.from, to: b.from + b.length })));

test('buffers that live at the same time never overlap', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const plan = planMemory(list, 29);
      for (const a of list) {
        const at = plan.offsets.get(a.id)!;
        assert.is(at % 64, 0);
        assert.ok(at + a.bytes <= plan.arenaBytes);
        for (const b of list) {
          if (a === b || a.to < b.from || b.to < a.from) continue;
          const bt = plan.offsets.get(b.id)!;
          assert.ok(at + a.bytes <= bt || bt + b.bytes <= at, `${a.id} and ${b.id} overlap`);
        }
      }
    }),
  );
});

test('the arena is never smaller than the live bytes, and is equal to them for a chain', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const plan = planMemory(list, 29);
      assert.ok(plan.arenaBytes >= plan.lowerBound);
    }),
  );
  const chain = [400, 900, 100, 700].map((bytes, i): Buffer => ({ id: `c${i}`, bytes, from: i, to: i + 1 }));
  const plan = planMemory(chain, 5);
  assert.is(plan.arenaBytes, align(400) + align(900));
  assert.is(plan.lowerBound, plan.arenaBytes);
  assert.is(plan.peakStep, 1);
});

test('the plan does not depend on the order of the buffers', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const a = planMemory(list, 29);
      const b = planMemory([...list].reverse(), 29);
      assert.equal([...a.offsets].sort(), [...b.offsets].sort());
    }),
  );
});

test.run();
