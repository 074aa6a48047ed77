import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chainsOf, costOf, reachesOfRow } from '../../../../../sdk/compile/emit/c/wide-chains.ts';
import { Rng } from '../../../../../sdk/util/rng.ts';

const codes = (rows: number, cols: number, at: (row: number, col: number) => number): Int8Array =>
  Int8Array.from({ length: rows * cols }, (_, i) => at(Math.floor(i / cols), i % cols));

test('chains are as long as the codes of all rows of a block allow', () => {
  const data = codes(24, 64, (row) => [7, 31, 64][Math.floor(row / 8)]!);
  const chains = (tiles: number) => chainsOf({ data, rows: 24, cols: 64, segments: 1, tiles });
  assert.equal(chains(1), { form: 'bytes', blocks: [[9, 7], [2, 2, 2, 2, 2, 2, 2, 2], Array(16).fill(1)] });
  assert.equal(chains(2), { form: 'words' }, 'half of the codes a step at a time, the others two: no faster');
});

test('a wide code ends its chain only', () => {
  const data = codes(8, 64, (row, col) =>
    row === 3 && col === 20 ? -127 : row === 5 && col >= 40 && col < 42 ? 100 : 1,
  );
  const chains = chainsOf({ data, rows: 8, cols: 64, segments: 1, tiles: 1 });
  assert.equal(chains, { form: 'bytes', blocks: [[10, 0, 5]] });
  assert.is(costOf(chains), (11 + 4 + 6) / 16);
});

test('codes of 8 bits are multiplied as words, unless few tiles have them', () => {
  const wide = codes(16, 32, () => 127);
  assert.equal(chainsOf({ data: wide, rows: 16, cols: 32, segments: 1, tiles: 2 }), { form: 'words' });
  const few = codes(40, 32, (row) => (row < 8 ? -128 : 3));
  const blocks = [Array(8).fill(0), [8], [8], [8], [8]];
  assert.equal(chainsOf({ data: few, rows: 40, cols: 32, segments: 1, tiles: 1 }), { form: 'bytes', blocks });
});

test('chains begin with every segment', () => {
  // Nine columns are three steps: columns 0 and 8 of a segment, and 9 of the next one, which lie in other chains or in other pairs.
  const data = codes(8, 18, (_, col) => (col === 8 || col === 9 ? 100 : 0));
  assert.equal(chainsOf({ data, rows: 8, cols: 18, segments: 2, tiles: 1 }), { form: 'bytes', blocks: [[3, 3]] });
  assert.equal(chainsOf({ data, rows: 8, cols: 18, segments: 1, tiles: 1 }), { form: 'words' });
});

test('no sum of a chain leaves 16 bits, whatever the activations are', () => {
  const rng = new Rng(7);
  for (let n = 0; n < 200; n++) {
    const [bits, segments, length] = [2 + rng.below(6), 1 + rng.below(3), 1 + rng.below(70)];
    const cols = segments * length;
    const data = codes(16, cols, () => rng.below(2 ** bits) - 2 ** (bits - 1));
    const chains = chainsOf({ data, rows: 16, cols, segments, tiles: 2 });
    if (chains.form === 'words') continue;
    const lengths = [...chains.blocks[0]!];
    for (let s = 0; s < segments; s++)
      for (let c = 0, steps = 0; c < length; c += 4 * (steps || 1)) {
        steps = lengths.shift()!;
        assert.ok(c + 4 * steps < length + 4, 'a chain ends with its segment');
        for (let row = 0; row < 16; row++)
          for (const pair of [0, 2])
            for (const sign of [1, -1]) {
              let sum = 0;
              for (let k = c; k < Math.min(length, c + 4 * steps); k++)
                if ((k & 2) === pair) sum += 255 * Math.max(0, sign * data[row * cols + s * length + k]!);
              assert.ok(sum <= 32767, `${bits} bits, ${segments} segments of ${length}, ${steps} steps: ${sum}`);
            }
      }
    assert.equal(lengths, []);
  }
});

test('magnitudes of a row: units of sixteen columns are summed in 16 bits where 255 is the most of even pairs, and of odd ones', () => {
  const at = (most: number) =>
    codes(8, 32, (row, col) => (row === 3 && col >= 16 && (col & 2) === 0 ? (col < 23 ? -31 : most) : 0));
  assert.equal(reachesOfRow({ data: at(32), rows: 8, cols: 32 }), [4]);
  assert.equal(reachesOfRow({ data: at(33), rows: 8, cols: 32 }), [1]);
  assert.equal(reachesOfRow({ data: codes(10, 20, (row) => (row < 8 ? 127 : 3)), rows: 10, cols: 20 }), [1, 4]);
});

test.run();
