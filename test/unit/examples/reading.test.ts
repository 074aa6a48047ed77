import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { accuracyOf, compareReadings, editDistance, quantile } from '../../../examples/01-read-text/accuracy.ts';
import { decodeCtc, parseCharset } from '../../../examples/01-read-text/ctc.ts';
import { differences, markDifferences } from '../../../examples/01-read-text/difference.ts';
import { resizePlane } from '../../../examples/01-read-text/image.ts';
import { compareLatency } from '../../../examples/01-read-text/latency.ts';
import { preprocess } from '../../../examples/01-read-text/preprocess.ts';
import { readInterleaved } from '../../../examples/01-read-text/recogniser.ts';

const CHARSET = parseCharset('a\nb\n');

function oneHot(steps: readonly number[]): Float32Array {
  const out = new Float32Array(steps.length * CHARSET.length);
  steps.forEach((c, i) => {
    out[i * CHARSET.length + c] = 1;
  });
  return out;
}

test('charset: blank, keys, space', () => {
  assert.equal(CHARSET, ['', 'a', 'b', ' ']);
  assert.equal(parseCharset('x\r\ny'), ['', 'x', 'y', ' ']);
});

test('ctc: repeats merge, a blank between keeps both, space at the ends is dropped', () => {
  assert.is(decodeCtc(oneHot([3, 1, 1, 0, 1, 2, 2, 3, 3, 2, 0, 3]), CHARSET), 'aab b');
  assert.is(decodeCtc(new Float32Array(0), CHARSET), '');
  assert.throws(() => decodeCtc(new Float32Array(5), CHARSET), /5 scores are no multiple of 4 classes/);
});

test('preprocess: height 48, blue first, x/127.5 - 1, zeros to the right', () => {
  const rgb = new Uint8Array(96 * 24 * 3);
  for (let i = 0; i < 96 * 24; i++) rgb.set([255, 0, 51], i * 3);
  const t = preprocess({ width: 96, height: 24, rgb });
  assert.is(t.length, 3 * 48 * 320);
  const at = (c: number, y: number, x: number): number => t[(c * 48 + y) * 320 + x]!;
  assert.ok(Math.abs(at(0, 0, 0) - (51 / 127.5 - 1)) < 1e-6);
  assert.is(at(1, 47, 191), -1);
  assert.is(at(2, 20, 100), 1);
  assert.is(at(2, 20, 192), 0);
});

test('preprocess: a line that is too wide is squeezed to 320', () => {
  const t = preprocess({ width: 400, height: 20, rgb: new Uint8Array(400 * 20 * 3) });
  assert.is(t[319], -1);
});

test('resize: same size is the same picture; halving averages neighbours', () => {
  const plane = Float32Array.from({ length: 12 }, (_, i) => i * i);
  assert.equal(resizePlane(plane, { width: 4, height: 3 }, { width: 4, height: 3 }), plane);
  assert.equal([...resizePlane(Float32Array.of(0, 2, 4, 6), { width: 4, height: 1 }, { width: 2, height: 1 })], [1, 5]);
});

test('edit distance and accuracy', () => {
  assert.is(editDistance('kitten', 'sitting'), 3);
  assert.is(editDistance('', 'abc'), 3);
  const a = accuracyOf([
    { truth: 'abcd', read: 'abcd' },
    { truth: 'abcdef', read: 'abxdef!' },
  ]);
  assert.is(a.character, 0.8);
  assert.is(a.line, 0.5);
});

test('comparison: retention is a ratio, equal readers keep exactly 1 with an interval of no width', () => {
  const readings = Array.from({ length: 40 }, (_, i) => ({ truth: 'abcde', read: i % 4 === 0 ? 'abcdX' : 'abcde' }));
  const same = compareReadings(readings, readings);
  assert.equal(same.retention.line, { value: 1, low: 1, high: 1 });
  assert.is(same.agreement.value, 1);
  assert.is(same.original.line.value, 0.75);
  const worse = readings.map((r, i) => (i === 1 ? { ...r, read: '' } : r));
  const c = compareReadings(readings, worse);
  assert.is(c.retention.line.value, 29 / 30);
  assert.ok(c.retention.line.low < 29 / 30 && c.retention.line.high <= 1);
  assert.is(c.characters, 200);
  assert.equal(compareReadings(readings, worse), c, 'seeded');
  assert.throws(() => compareReadings(readings, worse.slice(1)), /same lines twice/);
});

test('quantile is linear between neighbours', () => {
  assert.is(quantile([1, 2, 4], 0.75), 3);
  assert.is(quantile([7], 0.9), 7);
});

test('differences: wrong, surplus and missing characters', () => {
  assert.is(markDifferences('Ref: 12', 'Ref 1Z2'), 'Ref[-:] 1[Z]2');
  assert.equal(differences('ab', 'ab'), [{ kind: 'same', text: 'ab' }]);
  assert.equal(differences('', 'x'), [{ kind: 'wrong', text: 'x' }]);
  assert.equal(differences('xy', ''), [{ kind: 'missing', text: 'xy' }]);
});

test('reading in turn: who is first alternates, warm-up is not counted', async () => {
  const calls: string[] = [];
  let clock = 0;
  const recogniser = (name: string, ms: number) => ({
    name,
    async scores(pixels: Float32Array) {
      calls.push(name);
      clock += ms;
      return oneHot([pixels[0]!]);
    },
    async close() {},
  });
  const lines = [Float32Array.of(1), Float32Array.of(2)];
  const [a, b] = await readInterleaved([recogniser('A', 30), recogniser('B', 10)], lines, {
    charset: CHARSET,
    now: () => clock,
  });
  assert.equal(calls.slice(10), ['A', 'B', 'B', 'A']);
  assert.equal(a!.texts, ['a', 'b']);
  assert.equal(b!.seconds, [0.01, 0.01]);
  assert.is(compareLatency(a!.seconds, b!.seconds).speedup.value, 3);
});

test.run();
