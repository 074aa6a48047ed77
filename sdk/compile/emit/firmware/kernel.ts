import type { KernelSpec } from '../../../ir/kernel.ts';
import { isKind, type Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { isDepthwise, isRagged } from '../c/conv.ts';
import { geometryOf } from '../c/geometry.ts';
import { emitCast, emitConcat, emitDynQuantize, emitPad, emitResize, emitStrided } from '../c/move.ts';
import { emitArgReduce } from '../c/reduce.ts';
import { emitQAttention } from './attention.ts';
import { emitConvTranspose, emitGather, emitQGather } from './move.ts';
import { emitMatmul, emitRaggedConv } from './plain-products.ts';
import { emitConv, emitLinear, emitQConv, emitQLinear } from './products.ts';
import { emitGru, emitLstm, emitQLstm } from './recurrent.ts';
import { emitLayerNorm, emitMap, emitReduce, emitSoftmax } from './rows.ts';
import { emitDepthwise, emitPool, emitQDepthwise } from './windows.ts';

type Kind = KernelSpec['kind'];
type Renderer<K extends Kind> = (ctx: KernelContext, l: Lowered<Extract<KernelSpec, { kind: K }>>) => KernelText;

/** One renderer a kernel class. Those of plain loops are the ones of every engine. */
const RENDERERS: { readonly [K in Exclude<Kind, 'view' | 'map' | 'quantize' | 'dequantize'>]: Renderer<K> } = {
  strided: emitStrided,
  pad: emitPad,
  concat: emitConcat,
  gather: emitGather,
  cast: emitCast,
  reduce: emitReduce,
  argreduce: emitArgReduce,
  softmax: emitSoftmax,
  layernorm: emitLayerNorm,
  conv: (ctx, l) => pick(ctx, l, emitDepthwise, emitConv),
  convtranspose: emitConvTranspose,
  pool: emitPool,
  linear: emitLinear,
  matmul: emitMatmul,
  resize: emitResize,
  lstm: emitLstm,
  gru: emitGru,
  dynquantize: emitDynQuantize,
  qconv: (ctx, l) => pick(ctx, l, emitQDepthwise, emitQConv),
  qlinear: emitQLinear,
  qattention: emitQAttention,
  qgather: emitQGather,
  qlstm: emitQLstm,
};

function pick<L extends Lowered<Extract<KernelSpec, { kind: 'conv' | 'qconv' }>>>(
  ctx: KernelContext,
  l: L,
  depthwise: (ctx: KernelContext, l: L) => KernelText,
  product: (ctx: KernelContext, l: L) => KernelText,
): KernelText {
  const [x, w] = l.node.inputs as [string, string];
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(l.node.outputs[0]!));
  if (isDepthwise(geo)) return depthwise(ctx, l);
  return isRagged(geo) ? emitRaggedConv(ctx, l) : product(ctx, l);
}

/** C text of the kernel of the context's group, for a microcontroller. */
export function emitFirmwareKernel(ctx: KernelContext): KernelText {
  const { root } = ctx.group;
  if (root && isKind(root, 'view')) throw new Error(`node '${root.node.name}' is a view and has no kernel`);
  const text = root ? (RENDERERS[root.spec.kind as keyof typeof RENDERERS] as Renderer<Kind>)(ctx, root) : emitMap(ctx);
  return { ...text, body: `${ctx.expansions()}${text.body}` };
}
