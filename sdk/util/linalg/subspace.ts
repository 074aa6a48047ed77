import type { Linalg } from './linalg.ts';

/** Steps of the iteration: neighbours at the end of a spectrum may stay mixed, which costs nothing where they weigh the same. */
const STEPS = 12;

/**
 * Orthonormal vectors [n][count] that span the leading eigenvectors of a symmetric positive semidefinite matrix [n][n], by orthogonal
 * iteration (Golub and Van Loan, Matrix Computations, 8.2), ordered by their Rayleigh quotients as the iteration leaves them.
 */
export function leadingVectors(la: Linalg, matrix: Float64Array, n: number, count: number): Float64Array {
  const mark = la.mark();
  const m = la.put64(matrix);
  const [y, next] = [la.alloc(n * count * 8), la.alloc(n * count * 8)];
  const start = la.f64(y, n * count);
  for (let i = 0; i < n; i++) for (let k = 0; k < count; k++) start[i * count + k] = matrix[i * n + k]!;
  orthonormalise(start, n, count);
  for (let step = 0; step < STEPS; step++) {
    la.f64(next, n * count).fill(0);
    la.product64(next, m, y, n, count, n);
    const columns = la.f64(next, n * count);
    orthonormalise(columns, n, count);
    la.f64(y, n * count).set(columns);
  }
  const out = la.f64(y, n * count).slice();
  la.release(mark);
  return out;
}

/** Gram-Schmidt on the columns, twice, so that nearly dependent ones come out orthogonal; a column of nothing becomes a unit vector. */
function orthonormalise(v: Float64Array, n: number, count: number): void {
  const column = new Float64Array(n);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < n; i++) column[i] = v[i * count + k]!;
    let norm = project(column, v, n, count, k);
    for (let unit = k; norm < 1e-150; unit++) {
      column.fill(0);
      column[unit % n] = 1;
      norm = project(column, v, n, count, k);
    }
    for (let i = 0; i < n; i++) v[i * count + k] = column[i]! / norm;
  }
}

/** Takes the first k columns out of `column`; the norm that is left. */
function project(column: Float64Array, v: Float64Array, n: number, count: number, k: number): number {
  const dots = new Float64Array(k);
  for (let pass = 0; pass < 2; pass++) {
    dots.fill(0);
    for (let i = 0; i < n; i++) for (let j = 0, c = column[i]!; j < k; j++) dots[j]! += c * v[i * count + j]!;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += dots[j]! * v[i * count + j]!;
      column[i]! -= sum;
    }
  }
  let square = 0;
  for (const c of column) square += c * c;
  return Math.sqrt(square);
}
