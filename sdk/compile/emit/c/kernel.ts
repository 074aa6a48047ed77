import type { KernelSpec } from '../../../ir/kernel.ts';
import { isKind, type Lowered } from '../../lower.ts';
import { emitQAttention } from './attention.ts';
import type { KernelContext, KernelText } from './context.ts';
import { emitConv, emitDepthwise, emitLinear, emitRaggedConv, isDepthwise, isRagged } from './conv.ts';
import { emitConvTranspose } from './conv-transpose.ts';
import { geometryOf } from './geometry.ts';
import { emitInterleave } from './interleave.ts';
import { emitMap } from './map.ts';
import { emitMatmul } from './matmul.ts';
import {
  emitCast,
  emitConcat,
  emitDynQuantize,
  emitGather,
  emitPad,
  emitQGather,
  emitResize,
  emitStrided,
} from './move.ts';
import { emitPool } from './pool.ts';
import { emitQConv, emitQLinear, emitRaggedQConv } from './qconv.ts';
import { emitQDepthwise } from './qdepthwise.ts';
import { emitGru, emitLstm, emitQLstm } from './recurrent.ts';
import { emitArgReduce, emitLayerNorm, emitReduce } from './reduce.ts';
import { emitSoftmax } from './softmax.ts';
import { emitTranspose } from './transpose.ts';

type Kind = KernelSpec['kind'];
type Renderer<K extends Kind> = (ctx: KernelContext, l: Lowered<Extract<KernelSpec, { kind: K }>>) => KernelText;

/** One renderer a kernel class. */
const RENDERERS: { readonly [K in Exclude<Kind, 'view' | 'map' | 'quantize' | 'dequantize'>]: Renderer<K> } = {
  strided: (ctx, l) => emitTranspose(ctx, l) ?? emitInterleave(ctx, l) ?? emitStrided(ctx, l),
  pad: emitPad,
  concat: emitConcat,
  gather: emitGather,
  cast: emitCast,
  reduce: emitReduce,
  argreduce: emitArgReduce,
  softmax: emitSoftmax,
  layernorm: emitLayerNorm,
  conv: (ctx, l) => pickConv(ctx, l),
  convtranspose: emitConvTranspose,
  pool: emitPool,
  linear: emitLinear,
  matmul: emitMatmul,
  resize: emitResize,
  lstm: emitLstm,
  gru: emitGru,
  dynquantize: emitDynQuantize,
  qconv: (ctx, l) => pickQConv(ctx, l),
  qlinear: emitQLinear,
  qattention: emitQAttention,
  qgather: emitQGather,
  qlstm: emitQLstm,
};

function geometry(ctx: KernelContext, l: Lowered<Extract<KernelSpec, { kind: 'conv' | 'qconv' }>>) {
  return geometryOf(l.spec, ctx.type(l.node.inputs[0]!), ctx.type(l.node.inputs[1]!), ctx.type(l.node.outputs[0]!));
}

const pickConv: Renderer<'conv'> = (ctx, l) => {
  const g = geometry(ctx, l);
  return isDepthwise(g) ? emitDepthwise(ctx, l) : isRagged(g) ? emitRaggedConv(ctx, l) : emitConv(ctx, l);
};

const pickQConv: Renderer<'qconv'> = (ctx, l) => {
  const g = geometry(ctx, l);
  return isDepthwise(g) ? emitQDepthwise(ctx, l) : isRagged(g) ? emitRaggedQConv(ctx, l) : emitQConv(ctx, l);
};

/** C text of the kernel of the context's group. */
export function emitKernel(ctx: KernelContext): KernelText {
  const text = emitBare(ctx);
  return { ...text, body: `${ctx.expansions()}${text.body}` };
}

function emitBare(ctx: KernelContext): KernelText {
  const { root } = ctx.group;
  if (!root) return emitMap(ctx);
  if (isKind(root, 'view')) throw new Error(`node '${root.node.name}' is a view and has no kernel`);
  return (RENDERERS[root.spec.kind as keyof typeof RENDERERS] as Renderer<Kind>)(ctx, root);
}
