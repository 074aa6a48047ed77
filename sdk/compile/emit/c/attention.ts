import type { KernelOf } from '../../../ir/kernel.ts';
import { weightScale } from '../../../ir/ops/qattention.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, emitRowTail, rowBuffer, spaceOf } from './epilogue.ts';
import { MR, NR } from './gemm.ts';
import { NARROW_HEADS, narrowHead } from './head-products.ts';
import { widened } from './lanes.ts';
import { keyUnit, wideHead } from './wide-heads.ts';

type Spec = KernelOf<'qattention'>;

/** Scores of a block of query rows that exist at a time, bytes, and the rows of a block at most. */
const SCORE_BYTES = 32 * 1024;
const MAX_ROWS = 32;
/** Rows of a block at least when every block widens all keys again. */
const MIN_WHOLE = 16;

/**
 * A head's keys and values are put into tiles; then a block of query rows: scores, their exponentials rounded to i16 in place
 * of the scores, and the products with the values. Parts share out the blocks of all heads, a head's one after another; where whole
 * rows are quantized, the blocks of all samples, with every head of a block in turn.
 */
export function emitQAttention(ctx: KernelContext, l: Lowered<KernelOf<'qattention'>>): KernelText {
  const [q, k, v, scale, valueScale, mask] = l.node.inputs as [string, string, string, string, string, string?];
  const y = l.node.outputs[0]!;
  const s = l.spec;
  const { wide } = ctx.tuning;
  const unit = wide ? keyUnit(wide, s.keys) : NR;
  const keys = Math.ceil(s.keys / unit) * unit;
  const fit = Math.floor(SCORE_BYTES / (keys * 4) / MR) * MR;
  const whole = ctx.group.rowTail !== undefined;
  const block = Math.min(Math.max(whole ? MIN_WHOLE : MR, Math.min(MAX_ROWS, fit)), Math.ceil(s.queries / MR) * MR);
  const blocks = Math.ceil(s.queries / block);
  const scores = `((float *)${ctx.scratch(block * keys * 4)})`;
  const inverse = `((float *)${ctx.scratch(block * 4)})`;
  const [pq, pk, pv] = [ctx.read(q), ctx.read(k), ctx.read(v)];
  const [ps, pvs] = [ctx.read(scale), ctx.read(valueScale)];
  const operands = { spec: s, k: at(pk, s.k), v: at(pv, s.v), block, scores, pitch: keys };
  const products = wide ? wideHead(ctx, wide, operands) : narrowHead(ctx, operands);
  const { lanes } = products;
  const space = { ...spaceOf(ctx.type(y).shape), whole: s.valueSize % lanes.block === 0 };
  const epi = emitEpilogue(ctx, 'epi', space, y, lanes);
  const pitch = s.heads * s.valueSize + lanes.block;
  const held = rowBuffer(ctx, block * pitch);
  const heldRow = (row: string): string => `${held.pointer} + ${row} * ${pitch}`;
  const values = products.values((sums) => {
    const scaled = sums.map(
      (v, i) => `f4_mul(f4_mul(${v}, inv), f4_load(${pvs} + h * ${s.valueSize} + n${i ? ` + ${4 * i}` : ''}))`,
    );
    return `const f4 inv = f4_load_splat(${inverse} + m + r);
      epi(${ctx.arguments()}, bi * ${s.queries} + i0 + m + r, h * ${s.valueSize} + n, nv, ${scaled.join(', ')}${whole ? `, ${heldRow('(m + r)')}` : ''});`;
  });
  const seen = s.causal ? `i0 + r + ${s.keys - s.queries + 1}` : String(s.keys);
  const limits = `const i32 ib = ${s.queries} - i0 < ${block} ? ${s.queries} - i0 : ${block};
    const i32 last = ${s.causal ? `i0 + ib + ${s.keys - s.queries}` : s.keys}, kn = (last + ${unit - 1}) / ${unit} * ${unit};`;
  const head = `const float scale = ${ps}[h]; const f4 sc = f4_splat(scale); (void)sc;
    const i8 *q = ${at(pq, s.q)} + i0 * ${s.q[3]};
    ${products.scores}
    for (i32 r = 0; r < ib; r++) {
      float *t = ${scores} + r * ${keys};
      ${mask ? maskText(ctx, s, mask) : ''}
      ${inverse}[r] = ew_weights(t, ${seen}, kn, ${f32Literal(weightScale(s.keys))});
    }
    ${values}`;
  const byHead = `${share(s.batch * s.heads * blocks, 1, 'u0', 'u1')}
  i32 packed = -1;
  for (i32 u = u0; u < u1; u++) {
    const i32 z = u / ${blocks}, bi = z / ${s.heads}, h = z % ${s.heads}, i0 = u % ${blocks} * ${block};
    ${limits}
    if (z != packed) { ${products.pack(String(keys))} packed = z; }
    ${head}
  }`;
  const byBlock = (): string => `${share(s.batch * blocks, 1, 'u0', 'u1')}
  for (i32 u = u0; u < u1; u++) {
    const i32 bi = u / ${blocks}, i0 = u % ${blocks} * ${block};
    ${limits}
    for (i32 h = 0; h < ${s.heads}; h++) {
      ${products.pack('kn')}
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

const CODE = `/* e^v in steps of 1/limit, for v up to 0: below -30 it is 0 in any case, and there are no denormal numbers, which take long */
EW_INLINE i4 ew_code(f4 v, f4 limit) { return ew_round_add(f4_mul(ew_exp_near(f4_max(v, f4_splat(-30.0f))), limit), i4_splat(0)); }
`;

/** C helpers of modules with attention. */
export const ATTENTION = `
/* n i8 -> i16, zero from n to padded (multiple of 8); reads up to the next multiple of 8 */
static void ew_widen_padded(i16 *d, const i8 *s, i32 n, i32 padded) {
  for (i32 k = 0; k < padded; k += 8) h8_store(d + k, h8_load_i8(s + k));
  for (i32 k = n; k < padded; k++) d[k] = 0;
}
${CODE}/* n scores -> i16 codes of e^(s - max) in steps of 1/limit, in place; zero from n to padded (multiple of 8, or of EW_LANES). Returns one over the sum of the codes. */
#ifdef EW_LANES
${widened(CODE).replace('ew_code', 'ewx_code')}static float ew_weights(float *s, i32 n, i32 padded, float limit) {
  static const i32 places[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const fx least = fx_splat(-__builtin_inff()); fx m = least; float most[EW_LANES]; i32 parts[EW_LANES];
  for (i32 k = 0; k < padded; k += EW_LANES) {
    fx v = fx_load(s + k);
    if (k + EW_LANES > n) { v = x_select(fx_lt(fx_from_i4(ix_load(places)), fx_splat((float)(n - k))), v, least); fx_store(s + k, v); }
    m = fx_max(m, v);
  }
  fx_store(most, m);
  f4 four = f4_load(most);
  for (i32 i = 4; i < EW_LANES; i += 4) four = f4_max(four, f4_load(most + i));
  float top = ew_max4(four);
  if (top == -__builtin_inff()) top = 0.0f;
  i16 *w = (i16 *)s; ix sum = ix_splat(0);
  for (i32 k = 0; k < padded; k += EW_LANES) {
    const ix a = ewx_code(fx_sub(fx_load(s + k), fx_splat(top)), fx_splat(limit));
    sum = ix_add(sum, a); ix_store_i16(w + k, a);
  }
  ix_store(parts, sum);
  i4 total = i4_load(parts);
  for (i32 i = 4; i < EW_LANES; i += 4) total = i4_add(total, i4_load(parts + i));
  const i32 all = (i4_lane(total, 0) + i4_lane(total, 1)) + (i4_lane(total, 2) + i4_lane(total, 3));
  return all > 0 ? 1.0f / (float)all : 0.0f;
}
#else
static float ew_weights(float *s, i32 n, i32 padded, float limit) {
  for (i32 k = n; k < padded; k++) s[k] = -__builtin_inff();
  f4 m = f4_load(s);
  for (i32 k = 4; k < padded; k += 4) m = f4_max(m, f4_load(s + k));
  float top = ew_max4(m);
  if (top == -__builtin_inff()) top = 0.0f;
  const f4 shift = f4_splat(top), step = f4_splat(limit);
  i16 *w = (i16 *)s; i4 sum = i4_splat(0);
  for (i32 k = 0; k < padded; k += 8) {
    const i4 a = ew_code(f4_sub(f4_load(s + k), shift), step), b = ew_code(f4_sub(f4_load(s + k + 4), shift), step);
    sum = i4_add(sum, i4_add(a, b));
    h8_store(w + k, h8_narrow(a, b));
  }
  const i32 total = (i4_lane(sum, 0) + i4_lane(sum, 1)) + (i4_lane(sum, 2) + i4_lane(sum, 3));
  return total > 0 ? 1.0f / (float)total : 0.0f;
}${NARROW_HEADS}#endif
`;
