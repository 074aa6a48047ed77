import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { spaceOf } from '../c/epilogue.ts';
import { NR } from '../c/gemm.ts';
import { type Geometry, geometryOf } from '../c/geometry.ts';
import { batchOffset } from '../c/matmul.ts';
import { emitEpilogue, scratchOf, zeroOf } from './epilogue.ts';

/** Products that have no tiles: one result at a time. */

type Conv = Lowered<KernelOf<'conv'> | KernelOf<'qconv'>>;

/** Grouped convolution whose groups are not whole tiles: one channel at a time. Rare, so plain. */
export function emitRaggedConv(ctx: KernelContext, l: Conv): KernelText {
  const geo = geometryOf(
    l.spec,
    ctx.type(l.node.inputs[0]!),
    ctx.type(l.node.inputs[1]!),
    ctx.type(l.node.outputs[0]!),
  );
  const [x, w] = l.node.inputs as [string, string];
  const y = l.node.outputs[0]!;
  const src = ctx.read(x);
  const integer = l.spec.kind === 'qconv';
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const text = integer ? raggedInteger(ctx, l, geo) : raggedFloat(ctx, l, w);
  const body = `${text.setup}
  for (i32 o = 0; o < ${geo.o}; o++) {
  ${text.channel}
  for (i32 row = 0; row < ${geo.m}; row++) {
    const i32 px = row % ${geo.ow}, py = row / ${geo.ow} % ${geo.oh}, b = row / ${geo.ow * geo.oh};
    ${text.start}
    for (i32 ky = 0; ky < ${geo.kh}; ky++) for (i32 kx = 0; kx < ${geo.kw}; kx++) {
      const i32 y = py * ${geo.strides[0]} - ${geo.pads[0]} + ky * ${geo.dilations[0]}, x = px * ${geo.strides[1]} - ${geo.pads[1]} + kx * ${geo.dilations[1]};
      if (y < 0 || y >= ${geo.h} || x < 0 || x >= ${geo.w}) continue;
      const ${ctx.cType(x)} *s = ${src} + ((b * ${geo.h} + y) * ${geo.w} + x) * ${geo.c} + o / ${geo.og} * ${geo.cg};
      const i32 k = (ky * ${geo.kw} + kx) * ${geo.cg};
      for (i32 c = 0; c < ${geo.cg}; c++) ${text.add}
    }
    epi(${ctx.arguments()}, row, o, ${text.result});
  }
  }`;
  return { helpers: epi, body, macs: geo.m * geo.k * geo.o };
}

interface Ragged {
  readonly setup: string;
  /** Once a channel o. */
  readonly channel: string;
  readonly start: string;
  readonly add: string;
  readonly result: string;
}

function raggedFloat(ctx: KernelContext, l: Conv, w: string): Ragged {
  const cols = sizeOf(ctx.type(w).shape.slice(1));
  const bias = l.node.inputs[2];
  return {
    setup: '',
    channel: '',
    start: `float acc = ${bias ? `${ctx.read(bias)}[o]` : '0.0f'};`,
    add: `acc = acc + s[c] * ${ctx.read(w)}[o * ${cols} + k + c];`,
    result: 'f4_splat(acc)',
  };
}

function raggedInteger(ctx: KernelContext, l: Conv, geo: Geometry): Ragged {
  const [, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const { pointer: panels } = ctx.panels(w, geo.o, geo.k);
  const tile = scratchOf(ctx, 'i8', NR * Math.ceil(geo.k / 16) * 16);
  const zero = zeroOf(ctx, zp, `o / ${geo.og} * ${geo.cg} + c`);
  return {
    setup: `const i32 pitch = EW_PITCH(${geo.k}); (void)pitch;`,
    channel: `if (o % ${NR} == 0) ew_panel(${panels}, o / ${NR}, ${geo.o}, ${geo.k}, ${tile});`,
    start: 'i32 acc = 0;',
    add: `acc += (s[c] - ${zero}) * *EW_CODE(${tile}, o % ${NR}, k + c, pitch);`,
    result: `f4_add(f4_mul(f4_from_i4(i4_splat(acc)), f4_load(${ctx.read(m)} + o)), f4_load(${ctx.read(bias)} + o))`,
  };
}

/** Product of two activations, batch by batch. */
export function emitMatmul(ctx: KernelContext, l: Lowered<KernelOf<'matmul'>>): KernelText {
  const [a, b] = l.node.inputs as [string, string];
  const y = l.node.outputs[0]!;
  const { transA, transB } = l.spec;
  const [as, bs, ys] = [ctx.type(a).shape, ctx.type(b).shape, ctx.type(y).shape];
  const m = as[as.length - (transA ? 1 : 2)]!;
  const k = as[as.length - (transA ? 2 : 1)]!;
  const n = bs[bs.length - (transB ? 2 : 1)]!;
  const batchShape = ys.slice(0, -2);
  const batch = sizeOf(batchShape);
  const [pa, pb] = [ctx.read(a), ctx.read(b)];
  const epi = emitEpilogue(ctx, spaceOf(ys), y);
  const [ai, ak] = transA ? [1, m] : [k, 1];
  const [bj, bk] = transB ? [k, 1] : [1, n];
  const body = `for (i32 z = 0; z < ${batch}; z++) {
    const float *A = ${pa} + (${batchOffset(as.slice(0, -2), batchShape, m * k)}), *B = ${pb} + (${batchOffset(bs.slice(0, -2), batchShape, k * n)});
    for (i32 i = 0; i < ${m}; i++) for (i32 j = 0; j < ${n}; j++) {
      const float *s = A + i * ${ai}, *t = B + j * ${bj};
      float acc = 0.0f;
      for (i32 e = 0; e < ${k}; e++, s += ${ak}, t += ${bk}) acc = acc + *s * *t;
      epi(${ctx.arguments()}, z * ${m} + i, j, f4_splat(acc));
    }
  }`;
  return { helpers: epi, body, macs: batch * m * k * n };
}
