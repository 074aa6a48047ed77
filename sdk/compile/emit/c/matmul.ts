import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, spaceOf } from './epilogue.ts';
import { microF32, NR, type Rows, rowsPerTile } from './gemm.ts';

/** Product of two activations, batch by batch; eight columns of b are copied into a tile first. */
export function emitMatmul(ctx: KernelContext, l: Lowered<KernelOf<'matmul'>>): KernelText {
  const [a, b] = l.node.inputs as [string, string];
  const y = l.node.outputs[0]!;
  const { transA, transB } = l.spec;
  const as = ctx.type(a).shape;
  const bs = ctx.type(b).shape;
  const ys = ctx.type(y).shape;
  const m = as[as.length - (transA ? 1 : 2)]!;
  const k = as[as.length - (transA ? 2 : 1)]!;
  const n = bs[bs.length - (transB ? 2 : 1)]!;
  const batchShape = ys.slice(0, -2);
  const batch = sizeOf(batchShape);
  const pa = ctx.read(a);
  const pb = ctx.read(b);
  const space = { ...spaceOf(ys) };
  const epi = emitEpilogue(ctx, 'epi', space, y);
  const tile = `((float *)${ctx.scratch(k * NR * 4)})`;
  const rowsA = transA ? `((float *)${ctx.scratch(m * k * 4)})` : '';
  const mr = rowsPerTile(m);
  const from = transA ? rowsA : 'A';
  const exact = m % mr === 0 && (batch > 1 || m % 4 === 0 || m < 4);
  const rows: Rows = exact
    ? { base: `${from} + m * ${k}`, pitch: k }
    : { pointer: (r) => `${from} + (m + ${r} < m1 ? m + ${r} : m1 - 1) * ${k}` };
  const micro = microF32(k, mr, rows, tile, ['f4_splat(0.0f)', 'f4_splat(0.0f)'], {
    ...(exact ? {} : { rows: `(m1 - m < ${mr} ? m1 - m : ${mr})` }),
    use: (c0, c1) => `epi(${ctx.arguments()}, z * ${m} + m + r, n, nv, ${c0}, ${c1});`,
  });
  const packB = transB
    ? `for (i32 k = 0; k < ${k}; k++) for (i32 j = 0; j < 8; j++) ${tile}[k * 8 + j] = j < nv ? B[(n + j) * ${k} + k] : 0.0f;`
    : `for (i32 k = 0; k < ${k}; k++) { const float *s = B + k * ${n} + n; float *d = ${tile} + k * 8; if (nv == 8) { f4_store(d, f4_load(s)); f4_store(d + 4, f4_load(s + 4)); } else for (i32 j = 0; j < 8; j++) d[j] = j < nv ? s[j] : 0.0f; }`;
  const packA = transA
    ? `for (i32 i = m0; i < m1; i++) for (i32 k = 0; k < ${k}; k++) ${rowsA}[i * ${k} + k] = A[k * ${m} + i];`
    : '';
  const split =
    batch > 1
      ? `${share(batch, 1, 'z0', 'z1')} const i32 m0 = 0, m1 = ${m};`
      : `const i32 z0 = 0, z1 = 1; ${share(m, 4, 'm0', 'm1')}`;
  const body = `${split}
  for (i32 z = z0; z < z1; z++) {
    const float *A = ${pa} + (${batchOffset(as.slice(0, -2), batchShape, m * k)}), *B = ${pb} + (${batchOffset(bs.slice(0, -2), batchShape, k * n)});
    ${packA}
    for (i32 n = 0; n < ${n}; n += ${NR}) {
      const i32 nv = ${n} - n < ${NR} ? ${n} - n : ${NR};
      ${packB}
      for (i32 m = m0; m < m1; m += ${mr}) ${micro}
    }
  }`;
  return { helpers: epi, body, macs: batch * m * k * n };
}

/** Element offset of batch index z in an operand whose batch axes broadcast. */
export function batchOffset(shape: readonly number[], full: readonly number[], unit: number): string {
  const rank = full.length;
  const padded = [...new Array<number>(Math.max(0, rank - shape.length)).fill(1), ...shape];
  const terms: string[] = [];
  let stride = unit;
  let below = 1;
  for (let d = rank - 1; d >= 0; d--) {
    if (padded[d]! > 1) {
      terms.push(`(z / ${below} % ${full[d]}) * ${stride}`);
      stride *= padded[d]!;
    }
    below *= full[d]!;
  }
  return terms.length === 0 ? '0' : terms.join(' + ');
}
