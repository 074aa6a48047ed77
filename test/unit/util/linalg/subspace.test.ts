import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { symmetricEigenvalues } from '../../../../sdk/util/linalg/eigen.ts';
import { Linalg } from '../../../../sdk/util/linalg/linalg.ts';
import { leadingVectors } from '../../../../sdk/util/linalg/subspace.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

test('leading vectors are orthonormal and hold the energy of the leading eigenvalues', () => {
  const [n, count] = [30, 7];
  const rng = new Rng(4);
  const f = Float64Array.from({ length: n * n }, (_, i) => rng.normal() * 0.7 ** (i % n));
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) m[i * n + j]! += f[i * n + k]! * f[j * n + k]!;
  const v = leadingVectors(new Linalg(), m, n, count);
  let captured = 0;
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      let dot = 0;
      let quotient = 0;
      for (let i = 0; i < n; i++) {
        dot += v[i * count + a]! * v[i * count + b]!;
        for (let j = 0; j < n; j++) quotient += v[i * count + a]! * m[i * n + j]! * v[j * count + b]!;
      }
      assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < 1e-10);
      if (a === b) captured += quotient;
    }
  }
  const best = symmetricEigenvalues(m.slice(), n)
    .subarray(0, count)
    .reduce((sum, e) => sum + e, 0);
  assert.ok(Math.abs(captured / best - 1) < 1e-6, `${captured} of ${best}`);
});

test('a matrix of lower rank than asked for still gives orthonormal vectors', () => {
  const n = 6;
  const m = new Float64Array(n * n);
  m[0] = 2;
  const v = leadingVectors(new Linalg(), m, n, 3);
  for (let k = 0; k < 3; k++) {
    let square = 0;
    for (let i = 0; i < n; i++) square += v[i * 3 + k]! ** 2;
    assert.ok(Math.abs(square - 1) < 1e-12);
  }
});

test.run();
