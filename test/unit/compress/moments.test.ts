import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Layer, Matrix } from '../../../sdk/compress/layers.ts';
import { momentSums, type TileMoments } from '../../../sdk/compress/moments.ts';
import { Linalg } from '../../../sdk/util/linalg/linalg.ts';
import { Rng } from '../../../sdk/util/rng.ts';

const test = suite('moments');
const COLS = 24;
const COUNT = 50;

/** Moments of random inputs and slightly different ones, in two calls. */
function momentsOf(
  rows: number,
  centred: boolean,
): { m: TileMoments; x: Float32Array; xq: Float32Array; w: Float32Array } {
  const rng = new Rng(7);
  const draw = (n: number, shift: number): Float32Array => Float32Array.from({ length: n }, () => rng.normal() + shift);
  const w = draw(rows * COLS, 0);
  const x = draw(COUNT * COLS, 1);
  const xq = x.map((v) => v + 0.1 * rng.normal());
  const tile = { row0: 0, rows, col0: 0, cols: COLS, src0: 0 };
  const matrix: Matrix = { value: 'w', rows, cols: COLS, tiles: [tile] };
  const la = new Linalg();
  const sums = momentSums(la, { kind: 'linear' } as Layer, matrix, COLS, w);
  const [a, b] = [la.put32(x), la.put32(xq)];
  sums.add(a, b, 10, 2);
  sums.add(a + 20 * COLS * 4, b + 20 * COLS * 4, COUNT - 20, 1);
  return { m: sums.finish(centred)[0]!, x, xq, w };
}

for (const [rows, of] of [
  [5, 'outputs'],
  [40, 'inputs'],
] as const) {
  for (const centred of [false, true]) {
    test(`${rows} rows, ${centred ? 'centred' : 'as they are'}: cross moments of ${of}, as the definition says`, () => {
      const { m, x, xq, w } = momentsOf(rows, centred);
      assert.is(m.cross.of, of);
      const n = m.cross.sums.length / COLS;
      const mean = (v: Float32Array, c: number): number => {
        let sum = 0;
        for (let i = 0; i < COUNT; i++) sum += v[i * COLS + c]!;
        return sum / COUNT;
      };
      const less = (v: Float32Array, i: number, c: number): number => v[i * COLS + c]! - (centred ? mean(v, c) : 0);
      for (let j = 0; j < COLS; j++) {
        for (let r = 0; r < rows; r++) {
          let wanted = 0;
          let found = of === 'outputs' ? m.cross.sums[j * n + r]! : 0;
          for (let c = 0; c < COLS; c++) {
            if (of === 'inputs') found += m.cross.sums[c * COLS + j]! * w[r * COLS + c]!;
            for (let i = 0; i < COUNT; i++) wanted += (less(x, i, c) * less(xq, i, j) * w[r * COLS + c]!) / COUNT;
          }
          assert.ok(
            Math.abs(found - wanted) < 1e-3 * Math.max(1, Math.abs(wanted)),
            `${j}, ${r}: ${found}, not ${wanted}`,
          );
        }
      }
    });
  }
}

test.run();
