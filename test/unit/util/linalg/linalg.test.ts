import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Linalg } from '../../../../sdk/util/linalg/linalg.ts';
import type { Partner } from '../../../../sdk/util/linalg/partner.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

const rng = new Rng(1);
const random = (n: number): Float64Array => Float64Array.from({ length: n }, () => rng.normal());

function near(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  for (let i = 0; i < want.length; i++) {
    if (Math.abs(got[i]! - want[i]!) > tolerance) assert.unreachable(`element ${i}: ${got[i]} instead of ${want[i]}`);
  }
}

test('product32 and product64 equal the plain triple loop, edges and transposed operand included', () => {
  for (const [m, n, depth] of [
    [1, 1, 1],
    [5, 13, 7],
    [70, 33, 300],
  ] as const) {
    const a = random(m * depth);
    const b = random(n * depth);
    const want = new Float64Array(m * n);
    for (let r = 0; r < depth; r++)
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) want[i * n + j]! += a[r * m + i]! * b[r * n + j]!;
    const at = new Float64Array(m * depth);
    for (let r = 0; r < depth; r++) for (let i = 0; i < m; i++) at[i * depth + r] = a[r * m + i]!;
    const la = new Linalg();
    const c64 = la.alloc(m * n * 8);
    la.product64(c64, la.put64(a), la.put64(b), m, n, depth);
    near(la.f64(c64, m * n), want, 1e-11);
    const c32 = la.alloc(m * n * 4);
    la.product32(c32, la.put32(at), la.put32(b), m, n, depth, { transposed: true });
    near(la.f32(c32, m * n), want, 1e-4);
  }
});

function spd(k: number): Float64Array {
  const x = random(k * (k + 10));
  const m = new Float64Array(k * k);
  for (let r = 0; r < k + 10; r++)
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) m[i * k + j]! += x[r * k + i]! * x[r * k + j]!;
  return m;
}

test('cholesky and solve', () => {
  for (const k of [1, 9, 64, 131]) {
    const n = 6;
    const m = spd(k);
    const x = random(k * n);
    const b = new Float64Array(k * n);
    for (let i = 0; i < k; i++)
      for (let j = 0; j < k; j++) for (let c = 0; c < n; c++) b[i * n + c]! += m[i * k + j]! * x[j * n + c]!;
    const la = new Linalg();
    const u = la.put64(m);
    const rhs = la.put64(b);
    assert.ok(la.cholesky(u, k));
    la.solve(u, k, rhs, n);
    near(la.f64(rhs, k * n), x, 1e-6);
  }
  const la = new Linalg();
  assert.not.ok(la.cholesky(la.put64([1, 2, 2, 1]), 2));
});

test('ldlq equals the plain recursion', () => {
  const k = 70;
  const n = 8;
  const la = new Linalg();
  const u = la.put64(spd(k));
  la.cholesky(u, k);
  const factor = la.f64(u, k * k).slice();
  const r = la.feedback(u, k);
  const t = Float32Array.from(random(k * n));
  const s = new Float32Array(n).fill(0.25);
  const addresses = { s: la.put32(s), inv: la.put32(s.map((v) => 1 / v)), cap: la.put32(new Float32Array(n).fill(7)) };
  const [ta, q, e] = [la.put32(t), la.alloc(k * n), la.alloc(k * n * 4)];
  la.ldlq(ta, r, k, n, addresses, q, e);
  const codes = la.i8(q, k * n);
  let differing = 0;
  const error = new Float64Array(k * n);
  for (let j = k - 1; j >= 0; j--) {
    for (let c = 0; c < n; c++) {
      let v = t[j * n + c]!;
      for (let i = j + 1; i < k; i++) v += (error[i * n + c]! * factor[j * k + i]!) / factor[j * k + j]!;
      if (Math.max(-7, Math.min(7, Math.round(v / 0.25))) !== codes[j * n + c]) differing++;
      // The recursion goes on from the codes under test, so that one rounding tie does not spread.
      error[j * n + c] = t[j * n + c]! - codes[j * n + c]! * 0.25;
    }
  }
  assert.ok(differing <= 1, `${differing} codes differ`);
  near(la.f32(e, k * n), error, 1e-6);
});

test('channelMoments', () => {
  const [rows, taps, c] = [130, 3, 8];
  const x = random(rows * taps * c);
  const xq = x.map((v) => v + 0.1);
  const la = new Linalg();
  const [h, g] = [la.alloc(taps * taps * c * 4), la.alloc(taps * taps * c * 4)];
  const [a, b] = [la.put32(x), la.put32(xq)];
  la.channelMoments(h, a, b, { rows: rows / 2, count: 2, taps, c, upper: true });
  la.channelMoments(g, a, b, { rows: rows / 2, count: 2, taps, c });
  const want = new Float64Array(taps * taps * c);
  for (let r = 0; r < rows; r++) {
    for (let a = 0; a < taps; a++)
      for (let b = 0; b < taps; b++)
        for (let k = 0; k < c; k++) {
          want[(a * taps + b) * c + k]! += x[(r * taps + a) * c + k]! * xq[(r * taps + b) * c + k]!;
        }
  }
  near(la.f32(g, want.length), want, 1e-3);
  // Taps in order are the same to the bit, the others are left alone.
  const upper = (i: number): boolean => Math.floor(i / (taps * c)) <= Math.floor(i / c) % taps;
  assert.equal(
    la.f32(h, want.length),
    la.f32(g, want.length).map((v, i) => (upper(i) ? v : 0)),
  );
});

test('columnSums', () => {
  // Whole vectors of columns and some beyond, more rows than are summed at one time.
  const [rows, columns] = [600, 37];
  const x = random(rows * columns);
  const la = new Linalg();
  const sums = la.put64(new Float64Array(columns).fill(1));
  const at = la.put32(x);
  la.columnSums(sums, at, rows / 2, 2, columns);
  const want = new Float64Array(columns).fill(1);
  x.forEach((v, i) => {
    want[i % columns]! += v;
  });
  near(la.f64(sums, columns), want, 1e-4);
});

test('ranges', () => {
  const x = Float32Array.of(1, 0, -2, 3, 0, -5, 0.5, 0, 4);
  const la = new Linalg();
  const [low, high, nonzero] = [la.alloc(12), la.alloc(12), la.alloc(24)];
  la.ranges(low, high, nonzero, la.put32(x), 3, 3);
  assert.equal([...la.f32(low, 3), ...la.f32(high, 3)], [0, 0, -5, 3, 0, 4]);
  assert.equal([...la.f64(nonzero, 3)], [3, 0, 3]);
});

test('products32 gives the bits of a product for each sample', () => {
  const la = new Linalg();
  const [depth, count, m, n] = [70, 3, 20, 12];
  const [a, b] = [la.put32(random(count * depth * 24)), la.put32(random(count * depth * n))];
  const [one, all] = [la.alloc(m * n * 4), la.alloc(m * n * 4)];
  for (let i = 0; i < count; i++)
    la.product32(one, a + i * depth * 24 * 4, b + i * depth * n * 4, m, n, depth, { lda: 24 });
  la.products32(all, a, b, m, n, { depth, count, lda: 24, ldb: n });
  assert.equal(la.f32(all, m * n), la.f32(one, m * n));
});

/** Products, factors, solutions and codes of sizes that two threads share. */
function everything(la: Linalg): (Float32Array | Float64Array | Int8Array)[] {
  const own = new Rng(2);
  const numbers = (n: number): Float64Array => Float64Array.from({ length: n }, () => own.normal());
  const [rows, k, n] = [900, 832, 104];
  const x = la.put32(numbers(rows * k));
  const h = la.alloc(k * k * 4);
  la.product32(h, x, x, k, k, rows, { upper: true });
  const tall = la.alloc(k * n * 4);
  la.product32(tall, x, la.put32(numbers(rows * n)), k, n, rows);
  const wide = la.alloc(n * k * 4);
  la.product32(wide, la.put32(numbers(rows * n)), x, n, k, rows);
  const u = la.put64(la.f32(h, k * k));
  assert.ok(la.cholesky(u, k));
  const solved = la.put64(numbers(k * n));
  la.solve(u, k, solved, n);
  const [q, e] = [la.alloc(k * n), la.alloc(k * n * 4)];
  const filled = (v: number): number => la.put32(new Float32Array(n).fill(v));
  const scale = { s: filled(0.25), inv: filled(4), cap: filled(7) };
  la.ldlq(la.put32(numbers(k * n)), la.feedback(u, k), k, n, scale, q, e);
  const sums = la.alloc(k * k * 4);
  la.products32(sums, x, x, k, k, { depth: rows / 3, count: 3, lda: k, ldb: k, upper: true });
  // 52 taps of 16 channels.
  la.channelMoments(sums, x, x, { rows, count: 1, taps: 52, c: 16 });
  const floats = [h, sums, tall, wide, e].map((at, i) => la.f32(at, i < 2 ? k * k : k * n).slice());
  return [...floats, la.f64(u, k * k).slice(), la.f64(solved, k * n).slice(), la.i8(q, k * n).slice()];
}

test('two threads give the bits of one', async () => {
  const alone = everything(new Linalg());
  const la = new Linalg(2);
  assert.equal(everything(la), alone, 'while the second one starts');
  const partner = Reflect.get(la, 'partner') as Partner;
  while (!partner.ready) await new Promise(setImmediate);
  assert.equal(everything(la), alone);
  la.close();
  assert.equal(everything(la), alone, 'after it ended');
  la.close();
});

test.run();
