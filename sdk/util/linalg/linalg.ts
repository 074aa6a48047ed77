import { LINALG_WASM } from './wasm.ts';

interface Exports {
  readonly __heap_base: WebAssembly.Global;
  product32: Product;
  product64: Product;
  cholesky(m: number, k: number, scratch: number): number;
  solve(u: number, k: number, x: number, n: number, scratch: number): void;
  feedback(r: number, u: number, k: number): void;
  ldlq(
    t: number,
    r: number,
    k: number,
    n: number,
    s: number,
    inv: number,
    cap: number,
    q: number,
    e: number,
    v: number,
    scratch: number,
  ): void;
  descend(
    h: number,
    k: number,
    n: number,
    s: number,
    inv: number,
    cap: number,
    q: number,
    e: number,
    g: number,
  ): number;
  channelMoments(h: number, g: number, x: number, xq: number, rows: number, taps: number, c: number): void;
}

type Product = (
  c: number,
  ldc: number,
  a: number,
  lda: number,
  ta: number,
  b: number,
  ldb: number,
  m: number,
  n: number,
  depth: number,
  alpha: number,
  upper: number,
  scratch: number,
) => void;

export interface ProductOptions {
  /** Row pitches in elements; default: the row lengths of the operands. */
  readonly ldc?: number;
  readonly lda?: number;
  readonly ldb?: number;
  /** A is stored [m][depth]. */
  readonly transposed?: boolean;
  /** Only tiles that touch the upper triangle are computed. */
  readonly upper?: boolean;
  readonly alpha?: number;
}

/** Tile buffers of a product, in bytes: DEPTH * (ROWS + 8) doubles (linalg.c). */
const SCRATCH_BYTES = 256 * (64 + 8) * 8;
const ROWS = 64;
const PAGE = 65536;

let compiled: WebAssembly.Module | undefined;

/**
 * Dense linear algebra on a growing heap of its own. Operands are byte addresses in that heap; `f32`, `f64` and `i8` view
 * them. Memory is a stack: `release(mark())` frees what was allocated in between. Views die when anything is allocated after them.
 */
export class Linalg {
  private memory!: WebAssembly.Memory;
  private lib!: Exports;
  private scratch = 0;
  private top = 0;

  constructor() {
    this.reset();
  }

  /** Frees everything, and lets go of the memory: a heap that has grown never shrinks. */
  reset(): void {
    compiled ??= new WebAssembly.Module(Buffer.from(LINALG_WASM, 'base64'));
    this.memory = new WebAssembly.Memory({ initial: 4 });
    this.lib = new WebAssembly.Instance(compiled, { env: { memory: this.memory } }).exports as unknown as Exports;
    this.top = Number(this.lib.__heap_base.value);
    this.scratch = this.alloc(SCRATCH_BYTES);
  }

  /** Address of `bytes` zeroed bytes, 64-byte aligned. */
  alloc(bytes: number): number {
    const at = Math.ceil(this.top / 64) * 64;
    this.top = at + bytes;
    const missing = this.top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    new Uint8Array(this.memory.buffer, at, bytes).fill(0);
    return at;
  }

  /** Allocates and fills with f32 data. */
  put32(data: ArrayLike<number>): number {
    const at = this.alloc(data.length * 4);
    this.f32(at, data.length).set(data);
    return at;
  }

  put64(data: ArrayLike<number>): number {
    const at = this.alloc(data.length * 8);
    this.f64(at, data.length).set(data);
    return at;
  }

  mark(): number {
    return this.top;
  }

  release(mark: number): void {
    this.top = mark;
  }

  f32(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  f64(at: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, at, length);
  }

  i8(at: number, length: number): Int8Array {
    return new Int8Array(this.memory.buffer, at, length);
  }

  /** C [m][n] += alpha * A^T B in f32, with A [depth][m], B [depth][n]. */
  product32(c: number, a: number, b: number, m: number, n: number, depth: number, o: ProductOptions = {}): void {
    this.product(this.lib.product32, c, a, b, m, n, depth, o);
  }

  /** As product32, in f64. */
  product64(c: number, a: number, b: number, m: number, n: number, depth: number, o: ProductOptions = {}): void {
    this.product(this.lib.product64, c, a, b, m, n, depth, o);
  }

  private product(
    f: Product,
    c: number,
    a: number,
    b: number,
    m: number,
    n: number,
    depth: number,
    o: ProductOptions,
  ): void {
    const ta = o.transposed ? 1 : 0;
    const lda = o.lda ?? (ta ? depth : m);
    f(c, o.ldc ?? n, a, lda, ta, b, o.ldb ?? n, m, n, depth, o.alpha ?? 1, o.upper ? 1 : 0, this.scratch);
  }

  /** Upper factor of M = U^T U (f64, [k][k], upper triangle) in place; false when M is not positive definite. */
  cholesky(m: number, k: number): boolean {
    return this.lib.cholesky(m, k, this.scratch) === 0;
  }

  /** Solves U^T U X = B in place of x (f64, [k][n]). */
  solve(u: number, k: number, x: number, n: number): void {
    this.lib.solve(u, k, x, n, this.scratch);
  }

  /** f32 [k][k] with row j of U divided by its diagonal: the error feedback of `ldlq`. */
  feedback(u: number, k: number): number {
    const r = this.alloc(k * k * 4);
    this.lib.feedback(r, u, k);
    return r;
  }

  /**
   * Rounds t (f32 [k][n], n a multiple of 4) to codes with error feedback r (0: plain rounding), from the last row to the first.
   * s, inv = 1 / s and cap are f32 [n]. Writes q (i8 [k][n]) and e = t - q s (f32 [k][n]).
   */
  ldlq(
    t: number,
    r: number,
    k: number,
    n: number,
    scale: { s: number; inv: number; cap: number },
    q: number,
    e: number,
  ): void {
    const mark = this.mark();
    const v = this.alloc(ROWS * n * 4);
    this.lib.ldlq(t, r, k, n, scale.s, scale.inv, scale.cap, q, e, v, this.scratch);
    this.release(mark);
  }

  /**
   * One sweep of coordinate descent on e^T h e over rounded codes: h f32 [k][k] with a positive diagonal, q and e as `ldlq` left
   * them, g = h e (f32 [k][n]); q, e and g are updated. Returns how many codes moved.
   */
  descend(
    h: number,
    k: number,
    n: number,
    scale: { s: number; inv: number; cap: number },
    q: number,
    e: number,
    g: number,
  ): number {
    return this.lib.descend(h, k, n, scale.s, scale.inv, scale.cap, q, e, g);
  }

  /** h, g [taps][taps][c] += per-channel moments of rows x, xq [rows][taps][c], c a multiple of 4 (linalg.c). */
  channelMoments(h: number, g: number, x: number, xq: number, rows: number, taps: number, c: number): void {
    this.lib.channelMoments(h, g, x, xq, rows, taps, c);
  }
}
