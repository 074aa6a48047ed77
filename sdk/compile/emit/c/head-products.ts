import type { KernelOf } from '../../../ir/kernel.ts';
import type { KernelContext } from './context.ts';
import { microI16, NR, rowsPerTile } from './gemm.ts';
import { type Lanes, NARROW } from './lanes.ts';

/**
 * The two products of an attention head: queries by keys, weights by values. In all C text `h` is the head, the block has `ib` queries,
 * and `kn` keys are looked at, a multiple of `unit`.
 */
export interface HeadProducts {
  /** Keys that are handled together. */
  readonly unit: number;
  /** Vectors that results arrive in. */
  readonly lanes: Lanes;
  /** Makes the first `count` keys, a multiple of `unit` or all of them, and their values ready. */
  pack(count: string): string;
  /** Makes the queries from `q` on ready, and writes their scores times `sc`. */
  readonly scores: string;
  /** Multiplies weights with values: i16, where the scores of their row begin. `finish` gets the text of sums as f32 vectors of channel `n` on, row `m + r` of the block. */
  values(finish: (sums: readonly string[]) => string): string;
}

/** What is multiplied. */
export interface HeadOperands {
  readonly spec: KernelOf<'qattention'>;
  /** C expressions of the first key and the first value of the head. */
  readonly k: string;
  readonly v: string;
  /** Queries in a block at most. */
  readonly block: number;
  /** Where scores are to be, f32, so many from one row to the next: at least all keys rounded up to `unit`. */
  readonly scores: string;
  readonly pitch: number;
}

/** Products in tiles of eight channels. */
export function narrowHead(ctx: KernelContext, { spec: s, k, v, block, scores, pitch }: HeadOperands): HeadProducts {
  const dp = Math.ceil(s.size / NR) * NR;
  const mr = rowsPerTile(s.queries);
  const kt = `((i16 *)${ctx.scratch(pitch * dp * 2)})`;
  const vt = `((i16 *)${ctx.scratch(pitch * Math.ceil(s.valueSize / NR) * NR * 2)})`;
  const rows = `((i16 *)${ctx.scratch(block * dp * 2)})`;
  const zero: [string, string] = ['i4_splat(0)', 'i4_splat(0)'];
  const real = { rows: `(ib - m < ${mr} ? ib - m : ${mr})` };
  const queries = { base: `${rows} + m * ${dp}`, pitch: dp };
  const score = microI16(ctx.tuning.sums, dp, mr, queries, `${kt} + n * ${dp}`, zero, {
    ...real,
    use: (a, b) =>
      `float *o = ${scores} + (m + r) * ${pitch} + n; f4_store(o, f4_mul(f4_from_i4(${a}), sc)); f4_store(o + 4, f4_mul(f4_from_i4(${b}), sc));`,
  });
  const weights = { base: `(i16 *)${scores} + m * ${2 * pitch}`, pitch: 2 * pitch };
  return {
    unit: NR,
    lanes: NARROW,
    pack: () => `ew_pack_keys(${k}, ${kt}, ${s.keys}, ${s.k[3]}, ${dp});
      ew_pack_values(${v}, ${vt}, ${s.keys}, ${s.v[3]}, ${s.valueSize}, ${pitch});`,
    scores: `for (i32 r = 0; r < ib; r++) ew_widen_padded(${rows} + r * ${dp}, q + r * ${s.q[3]}, ${s.size}, ${dp});
    for (i32 n = 0; n < kn; n += ${NR}) for (i32 m = 0; m < ib; m += ${mr}) ${score}`,
    values: (finish) => `for (i32 n = 0; n < ${s.valueSize}; n += ${NR}) {
      const i32 nv = ${s.valueSize} - n < ${NR} ? ${s.valueSize} - n : ${NR}; (void)nv;
      for (i32 m = 0; m < ib; m += ${mr}) ${microI16(ctx.tuning.sums, 'kn', mr, weights, `${vt} + n * ${pitch}`, zero, {
        ...real,
        use: (a, b) => finish([`f4_from_i4(${a})`, `f4_from_i4(${b})`]),
      })}
    }`,
  };
}

/** C helpers of these products. */
export const NARROW_HEADS = `
/* keys i8 [n], pitch apart -> tiles [n/8][kp/2][8][2] i16; columns past the key's size hold what lies there, queries are zero in them */
static void ew_pack_keys(const i8 *s, i16 *t, i32 n, i32 pitch, i32 kp) {
  for (i32 j = 0; j < n; j++, s += pitch) {
    i16 *d = t + (j >> 3) * 8 * kp + (j & 7) * 2;
    for (i32 k = 0; k < kp; k += 8, d += 64) {
      const h8 v = h8_load_i8(s + k);
      i4_store_lane(d, v, 0); i4_store_lane(d + 16, v, 1); i4_store_lane(d + 32, v, 2); i4_store_lane(d + 48, v, 3);
    }
  }
}
/* values i8 [n][size], pitch apart -> tiles [size/8][keys/2][8][2] i16; positions past n hold anything, weights are zero there */
static void ew_pack_values(const i8 *s, i16 *t, i32 n, i32 pitch, i32 size, i32 keys) {
  for (i32 c = 0; c < size; c += 8, t += 8 * keys) {
    i16 *d = t;
    for (i32 j = 0; j < n; j += 2, d += 16) {
      const i8 *p = s + j * pitch + c;
      const h8 a = h8_load_i8(p), b = j + 1 < n ? h8_load_i8(p + pitch) : h8_splat(0);
      h8_store(d, h8_zip_lo(a, b)); h8_store(d + 8, h8_zip_hi(a, b));
    }
  }
}
`;
