import type { OnnxImporter } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { abs } from './abs.ts';
import { add } from './add.ts';
import { and } from './and.ts';
import { argReduce } from './arg-reduce.ts';
import { cast } from './cast.ts';
import { ceil } from './ceil.ts';
import { celu } from './celu.ts';
import { clip } from './clip.ts';
import { concat } from './concat.ts';
import { constantImporters } from './constant.ts';
import { conv } from './conv.ts';
import { convTranspose } from './conv-transpose.ts';
import { cos } from './cos.ts';
import { depthToSpace } from './depth-to-space.ts';
import { dequantize } from './dequantize.ts';
import { div } from './div.ts';
import { dynQuantize } from './dyn-quantize.ts';
import { elu } from './elu.ts';
import { equal } from './equal.ts';
import { erf } from './erf.ts';
import { exp } from './exp.ts';
import { expand } from './expand.ts';
import { floor } from './floor.ts';
import { foldImporters } from './fold-only.ts';
import { gather } from './gather.ts';
import { gelu } from './gelu.ts';
import { gru } from './gru.ts';
import { hardGate } from './hard-gate.ts';
import { hardSigmoid } from './hard-sigmoid.ts';
import { hardSwish } from './hard-swish.ts';
import { identity } from './identity.ts';
import { layerNormalization } from './layer-normalization.ts';
import { leakyRelu } from './leaky-relu.ts';
import { less } from './less.ts';
import { lessOrEqual } from './less-or-equal.ts';
import { linear } from './linear.ts';
import { quantizationImporters } from './linear-quantization.ts';
import { log } from './log.ts';
import { lstm } from './lstm.ts';
import { matmul } from './matmul.ts';
import { max } from './max.ts';
import { min } from './min.ts';
import { mish } from './mish.ts';
import { mod } from './mod.ts';
import { mul } from './mul.ts';
import { neg } from './neg.ts';
import { normalizationImporters } from './normalizations.ts';
import { not } from './not.ts';
import { or } from './or.ts';
import { pad } from './pad.ts';
import { pool } from './pool.ts';
import { pow } from './pow.ts';
import { pRelu } from './prelu.ts';
import { qattention } from './qattention.ts';
import { qconv } from './qconv.ts';
import { qgather } from './qgather.ts';
import { qlinear } from './qlinear.ts';
import { qlstm } from './qlstm.ts';
import { quantize } from './quantize.ts';
import { reciprocal } from './reciprocal.ts';
import { reduce } from './reduce.ts';
import { relu } from './relu.ts';
import { reshape } from './reshape.ts';
import { resize } from './resize.ts';
import { round } from './round.ts';
import { selu } from './selu.ts';
import { sigmoid } from './sigmoid.ts';
import { sign } from './sign.ts';
import { sin } from './sin.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { softplus } from './softplus.ts';
import { softsign } from './softsign.ts';
import { sqrt } from './sqrt.ts';
import { sub } from './sub.ts';
import { tanh } from './tanh.ts';
import { thresholdedRelu } from './thresholded-relu.ts';
import { transpose } from './transpose.ts';
import { where } from './where.ts';

/** The operator registry: one line an operator. */
export const OPS: readonly OpDef[] = [
  abs,
  add,
  and,
  argReduce,
  cast,
  ceil,
  celu,
  clip,
  concat,
  conv,
  convTranspose,
  cos,
  depthToSpace,
  dequantize,
  div,
  dynQuantize,
  elu,
  equal,
  erf,
  exp,
  expand,
  floor,
  gather,
  gelu,
  gru,
  hardGate,
  hardSigmoid,
  hardSwish,
  identity,
  layerNormalization,
  leakyRelu,
  less,
  lessOrEqual,
  linear,
  log,
  lstm,
  matmul,
  max,
  min,
  mish,
  mod,
  mul,
  neg,
  not,
  or,
  pad,
  pool,
  pow,
  pRelu,
  qattention,
  qconv,
  qgather,
  qlinear,
  qlstm,
  quantize,
  reciprocal,
  reduce,
  relu,
  reshape,
  resize,
  round,
  selu,
  sigmoid,
  sign,
  sin,
  slice,
  softmax,
  softplus,
  softsign,
  sqrt,
  sub,
  tanh,
  thresholdedRelu,
  transpose,
  where,
];

const byName = new Map(OPS.map((op) => [op.name, op]));

/** The operator of that name; an unknown one is a bug, since graphs are made by the SDK only. */
export function opOf(name: string): OpDef {
  const op = byName.get(name);
  if (!op) throw new Error(`no operator '${name}' is registered`);
  return op;
}

export function isOp(name: string): boolean {
  return byName.has(name);
}

/** Importers of ONNX operators by op_type, `domain::op_type` outside the default domain. */
export const ONNX_IMPORTERS: ReadonlyMap<string, OnnxImporter> = new Map(
  [
    ...OPS.map((op) => op.onnx ?? {}),
    constantImporters,
    foldImporters,
    normalizationImporters,
    quantizationImporters,
  ].flatMap((table) => Object.entries(table)),
);
