/**
 * Eigenvalues of a symmetric matrix [n][n] (row-major), largest first: Householder reduction to tridiagonal form, then QL with
 * implicit shifts (Golub and Van Loan, Matrix Computations, 8.3). The matrix is overwritten.
 */
export function symmetricEigenvalues(a: Float64Array, n: number): Float64Array {
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  tridiagonalise(a, n, d, e);
  implicitQl(d, e, n);
  return d.sort().reverse();
}

/** d: diagonal, e[1..]: sub-diagonal. */
function tridiagonalise(a: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let k = n - 1; k >= 1; k--) {
    let norm = 0;
    for (let i = 0; i < k; i++) norm += a[k * n + i]! ** 2;
    norm = Math.sqrt(norm);
    d[k] = a[k * n + k]!;
    const pivot = a[k * n + k - 1]!;
    e[k] = pivot > 0 ? -norm : norm;
    if (norm === 0) continue;
    for (let i = 0; i < k; i++) v[i] = a[k * n + i]!;
    v[k - 1]! -= e[k]!;
    let square = 0;
    for (let i = 0; i < k; i++) square += v[i]! * v[i]!;
    if (square === 0) continue;
    reflect(a, n, k, v, w, 2 / square);
  }
  d[0] = a[0]!;
}

/** A := (I - beta v v^T) A (I - beta v v^T) on the leading k x k block, as a symmetric rank-two update. */
function reflect(a: Float64Array, n: number, k: number, v: Float64Array, w: Float64Array, beta: number): void {
  let dot = 0;
  for (let i = 0; i < k; i++) {
    let sum = 0;
    const row = i * n;
    for (let j = 0; j < k; j++) sum += a[row + j]! * v[j]!;
    w[i] = beta * sum;
    dot += w[i]! * v[i]!;
  }
  const half = (beta * dot) / 2;
  for (let i = 0; i < k; i++) w[i]! -= half * v[i]!;
  for (let i = 0; i < k; i++) {
    const [vi, wi, row] = [v[i]!, w[i]!, i * n];
    for (let j = 0; j < k; j++) a[row + j]! -= vi * w[j]! + wi * v[j]!;
  }
}

const MAX_SWEEPS = 60;

function implicitQl(d: Float64Array, e: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!;
  e[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      const m = splitAt(d, e, l, n);
      if (m === l) break;
      chase(d, e, l, m);
    }
  }
}

/** First index from l whose coupling to the next is negligible. */
function splitAt(d: Float64Array, e: Float64Array, l: number, n: number): number {
  let m = l;
  while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
  return m;
}

/** One implicit QL step on rows l..m. */
function chase(d: Float64Array, e: Float64Array, l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
  let s = 1;
  let c = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
