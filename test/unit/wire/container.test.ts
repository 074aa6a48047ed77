import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EigenError } from '../../../sdk/util/errors.ts';
import { readContainer, segmentsOf, writeContainer } from '../../../sdk/wire/container.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const chunks = [
  { kind: 1, payload: bytes(3000, 1) },
  { kind: 0, payload: bytes(10, 2) },
  { kind: 1, payload: bytes(500, 3) },
];
const refinements = [
  { item: 2, payload: bytes(2500, 4) },
  { item: 0, payload: bytes(1200, 5) },
  { item: 0, payload: bytes(1300, 6) },
  { item: 2, payload: bytes(100, 7) },
];

test('everything is there again, and every byte belongs to something', () => {
  const stream = writeContainer(chunks, refinements);
  const { entries, frameBytes } = readContainer(stream);
  assert.equal(
    entries.map((e) => ({ kind: e.kind, payload: e.payload.slice() })),
    chunks,
  );
  assert.equal(
    entries.map((e) => e.refinements.map((r) => r[0])),
    [[5, 6], [], [4, 7]],
  );
  assert.is(
    entries.reduce((sum, e) => sum + e.headerBytes + e.payloadBytes, frameBytes),
    stream.length,
  );
});

test('of a prefix the refinements that are whole are there; their sizes are known', () => {
  const stream = writeContainer(chunks, refinements);
  const whole = readContainer(stream);
  const cut = stream.subarray(0, stream.length - 101);
  const { entries } = readContainer(cut, true);
  assert.equal(
    entries.map((e) => e.refinements.length),
    [1, 0, 1],
  );
  assert.equal(
    entries.map((e) => e.payloadBytes),
    whole.entries.map((e) => e.payloadBytes),
  );
  assert.throws(() => readContainer(cut), /ends too early/);
  assert.throws(() => readContainer(stream.subarray(0, 3000), true), /ends too early/);
});

test('segments: the base, then refinements in groups of like size', () => {
  const stream = writeContainer(chunks, refinements);
  const segments = segmentsOf(stream);
  assert.is(
    segments.reduce((a, b) => a + b),
    stream.length,
  );
  assert.equal(segments.slice(1), [2500, 2600]);
  assert.equal(segmentsOf(writeContainer(chunks, [])).length, 1);
  assert.equal(segmentsOf(writeContainer(chunks, [refinements[3]!])).length, 1);
  const many = Array.from({ length: 300 }, () => ({ item: 0, payload: bytes(700, 8) }));
  const parts = segmentsOf(writeContainer(chunks, many));
  assert.ok(parts.length <= 16);
  for (const n of parts.slice(1)) assert.ok(n >= 0.02 * 300 * 700);
});

test('damaged lists are refused', () => {
  const stream = writeContainer(chunks, refinements);
  const code = (edit: (s: Uint8Array) => void): string => {
    const s = stream.slice();
    edit(s);
    try {
      readContainer(s);
    } catch (e) {
      return (e as EigenError).code;
    }
    return 'accepted';
  };
  const tampered = 'EW6002_BUNDLE_TAMPERED';
  // Magic, number of constants, item of the first refinement.
  for (const at of [0, 4, 14])
    assert.is(
      code((s) => s.fill(0x7f, at, at + 1)),
      tampered,
    );
  assert.is(
    code((s) => s.fill(0xff, 4, 12)),
    tampered,
  );
});

test.run();
