import { Partner } from './partner.ts';
import { LINALG_WASM } from './wasm.ts';

interface Exports {
  readonly __heap_base: WebAssembly.Global;
  product32: Operation;
  product64: Operation;
  choleskyDiagonal(m: number, k: number, b: number, inverse: number, scratch: number): number;
  choleskyColumns: Operation;
  solve: Operation;
  feedback(r: number, u: number, k: number): void;
  ldlq: Operation;
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
  products32: Operation;
  channelMoments: Operation;
  columnSums(sums: number, rows: number, n: number, count: number, columns: number): void;
  ranges(low: number, high: number, nonzero: number, x: number, rows: number, channels: number): void;
  gatherRows(out: number, pitch: number, x: number, positions: number, n: number, columns: number): void;
  gatherWindows(out: number, pitch: number, x: number, positions: number, n: number, windows: number): void;
}

/** What two threads can do a part of each; the last argument is a thread's own scratch. */
const SHARED = ['product32', 'product64', 'products32', 'choleskyColumns', 'solve', 'ldlq', 'channelMoments'] as const;
type Shared = (typeof SHARED)[number];
type Operation = (...values: number[]) => void;

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

/** Samples one after another, each of `rows` rows of `taps` x `c`. */
export interface ChannelOptions {
  readonly rows: number;
  readonly count: number;
  readonly taps: number;
  readonly c: number;
  readonly upper?: boolean;
}

/** Samples one after another, each of `depth` rows. */
export interface SamplesOptions {
  readonly depth: number;
  readonly count: number;
  readonly lda: number;
  readonly ldb: number;
  readonly upper?: boolean;
}

/** Tile buffers of a product, in bytes: DEPTH * (ROWS + 8) doubles (linalg.c). */
const SCRATCH_BYTES = 256 * (64 + 8) * 8;
const ROWS = 64;
const PAGE = 65536;
const MOST_PAGES = 65536;
const STACK_BYTES = 16384;
/** Multiplications from which a second thread is worth waking, about a millisecond: to wake it takes some 40 us, and longer where its processor is busy. */
const SHARED_WORK = 1e7;
/** Share of the rows that holds half of an upper triangle. */
const UPPER_HALF = 1 - Math.SQRT1_2;

let compiled: WebAssembly.Module | undefined;

/**
 * Dense linear algebra on a growing heap of its own, by one or two threads, with the same results. Operands are byte addresses in that heap; `f32`, `f64` and `i8` view
 * them. Memory is a stack: `release(mark())` frees what was allocated in between. Views die when anything is allocated after them.
 */
export class Linalg {
  private memory!: WebAssembly.Memory;
  /** All of the memory: what `memory.buffer` gives, which takes longer to ask for than most allocations. */
  private all!: Uint8Array;
  private lib!: Exports;
  private scratch = 0;
  private top = 0;
  /** Reciprocals of the pivots of a block. */
  private inverse = 0;
  private readonly threads: number;
  /** The second thread, from when there was work for it. */
  private partner: Partner | undefined;
  private partnerScratch = 0;
  private partnerStack = 0;

  constructor(threads = 1) {
    this.threads = threads;
    this.reset();
  }

  /** Frees everything, and lets go of the memory and the second thread: a heap that has grown never shrinks. */
  reset(): void {
    this.close();
    compiled ??= new WebAssembly.Module(Buffer.from(LINALG_WASM, 'base64'));
    this.memory = new WebAssembly.Memory({ initial: 8, maximum: MOST_PAGES, shared: true });
    this.all = new Uint8Array(this.memory.buffer);
    this.lib = new WebAssembly.Instance(compiled, { env: { memory: this.memory } }).exports as unknown as Exports;
    this.top = Number(this.lib.__heap_base.value);
    this.inverse = this.alloc(ROWS * 8);
    this.scratch = this.alloc(SCRATCH_BYTES);
    this.partnerScratch = this.alloc(SCRATCH_BYTES);
    this.partnerStack = this.alloc(STACK_BYTES);
  }

  /** Ends the second thread; it comes again when there is work for it. */
  close(): void {
    this.partner?.close();
    this.partner = undefined;
  }

  /** Address of `bytes` zeroed bytes, 64-byte aligned. */
  alloc(bytes: number): number {
    const at = Math.ceil(this.top / 64) * 64;
    this.top = at + bytes;
    const missing = this.top - this.all.length;
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / PAGE));
      this.all = new Uint8Array(this.memory.buffer);
    }
    this.all.fill(0, at, this.top);
    return at;
  }

  /** Allocates and fills with f32 data. */
  put32(data: ArrayLike<number>): number {
    const at = this.alloc(data.length * 4);
    this.f32(at, data.length).set(data);
    return at;
  }

  putInts(data: ArrayLike<number>): number {
    const at = this.alloc(data.length * 4);
    this.i32(at, data.length).set(data);
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
    return new Float32Array(this.all.buffer, at, length);
  }

  f64(at: number, length: number): Float64Array {
    return new Float64Array(this.all.buffer, at, length);
  }

  i32(at: number, length: number): Int32Array {
    return new Int32Array(this.all.buffer, at, length);
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.all.buffer, at, length);
  }

  i8(at: number, length: number): Int8Array {
    return new Int8Array(this.all.buffer, at, length);
  }

  /** C [m][n] += alpha * A^T B in f32, with A [depth][m], B [depth][n]. */
  product32(c: number, a: number, b: number, m: number, n: number, depth: number, o: ProductOptions = {}): void {
    this.product('product32', c, a, b, m, n, depth, o);
  }

  /** As product32, in f64. */
  product64(c: number, a: number, b: number, m: number, n: number, depth: number, o: ProductOptions = {}): void {
    this.product('product64', c, a, b, m, n, depth, o);
  }

  /**
   * C [m][n] += A^T B in f32, sample by sample, with A [count * depth][m] and B [count * depth][n] in rows `lda` and `ldb` apart: what
   * `count` calls of product32 give, in one.
   */
  products32(
    c: number,
    a: number,
    b: number,
    m: number,
    n: number,
    { depth, count, lda, ldb, upper = false }: SamplesOptions,
  ): void {
    const part = (row: number, rows: number, column: number, columns: number): number[] => {
      const to = c + (row * n + column) * 4;
      return [to, n, a + row * 4, lda, b + column * 4, ldb, rows, columns, depth, upper ? 1 + row : 0, count];
    };
    const work = (m * n * depth * count) / (upper ? 2 : 1);
    if (upper || m > n)
      this.share('products32', work, m, upper ? UPPER_HALF : 0.5, (from, rows) => part(from, rows, 0, n));
    else this.share('products32', work, n, 0.5, (from, columns) => part(0, m, from, columns));
  }

  private product(
    name: 'product32' | 'product64',
    c: number,
    a: number,
    b: number,
    m: number,
    n: number,
    depth: number,
    o: ProductOptions,
  ): void {
    const ta = o.transposed ? 1 : 0;
    const [lda, ldb, ldc] = [o.lda ?? (ta ? depth : m), o.ldb ?? n, o.ldc ?? n];
    const size = name === 'product32' ? 4 : 8;
    const part = (row: number, rows: number, column: number, columns: number): number[] => {
      const upper = o.upper ? 1 + row : 0;
      const to = c + (row * ldc + column) * size;
      const from = a + row * (ta ? lda : 1) * size;
      return [to, ldc, from, lda, ta, b + column * size, ldb, rows, columns, depth, o.alpha ?? 1, upper];
    };
    const work = (m * n * depth) / (o.upper ? 2 : 1);
    // What is packed for a tile is packed by both threads: of the smaller side.
    if (o.upper || m > n)
      this.share(name, work, m, o.upper ? UPPER_HALF : 0.5, (from, count) => part(from, count, 0, n));
    else this.share(name, work, n, 0.5, (from, count) => part(0, m, from, count));
  }

  /** Runs an operation on rows or columns [0, count) of its result, in two parts at once where that pays. */
  private share(
    name: Shared,
    work: number,
    count: number,
    first: number,
    part: (from: number, count: number) => number[],
  ): void {
    // Vectors are filled in both parts.
    const middle = Math.round((count * first) / 8) * 8;
    const partner = work >= SHARED_WORK && middle > 0 && middle < count ? this.second() : undefined;
    partner?.begin(name, [...part(middle, count - middle), this.partnerScratch]);
    this.lib[name](...part(0, partner ? middle : count), this.scratch);
    partner?.wait();
  }

  private second(): Partner | undefined {
    if (this.threads < 2) return undefined;
    this.partner ??= new Partner({
      module: compiled!,
      memory: this.memory,
      stackTop: this.partnerStack + STACK_BYTES,
      functions: SHARED,
    });
    return this.partner.ready ? this.partner : undefined;
  }

  /** Upper factor of M = U^T U (f64, [k][k], upper triangle) in place; false when M is not positive definite. */
  cholesky(m: number, k: number): boolean {
    for (let b = 0; b < k; b += ROWS) {
      if (this.lib.choleskyDiagonal(m, k, b, this.inverse, this.scratch) !== 0) return false;
      const right = Math.min(k, b + ROWS);
      const work = ROWS * (b + ROWS / 2) * (k - right);
      this.share('choleskyColumns', work, k - right, 0.5, (from, count) => [
        m,
        k,
        b,
        right + from,
        right + from + count,
        this.inverse,
      ]);
    }
    return true;
  }

  /** Solves U^T U X = B in place of x (f64, [k][n]). */
  solve(u: number, k: number, x: number, n: number): void {
    this.share('solve', k * k * n, n, 0.5, (from, count) => [u, k, x + from * 8, n, count]);
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
    const part = (from: number, count: number): number[] => {
      const [s, inv, cap] = [scale.s + from * 4, scale.inv + from * 4, scale.cap + from * 4];
      return [t + from * 4, r, k, count, n, s, inv, cap, q + from, e + from * 4, v + from * ROWS * 4];
    };
    this.share('ldlq', (k * k * n) / 2, n, 0.5, part);
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

  /**
   * h [taps][taps][c] += per-channel moments of `count` samples of rows x, y [rows][taps][c], c a multiple of 4; with `upper` of the second
   * tap no less than the first.
   */
  channelMoments(h: number, x: number, y: number, { rows, count, taps, c, upper = false }: ChannelOptions): void {
    const work = (rows * count * taps * taps * c) / (upper ? 2 : 1);
    this.share('channelMoments', work, c, 0.5, (from, channels) => {
      return [h, x, y, rows, count, taps, c, upper ? 1 : 0, from, from + channels];
    });
  }

  /** sums (f64 [columns]) += the sums of the columns of `count` samples of f32 [n][columns]. */
  columnSums(sums: number, rows: number, n: number, count: number, columns: number): void {
    this.lib.columnSums(sums, rows, n, count, columns);
  }

  /** low, high (f32 [channels]) and the counts `nonzero` (f64 [channels]) take in f32 [rows][channels]. */
  ranges(low: number, high: number, nonzero: number, x: number, rows: number, channels: number): void {
    this.lib.ranges(low, high, nonzero, x, rows, channels);
  }

  /** out [n][pitch] = rows at `positions` (i32 [n]) of stored activations (`Activations` of linalg.c), each of `columns`. */
  gatherRows(out: number, pitch: number, x: number, positions: number, n: number, columns: number): void {
    this.lib.gatherRows(out, pitch, x, positions, n, columns);
  }

  /** The same of windows of images (`Windows` of linalg.c). */
  gatherWindows(out: number, pitch: number, x: number, positions: number, n: number, windows: number): void {
    this.lib.gatherWindows(out, pitch, x, positions, n, windows);
  }
}
