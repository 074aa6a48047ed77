import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { symmetricEigenvalues } from '../../../../sdk/util/linalg/eigen.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

test('known spectrum: path graph', () => {
  // Second differences: 2 - 2 cos(pi k / (n + 1)).
  const n = 12;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    a[i * n + i] = 2;
    if (i > 0) {
      a[i * n + i - 1] = -1;
      a[(i - 1) * n + i] = -1;
    }
  }
  const got = symmetricEigenvalues(a, n);
  for (let k = 1; k <= n; k++) {
    assert.ok(Math.abs(got[n - k]! - (2 - 2 * Math.cos((Math.PI * k) / (n + 1)))) < 1e-12);
  }
});

test('trace and squares of a random Gram matrix are kept, a low rank is seen', () => {
  const [n, rank] = [60, 7];
  const rng = new Rng(3);
  const x = Float64Array.from({ length: n * rank }, () => rng.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < rank; k++) a[i * n + j]! += x[i * rank + k]! * x[j * rank + k]!;
  let trace = 0;
  let square = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i]!;
  for (const v of a) square += v * v;
  const got = symmetricEigenvalues(a, n);
  assert.ok(Math.abs(got.reduce((s, v) => s + v, 0) - trace) < 1e-9 * trace);
  assert.ok(Math.abs(got.reduce((s, v) => s + v * v, 0) - square) < 1e-9 * square);
  assert.ok(got[rank]! < 1e-10 * got[0]!);
});

test('zero, one by one', () => {
  assert.equal([...symmetricEigenvalues(Float64Array.of(5), 1)], [5]);
  assert.equal([...symmetricEigenvalues(new Float64Array(9), 3)], [0, 0, 0]);
});

test.run();
