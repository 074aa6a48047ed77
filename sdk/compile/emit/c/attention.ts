import type { KernelOf } from '../../../ir/kernel.ts';
import { weightScale } from '../../../ir/ops/qattention.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, emitRowTail, rowBuffer, spaceOf } from './epilogue.ts';
import { MR, microI16, NR, rowsPerTile } from './gemm.ts';

type Spec = KernelOf<'qattention'>;

/** Scores of a block of query rows that exist at a time, bytes, and the rows of a block at most. */
const SCORE_BYTES = 32 * 1024;
const MAX_ROWS = 32;
/** Rows of a block at least when every block widens all keys again. */
const MIN_WHOLE = 16;

/**
 * A head's keys and values are widened into tiles; then a block of query rows: scores, their exponentials rounded to i16 in place
 * of the scores, and the products with the values. Parts share out the blocks of all heads, a head's one after another; where whole
 * rows are quantized, the blocks of all samples, with every head of a block in turn.
 */
export function emitQAttention(ctx: KernelContext, l: Lowered<KernelOf<'qattention'>>): KernelText {
  const [q, k, v, scale, valueScale, mask] = l.node.inputs as [string, string, string, string, string, string?];
  const y = l.node.outputs[0]!;
  const s = l.spec;
  const dp = Math.ceil(s.size / NR) * NR;
  const keys = Math.ceil(s.keys / NR) * NR;
  const columns = Math.ceil(s.valueSize / NR) * NR;
  const fit = Math.floor(SCORE_BYTES / (keys * 4) / MR) * MR;
  const whole = ctx.group.rowTail !== undefined;
  const block = Math.min(Math.max(whole ? MIN_WHOLE : MR, Math.min(MAX_ROWS, fit)), Math.ceil(s.queries / MR) * MR);
  const blocks = Math.ceil(s.queries / block);
  const mr = rowsPerTile(s.queries);
  const kt = `((i16 *)${ctx.scratch(keys * dp * 2)})`;
  const vt = `((i16 *)${ctx.scratch(keys * columns * 2)})`;
  const rows = `((i16 *)${ctx.scratch(block * dp * 2)})`;
  const scores = `((float *)${ctx.scratch(block * keys * 4)})`;
  const inverse = `((float *)${ctx.scratch(block * 4)})`;
  const [pq, pk, pv] = [ctx.read(q), ctx.read(k), ctx.read(v)];
  const [ps, pvs] = [ctx.read(scale), ctx.read(valueScale)];
  const epi = emitEpilogue(ctx, 'epi', { ...spaceOf(ctx.type(y).shape), whole: s.valueSize % NR === 0 }, y);
  const cols = s.heads * s.valueSize;
  const held = rowBuffer(ctx, block * (cols + NR));
  const heldRow = (row: string): string => `${held.pointer} + ${row} * ${cols + NR}`;
  const zero: [string, string] = ['i4_splat(0)', 'i4_splat(0)'];
  const real = { rows: `(ib - m < ${mr} ? ib - m : ${mr})` };
  const score = microI16(
    ctx.tuning.sums,
    dp,
    mr,
    { base: `${rows} + m * ${dp}`, pitch: dp },
    `${kt} + n * ${dp}`,
    zero,
    {
      ...real,
      use: (a, b) =>
        `float *o = ${scores} + (m + r) * ${keys} + n; f4_store(o, f4_mul(f4_from_i4(${a}), sc)); f4_store(o + 4, f4_mul(f4_from_i4(${b}), sc));`,
    },
  );
  // Weights lie where the scores were, two bytes instead of four.
  const weights = { base: `(i16 *)${scores} + m * ${2 * keys}`, pitch: 2 * keys };
  const product = microI16(ctx.tuning.sums, 'kn', mr, weights, `${vt} + n * ${keys}`, zero, {
    ...real,
    use: (a, b) => `const f4 inv = f4_load_splat(${inverse} + m + r);
      epi(${ctx.arguments()}, bi * ${s.queries} + i0 + m + r, h * ${s.valueSize} + n, nv, f4_mul(f4_mul(f4_from_i4(${a}), inv), f4_load(${pvs} + h * ${s.valueSize} + n)), f4_mul(f4_mul(f4_from_i4(${b}), inv), f4_load(${pvs} + h * ${s.valueSize} + n + 4))${whole ? `, ${heldRow('(m + r)')}` : ''});`,
  });
  const seen = s.causal ? `i0 + r + ${s.keys - s.queries + 1}` : String(s.keys);
  const pack = `ew_pack_keys(${at(pk, s.k)}, ${kt}, ${s.keys}, ${s.k[3]}, ${dp});
      ew_pack_values(${at(pv, s.v)}, ${vt}, ${s.keys}, ${s.v[3]}, ${s.valueSize}, ${keys});`;
  const limits = `const i32 ib = ${s.queries} - i0 < ${block} ? ${s.queries} - i0 : ${block};
    const i32 last = ${s.causal ? `i0 + ib + ${s.keys - s.queries}` : s.keys}, kn = (last + ${NR - 1}) / ${NR} * ${NR};`;
  const head = `const f4 sc = f4_load_splat(${ps} + h);
    const i8 *q = ${at(pq, s.q)} + i0 * ${s.q[3]};
    for (i32 r = 0; r < ib; r++) ew_widen_padded(${rows} + r * ${dp}, q + r * ${s.q[3]}, ${s.size}, ${dp});
    for (i32 n = 0; n < kn; n += ${NR}) for (i32 m = 0; m < ib; m += ${mr}) ${score}
    for (i32 r = 0; r < ib; r++) {
      float *t = ${scores} + r * ${keys};
      ${mask ? maskText(ctx, s, mask) : ''}
      ${inverse}[r] = ew_weights(t, ${seen}, kn, ${f32Literal(weightScale(s.keys))});
    }
    for (i32 n = 0; n < ${s.valueSize}; n += ${NR}) {
      const i32 nv = ${s.valueSize} - n < ${NR} ? ${s.valueSize} - n : ${NR}; (void)nv;
      for (i32 m = 0; m < ib; m += ${mr}) ${product}
    }`;
  const byHead = `${share(s.batch * s.heads * blocks, 1, 'u0', 'u1')}
  i32 packed = -1;
  for (i32 u = u0; u < u1; u++) {
    const i32 z = u / ${blocks}, bi = z / ${s.heads}, h = z % ${s.heads}, i0 = u % ${blocks} * ${block};
    ${limits}
    if (z != packed) { ${pack} packed = z; }
    ${head}
  }`;
  const byBlock = (): string => `${share(s.batch * blocks, 1, 'u0', 'u1')}
  for (i32 u = u0; u < u1; u++) {
    const i32 bi = u / ${blocks}, i0 = u % ${blocks} * ${block};
    ${limits}
    for (i32 h = 0; h < ${s.heads}; h++) {
      ${pack}
      ${head}
    }
    for (i32 r = 0; r < ib; r++) { const i32 row = bi * ${s.queries} + i0 + r; ${emitRowTail(ctx, heldRow('r'), 'row')} }
  }`;
  const body = whole ? byBlock() : byHead;
  return { helpers: epi, body, macs: macsOf(s) };
}

function macsOf(s: Spec): number {
  return s.batch * s.heads * s.queries * s.keys * (s.size + s.valueSize);
}

/** First element of head h of sample b. */
function at(pointer: string, [offset, b, h]: Spec['q']): string {
  return `${pointer} + ${offset} + bi * ${b} + h * ${h}`;
}

/** Adds the mask's row to scores t of query i0 + r. */
function maskText(ctx: KernelContext, s: Spec, mask: string): string {
  const shape = ctx.type(mask).shape;
  const padded = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  const terms = ['bi', 'h', '(i0 + r)'].flatMap((index, d) =>
    padded[d]! > 1 ? [`${index} * ${sizeOf(padded.slice(d + 1))}`] : [],
  );
  const row = `${ctx.read(mask)} + ${terms.length > 0 ? terms.join(' + ') : '0'}`;
  return `{ const float *a = ${row}; i32 j = 0; for (; j + 4 <= ${s.keys}; j += 4) f4_store(t + j, f4_add(f4_load(t + j), f4_load(a + j))); for (; j < ${s.keys}; j++) t[j] = t[j] + a[j]; }`;
}

/** C helpers of modules with attention. */
export const ATTENTION = `
/* n i8 -> i16, zero from n to padded (multiple of 8); reads up to the next multiple of 8 */
static void ew_widen_padded(i16 *d, const i8 *s, i32 n, i32 padded) {
  for (i32 k = 0; k < padded; k += 8) h8_store(d + k, h8_load_i8(s + k));
  for (i32 k = n; k < padded; k++) d[k] = 0;
}
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
/* n scores -> i16 codes of e^(s - max) in steps of 1/limit, in place; zero from n to padded (multiple of 8). Returns one over the sum of the codes. */
static float ew_weights(float *s, i32 n, i32 padded, float limit) {
  for (i32 k = n; k < padded; k++) s[k] = -__builtin_inff();
  f4 m = f4_load(s);
  for (i32 k = 4; k < padded; k += 4) m = f4_max(m, f4_load(s + k));
  float top = ew_max4(m);
  if (top == -__builtin_inff()) top = 0.0f;
  const f4 shift = f4_splat(top), step = f4_splat(limit);
  i16 *w = (i16 *)s; i4 sum = i4_splat(0); i32 k = 0;
#ifdef EW_LANES
  ix sums = ix_splat(0); i32 parts[EW_LANES];
  for (; k + EW_LANES <= padded; k += EW_LANES) {
    const ix a = ewx_round(fx_mul(ewx_exp(fx_sub(fx_load(s + k), fx_splat(top))), fx_splat(limit)));
    sums = ix_add(sums, a); ix_store_i16(w + k, a);
  }
  ix_store(parts, sums);
  for (i32 i = 0; i < EW_LANES; i += 4) sum = i4_add(sum, i4_load(parts + i));
#endif
  for (; k < padded; k += 8) {
    const i4 a = ew_round(f4_mul(ew_exp(f4_sub(f4_load(s + k), shift)), step));
    const i4 b = ew_round(f4_mul(ew_exp(f4_sub(f4_load(s + k + 4), shift)), step));
    sum = i4_add(sum, i4_add(a, b));
    h8_store(w + k, h8_narrow(a, b));
  }
  const i32 total = (i4_lane(sum, 0) + i4_lane(sum, 1)) + (i4_lane(sum, 2) + i4_lane(sum, 3));
  return total > 0 ? 1.0f / (float)total : 0.0f;
}
`;
