/** Speed of this machine, as a WebAssembly kernel can see it, one thread. */
export interface Measured {
  /** Memory copy, bytes read plus bytes written, 10^9 B/s (as STREAM counts). */
  readonly copyGBps: number;
  /** Multiply-accumulates of i32x4.dot_i16x8_s, 10^9/s, in the inner loop of a plain-SIMD integer kernel. */
  readonly int16GMACps: number;
  /** Multiply and add of f32x4, 10^9/s, in the inner loop of a float kernel. */
  readonly fp32GMACps: number;
}

const COPY_BYTES = 64 * 2 ** 20;
const ROUND_BYTES = 2 ** 20;
const ACCUMULATORS = 8;
const ROUNDS = 20;
const ITERATIONS = 50_000;

/** Times the machine; the best of three rounds each. `now` in milliseconds. */
export function measureMachine(now: () => number): Measured {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(peakModule()));
  const run = (name: string) => exports[name] as (iterations: number) => number;
  const int = run('i');
  const float = run('f');
  // V8 starts a function in its baseline compiler and replaces it between calls, never inside a running loop.
  for (let i = 0; i < 40; i++) {
    int(20_000);
    float(20_000);
  }
  return {
    copyGBps: copyGBps(COPY_BYTES, now),
    int16GMACps: (ITERATIONS * ACCUMULATORS * 8) / best(now, () => int(ITERATIONS)) / 1e6,
    fp32GMACps: (ITERATIONS * ACCUMULATORS * 4) / best(now, () => float(ITERATIONS)) / 1e6,
  };
}

/** Copies `bytes` from one place to another: 10^9 bytes read or written a second, the best of many rounds. */
export function copyGBps(bytes: number, now: () => number): number {
  const a = new Uint8Array(bytes).fill(1);
  const b = new Uint8Array(bytes);
  // A round is long enough for the clock, whatever the size.
  const copies = Math.max(1, Math.round(ROUND_BYTES / bytes));
  const ms = best(now, () => {
    for (let i = 0; i < copies; i++) b.set(a);
  });
  return (2 * bytes * copies) / ms / 1e6;
}

function best(now: () => number, work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let r = 0; r < ROUNDS; r++) {
    const start = now();
    work();
    least = Math.min(least, now() - start);
  }
  return Math.max(least, 1e-3);
}

// Opcodes of the WebAssembly core specification 2.0, section 5.4 (vector instructions follow the prefix 0xfd).
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const I32_CONST = 0x41;
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_AND = 0x71;
const V128_LOAD = [0xfd, 0x00, 4];
const V128_LOAD32_SPLAT = [0xfd, 0x09, 2];
const I32_LANE0 = [0xfd, 0x1b, 0];
const I32X4_ADD = [0xfd, 0xae, 0x01];
const I32X4_DOT_I16X8 = [0xfd, 0xba, 0x01];
const F32X4_ADD = [0xfd, 0xe4, 0x01];
const F32X4_MUL = [0xfd, 0xe6, 0x01];

/**
 * A module with two exports (iterations) -> checksum: `i` and `f`. One iteration is the inner loop of the emitted
 * matrix kernels: four splat pixels times two vectors of channels, eight accumulators, operands from L1 (zeros, which
 * take no longer than other normal numbers).
 */
function peakModule(): Uint8Array<ArrayBuffer> {
  const name = (c: string, index: number) => [1, c.charCodeAt(0), 0, index];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(3, [2, 0, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('i', 0), ...name('f', 1)]),
    ...section(10, [2, ...body(I32X4_DOT_I16X8, I32X4_ADD), ...body(F32X4_MUL, F32X4_ADD)]),
  ]);
}

const PIXELS = 4;
const VECTORS = 2;

/** Locals: 0 counts down, 1 is the address; then weight vectors, pixels, accumulators. */
function body(multiply: readonly number[], add: readonly number[]): number[] {
  const [weight, pixel, sum] = [2, 2 + VECTORS, 2 + VECTORS + PIXELS];
  const code: number[] = [2, 1, 0x7f, VECTORS + PIXELS + ACCUMULATORS, 0x7b];
  code.push(0x03, 0x40);
  // Address: the counter's low bits in steps of 16 bytes, inside 8 KB.
  code.push(LOCAL_GET, 0, I32_CONST, ...leb(0x1ff0), I32_AND, LOCAL_SET, 1);
  for (let v = 0; v < VECTORS; v++) code.push(LOCAL_GET, 1, ...V128_LOAD, v * 16, LOCAL_SET, weight + v);
  for (let p = 0; p < PIXELS; p++) code.push(LOCAL_GET, 1, ...V128_LOAD32_SPLAT, p * 4, LOCAL_SET, pixel + p);
  for (let p = 0; p < PIXELS; p++) {
    for (let v = 0; v < VECTORS; v++) {
      const acc = sum + p * VECTORS + v;
      code.push(LOCAL_GET, pixel + p, LOCAL_GET, weight + v, ...multiply, LOCAL_GET, acc, ...add, LOCAL_SET, acc);
    }
  }
  code.push(LOCAL_GET, 0, I32_CONST, 1, I32_SUB, LOCAL_TEE, 0, 0x0d, 0, 0x0b);
  code.push(I32_CONST, 0);
  for (let k = 0; k < ACCUMULATORS; k++) code.push(LOCAL_GET, sum + k, ...I32_LANE0, I32_ADD);
  code.push(0x0b);
  return [...leb(code.length), ...code];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return out;
}
