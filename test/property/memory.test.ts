import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { align, type Buffer, type Piece, planMemory } from '../../sdk/compile/memory.ts';

/** Chains of values of which each takes over memory of the one before: pieces with offsets and lifetimes of their own. */
const buffers = fc
  .array(
    fc.record({
      from: fc.nat(20),
      chain: fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), shift: fc.nat(200), length: fc.nat(4) }), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((list) =>
    list.map((b, i): Buffer => {
      const pieces: Piece[] = [];
      let at = b.chain.reduce((sum, c) => sum + c.shift, 0);
      let { from } = b;
      for (const c of b.chain) {
        pieces.push({ at, bytes: c.bytes, from, to: from + c.length });
        from += c.length;
        at -= c.shift;
      }
      return { id: `b${i}`, pieces };
    }),
  );
const STEPS = 40;
// A plan takes milliseconds where random buffers leave it loose.
const RUNS = { numRuns: 40 };

test('pieces of different buffers that live at the same time never overlap', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const plan = planMemory(list, STEPS);
      for (const a of list) {
        const at = plan.offsets.get(a.id)!;
        assert.is(at % 16, 0);
        for (const p of a.pieces) {
          const start = at + p.at;
          assert.ok(start + p.bytes <= plan.arenaBytes);
          for (const b of list) {
            if (a === b) continue;
            for (const q of b.pieces) {
              if (q.to < p.from || p.to < q.from) continue;
              const other = plan.offsets.get(b.id)! + q.at;
              assert.ok(start + p.bytes <= other || other + q.bytes <= start, `${a.id} and ${b.id} overlap`);
            }
          }
        }
      }
    }),
    RUNS,
  );
});

test('the arena is never smaller than the live bytes, and is equal to them for a chain', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const plan = planMemory(list, STEPS);
      assert.ok(plan.arenaBytes >= plan.lowerBound);
    }),
    RUNS,
  );
  const chain = [400, 900, 100, 700].map(
    (bytes, i): Buffer => ({ id: `c${i}`, pieces: [{ at: 0, bytes, from: i, to: i + 1 }] }),
  );
  const plan = planMemory(chain, 5);
  assert.is(plan.arenaBytes, align(400, 16) + align(900, 16));
  assert.is(plan.lowerBound, 1300);
  assert.is(plan.peakStep, 1);
});

test('a result that takes over its operand needs no memory of its own', () => {
  const pieces = [
    { at: 64, bytes: 1024, from: 0, to: 1 },
    { at: 0, bytes: 1024, from: 1, to: 2 },
  ];
  const plan = planMemory([{ id: 'both', pieces }], 3);
  assert.is(plan.arenaBytes, 1088);
  assert.is(plan.lowerBound, 1088);
});

test('networks in a row, a branch or two, come within 5 % of what is live', () => {
  const network = fc.array(fc.record({ kb: fc.integer({ min: 1, max: 40 }), skip: fc.boolean() }), {
    minLength: 3,
    maxLength: 20,
  });
  fc.assert(
    fc.property(network, (layers) => {
      const list = layers.map(
        ({ kb, skip }, i): Buffer => ({
          id: `v${i}`,
          pieces: [{ at: 0, bytes: 1000 * kb, from: i, to: i + (skip ? 3 : 1) }],
        }),
      );
      const plan = planMemory(list, layers.length + 3);
      assert.ok(plan.arenaBytes <= 1.05 * plan.lowerBound, `${plan.arenaBytes} for ${plan.lowerBound}`);
    }),
    { ...RUNS, seed: 7 },
  );
});

test('the plan does not depend on the order of the buffers', () => {
  fc.assert(
    fc.property(buffers, (list) => {
      const a = planMemory(list, STEPS);
      const b = planMemory([...list].reverse(), STEPS);
      assert.equal([...a.offsets].sort(), [...b.offsets].sort());
    }),
    RUNS,
  );
});

test.run();
