/** Every ONNX operator the importer knows, as a one-node model: imported, normalized, evaluated, against onnxruntime-web. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import { ONNX_IMPORTERS } from '../../../../sdk/ir/ops/index.ts';
import { sample, sampleBools, sampleInts } from '../../../../sdk/ir/ops/lib/cases.ts';
import { normalize } from '../../../../sdk/ir/passes/index.ts';
import { readOnnx } from '../../../../sdk/model/onnx/index.ts';
import { type OnnxAttribute, onnxModel } from '../../../../sdk/testing/onnx-builder.ts';
import { type Tensor, tensor, toNumbers } from '../../../../sdk/util/tensor.ts';
import { relativeError, runOnnx } from '../../../support/onnxruntime.ts';

interface Case {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attrs?: Readonly<Record<string, OnnxAttribute>>;
  /** Inputs from this index on are initializers. */
  readonly constantsFrom?: number;
  readonly outputs?: number;
  readonly opset?: number;
}

const f = (...v: number[]): Tensor => tensor('f32', [v.length], v);
const i = (...v: number[]): Tensor => tensor('i64', [v.length], v);
const scalar = (v: number): Tensor => tensor('f32', [], [v]);
const iscalar = (v: number): Tensor => tensor('i64', [], [v]);
const x34 = sample([3, 4], 1, -3, 3);
const image = sample([2, 6, 7, 8]);

/** Bytes of any value. */
const packed = (shape: number[], seed: number): Tensor => {
  const t = sampleInts('i32', shape, 0, 256, seed);
  return tensor('u8', shape, toNumbers(t));
};

const unary = [
  'Relu',
  'LeakyRelu',
  'Elu',
  'Selu',
  'Celu',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Tanh',
  'Erf',
  'Softplus',
  'Softsign',
  'Mish',
  'ThresholdedRelu',
  'Exp',
  'Abs',
  'Neg',
  'Sign',
  'Floor',
  'Ceil',
  'Round',
  'Sin',
  'Cos',
  'Identity',
  'Dropout',
  'Reciprocal',
];
const positive = ['Log', 'Sqrt'];
const binary = ['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sum', 'Mean'];
const compare = ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'];
const reductions = [
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceSumSquare',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSumExp',
];

const CASES: readonly Case[] = [
  ...unary.map((op) => ({ op, inputs: [x34], opset: op === 'Mish' ? 18 : 17 })),
  { op: 'Gelu', inputs: [x34], opset: 20 },
  { op: 'Gelu', inputs: [x34], attrs: { approximate: 'tanh' }, opset: 20 },
  ...positive.map((op) => ({ op, inputs: [sample([3, 4], 1, 0.1, 9)] })),
  ...binary.map((op) => ({ op, inputs: [sample([2, 3, 4], 1, 1, 3), sample([3, 1], 2, 1, 3)] })),
  ...compare.map((op) => ({
    op,
    inputs: [sampleInts('i32', [3, 4], 0, 3), sampleInts('i32', [4], 0, 3, 2)],
    constantsFrom: 0,
  })),
  ...compare.map((op) => ({ op, inputs: [x34, sample([4], 2)] })),
  { op: 'And', inputs: [sampleBools([3, 4]), sampleBools([4], 2)] },
  { op: 'Or', inputs: [sampleBools([3, 4]), sampleBools([4], 2)] },
  { op: 'Not', inputs: [sampleBools([3, 4])] },
  { op: 'Where', inputs: [sampleBools([3, 4]), x34, sample([4], 2)] },
  { op: 'PRelu', inputs: [image, sample([6, 1, 1], 2)], constantsFrom: 1 },
  { op: 'Clip', inputs: [x34, scalar(-1), scalar(1)], constantsFrom: 1 },
  { op: 'Clip', inputs: [x34], attrs: { min: { float: -1 }, max: { float: 0.5 } }, opset: 9 },
  ...[2, 3, 0.5, -1, 1, 0, 2.5, -0.7].map((p) => ({
    op: 'Pow',
    inputs: [sample([3, 4], 1, 0.2, 3), scalar(p)],
    constantsFrom: 1,
  })),
  { op: 'Mod', inputs: [sample([3, 4], 1, -9, 9), sample([4], 2, 1, 3)], attrs: { fmod: 1 } },
  { op: 'Mod', inputs: [sampleInts('i64', [9], -9, 9), sampleInts('i64', [9], 1, 5, 2)], constantsFrom: 0 },
  {
    op: 'Conv',
    inputs: [image, sample([5, 6, 3, 3], 2), sample([5], 3)],
    attrs: { pads: [1, 0, 2, 1], strides: [2, 1] },
    constantsFrom: 1,
  },
  {
    op: 'Conv',
    inputs: [image, sample([6, 3, 3, 3], 2)],
    attrs: { group: 2, dilations: [2, 2], pads: [2, 2, 2, 2] },
    constantsFrom: 1,
  },
  {
    op: 'Conv',
    inputs: [image, sample([12, 1, 3, 2], 2)],
    attrs: { group: 6, auto_pad: 'SAME_UPPER', strides: [2, 2] },
    constantsFrom: 1,
  },
  { op: 'Conv', inputs: [image, sample([4, 6, 2, 3], 2)], attrs: { auto_pad: 'SAME_LOWER' }, constantsFrom: 1 },
  {
    op: 'Conv',
    inputs: [sample([2, 3, 11]), sample([4, 3, 5], 2), sample([4], 3)],
    attrs: { strides: [2], pads: [1, 2] },
    constantsFrom: 1,
  },
  {
    op: 'ConvTranspose',
    inputs: [image, sample([6, 4, 3, 3], 2), sample([4], 3)],
    attrs: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    constantsFrom: 1,
  },
  {
    op: 'ConvTranspose',
    inputs: [image, sample([6, 2, 2, 2], 2)],
    attrs: { strides: [2, 2], group: 3 },
    constantsFrom: 1,
  },
  {
    op: 'ConvTranspose',
    inputs: [sample([1, 3, 7]), sample([3, 2, 4], 2)],
    attrs: { strides: [3], pads: [1, 0] },
    constantsFrom: 1,
  },
  { op: 'MaxPool', inputs: [image], attrs: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] } },
  { op: 'MaxPool', inputs: [image], attrs: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
  { op: 'MaxPool', inputs: [sample([1, 3, 9])], attrs: { kernel_shape: [2], strides: [2] } },
  { op: 'AveragePool', inputs: [image], attrs: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } },
  {
    op: 'AveragePool',
    inputs: [image],
    attrs: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2], count_include_pad: 1 },
  },
  { op: 'AveragePool', inputs: [image], attrs: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
  { op: 'GlobalAveragePool', inputs: [image] },
  { op: 'GlobalMaxPool', inputs: [image] },
  {
    op: 'BatchNormalization',
    inputs: [image, sample([6], 2), sample([6], 3), sample([6], 4), sample([6], 5, 0.5, 2)],
    constantsFrom: 1,
  },
  { op: 'InstanceNormalization', inputs: [image, sample([6], 2), sample([6], 3)], constantsFrom: 1 },
  {
    op: 'GroupNormalization',
    inputs: [image, sample([6], 2), sample([6], 3)],
    attrs: { num_groups: 3 },
    constantsFrom: 1,
    opset: 21,
  },
  { op: 'LayerNormalization', inputs: [sample([2, 3, 8]), sample([8], 2), sample([8], 3)], constantsFrom: 1 },
  { op: 'LpNormalization', inputs: [x34], attrs: { axis: 1, p: 2 } },
  { op: 'LRN', inputs: [image], attrs: { size: 3, alpha: 0.1, beta: 0.7, bias: 1.5 } },
  { op: 'MatMul', inputs: [sample([2, 3, 4]), sample([4, 5], 2)], constantsFrom: 1 },
  { op: 'MatMul', inputs: [sample([2, 3, 4]), sample([2, 4, 5], 2)] },
  { op: 'MatMul', inputs: [sample([4]), sample([2, 4, 5], 2)] },
  { op: 'MatMul', inputs: [sample([2, 3, 4]), sample([4], 2)] },
  {
    op: 'Gemm',
    inputs: [x34, sample([5, 4], 2), sample([5], 3)],
    attrs: { transB: 1, alpha: 0.5, beta: { float: 2 } },
    constantsFrom: 1,
  },
  { op: 'Gemm', inputs: [sample([4, 3]), sample([4, 5], 2), sample([3, 5], 3)], attrs: { transA: 1 } },
  { op: 'Einsum', inputs: [sample([2, 3, 4, 5]), sample([2, 3, 6, 5], 2)], attrs: { equation: 'bhid,bhjd->bhij' } },
  { op: 'Einsum', inputs: [sample([2, 3, 4]), sample([4, 5], 2)], attrs: { equation: 'bij,jk->bki' } },
  ...[1, 2].flatMap((d) => [
    {
      op: 'LSTM',
      inputs: [sample([5, 2, 3]), sample([d, 16, 3], 2), sample([d, 16, 4], 3), sample([d, 32], 4)],
      attrs: { hidden_size: 4, direction: d === 2 ? 'bidirectional' : 'reverse' },
      constantsFrom: 1,
      outputs: 3,
    },
    {
      op: 'GRU',
      inputs: [sample([5, 2, 3]), sample([d, 12, 3], 2), sample([d, 12, 4], 3), sample([d, 24], 4)],
      attrs: { hidden_size: 4, direction: d === 2 ? 'bidirectional' : 'forward', linear_before_reset: d - 1 },
      constantsFrom: 1,
      outputs: 2,
    },
  ]),
  {
    op: 'LSTM',
    inputs: [
      sample([3, 2, 3]),
      sample([1, 16, 3], 2),
      sample([1, 16, 4], 3),
      undefined,
      undefined,
      sample([1, 2, 4], 5),
      sample([1, 2, 4], 6),
    ],
    attrs: { hidden_size: 4 },
    constantsFrom: 1,
    outputs: 3,
  },
  ...reductions.map((op) => ({
    op,
    inputs: [sample([2, 3, 4], 1, 0.5, 2)],
    attrs: op === 'ReduceSum' ? {} : { axes: [-1, 0] },
  })),
  { op: 'ReduceSum', inputs: [sample([2, 3, 4]), i(1)], attrs: { keepdims: 0 }, constantsFrom: 1 },
  { op: 'ReduceMean', inputs: [image], attrs: { axes: [2, 3], keepdims: 0 } },
  { op: 'ReduceLogSum', inputs: [sample([2, 3], 1, 1, 2)], attrs: { axes: [1] } },
  { op: 'Softmax', inputs: [sample([2, 3, 4])], attrs: { axis: 1 } },
  { op: 'Softmax', inputs: [sample([2, 3, 4])], opset: 11 },
  { op: 'LogSoftmax', inputs: [sample([2, 3, 4])] },
  { op: 'ArgMax', inputs: [x34], attrs: { axis: 1, keepdims: 0 } },
  { op: 'ArgMin', inputs: [x34], attrs: { axis: -2 } },
  { op: 'Reshape', inputs: [sample([2, 3, 4]), i(0, -1)], constantsFrom: 1 },
  { op: 'Flatten', inputs: [sample([2, 3, 4])], attrs: { axis: 2 } },
  { op: 'Squeeze', inputs: [sample([1, 3, 1])], opset: 11, attrs: { axes: [0] } },
  { op: 'Squeeze', inputs: [sample([1, 3, 1]), i(-1)], constantsFrom: 1 },
  { op: 'Unsqueeze', inputs: [x34, i(0, -1)], constantsFrom: 1 },
  { op: 'Transpose', inputs: [sample([2, 3, 4])], attrs: { perm: [1, 2, 0] } },
  { op: 'Transpose', inputs: [x34] },
  { op: 'Concat', inputs: [x34, sample([3, 2], 2)], attrs: { axis: -1 } },
  { op: 'Split', inputs: [sample([3, 7]), i(2, 5)], attrs: { axis: 1 }, constantsFrom: 1, outputs: 2 },
  { op: 'Split', inputs: [sample([3, 6])], attrs: { axis: 1 }, outputs: 3, opset: 11 },
  { op: 'Slice', inputs: [sample([5, 6, 7]), i(4, -2), i(-100, 100), i(0, 2), i(-2, 1)], constantsFrom: 1 },
  { op: 'Slice', inputs: [sample([5, 6])], attrs: { starts: [1], ends: [-1], axes: [1] }, opset: 9 },
  { op: 'Pad', inputs: [x34, i(1, 0, 2, 1), scalar(0.5)], constantsFrom: 1 },
  { op: 'Pad', inputs: [x34, i(1, 2, 2, 1)], attrs: { mode: 'reflect' }, constantsFrom: 1 },
  { op: 'Pad', inputs: [x34, i(-1, 2, 2, -1)], attrs: { mode: 'constant' }, constantsFrom: 1 },
  { op: 'Pad', inputs: [x34], attrs: { pads: [1, 2, 0, 1], mode: 'edge' }, opset: 9 },
  { op: 'Expand', inputs: [sample([3, 1]), i(2, 1, 4)], constantsFrom: 1 },
  { op: 'Tile', inputs: [x34, i(2, 3)], constantsFrom: 1 },
  { op: 'Gather', inputs: [x34, sampleInts('i64', [2, 2], -3, 3)], constantsFrom: 1 },
  { op: 'Gather', inputs: [x34, iscalar(-1)], attrs: { axis: 1 }, constantsFrom: 1 },
  { op: 'Cast', inputs: [x34], attrs: { to: 7 } },
  { op: 'Cast', inputs: [sampleInts('i64', [4], -3, 3)], attrs: { to: 1 } },
  { op: 'CastLike', inputs: [x34, i(1)], constantsFrom: 1 },
  { op: 'Shape', inputs: [x34] },
  { op: 'Size', inputs: [x34] },
  { op: 'Constant', inputs: [], attrs: { value: { tensor: x34 } } },
  { op: 'ConstantOfShape', inputs: [i(2, 3)], attrs: { value: { tensor: f(7) } }, constantsFrom: 0 },
  { op: 'Range', inputs: [iscalar(2), iscalar(11), iscalar(3)], constantsFrom: 0 },
  {
    op: 'Resize',
    inputs: [image, undefined, f(1, 1, 2, 2)],
    attrs: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    constantsFrom: 1,
  },
  { op: 'Resize', inputs: [image, undefined, f(1, 1, 1.5, 0.6)], attrs: { mode: 'linear' }, constantsFrom: 1 },
  {
    op: 'Resize',
    inputs: [image, undefined, undefined, i(2, 6, 11, 5)],
    attrs: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    constantsFrom: 1,
  },
  { op: 'Resize', inputs: [image, undefined, undefined, i(2, 6, 3, 16)], attrs: { mode: 'nearest' }, constantsFrom: 1 },
  { op: 'Upsample', inputs: [image, f(1, 1, 2, 3)], attrs: { mode: 'nearest' }, constantsFrom: 1, opset: 9 },
  { op: 'DepthToSpace', inputs: [sample([1, 8, 3, 5])], attrs: { blocksize: 2 } },
  { op: 'DepthToSpace', inputs: [sample([1, 8, 3, 5])], attrs: { blocksize: 2, mode: 'CRD' } },
  { op: 'SpaceToDepth', inputs: [sample([1, 3, 4, 6])], attrs: { blocksize: 2 } },
  { op: 'Trilu', inputs: [sample([2, 4, 5]), iscalar(1)], attrs: { upper: 0 }, constantsFrom: 1 },
  { op: 'CumSum', inputs: [x34, iscalar(1)], attrs: { exclusive: 1, reverse: 1 }, constantsFrom: 0 },
  { op: 'GatherElements', inputs: [x34, sampleInts('i64', [2, 4], -3, 3)], constantsFrom: 0 },
  { op: 'GatherND', inputs: [x34, tensor('i64', [2, 1], [2, 0])], constantsFrom: 0 },
  { op: 'ScatterND', inputs: [x34, tensor('i64', [2, 1], [2, 0]), sample([2, 4], 5)], constantsFrom: 0 },
  { op: 'OneHot', inputs: [i(0, 2, -1), iscalar(4), f(0, 1)], constantsFrom: 0 },
  { op: 'NonZero', inputs: [sampleInts('i64', [3, 4], 0, 2)], constantsFrom: 0 },
  { op: 'QuantizeLinear', inputs: [x34, scalar(0.1), tensor('u8', [], [128])], constantsFrom: 0 },
  {
    op: 'DequantizeLinear',
    inputs: [sampleInts('i8', [3, 4], -128, 128), f(0.1, 0.2, 0.3)],
    attrs: { axis: 0 },
    constantsFrom: 0,
  },
  {
    op: 'DequantizeLinear',
    inputs: [sampleInts('i8', [4, 3], -128, 128), sample([2, 3], 4, 0.1, 0.2), sampleInts('i8', [2, 3], -9, 9, 5)],
    attrs: { axis: 0, block_size: 2 },
    constantsFrom: 0,
    opset: 21,
  },
  {
    op: 'DequantizeLinear',
    inputs: [sampleInts('i8', [2, 3, 4], -128, 128), f(0.1, 0.2, 0.3), tensor('i8', [3], [-4, 0, 9])],
    attrs: { axis: 1 },
    constantsFrom: 1,
  },
  {
    op: 'com.microsoft::MatMulNBits',
    inputs: [sample([2, 3, 40]), packed([5, 3, 8], 7), sample([15], 8, 0.01, 0.1), packed([10], 9)],
    attrs: { K: 40, N: 5, bits: 4, block_size: 16 },
    constantsFrom: 1,
  },
  {
    op: 'com.microsoft::MatMulNBits',
    inputs: [sample([2, 3, 40]), packed([5, 2, 32], 7), sample([10], 8, 0.01, 0.1)],
    attrs: { K: 40, N: 5, bits: 8, block_size: 32 },
    constantsFrom: 1,
  },
  {
    op: 'com.microsoft::GatherBlockQuantized',
    inputs: [packed([7, 40], 7), sampleInts('i64', [2, 3], 0, 7), sample([7, 3], 8, 0.01, 0.1)],
    attrs: { bits: 8, block_size: 16, gather_axis: 0, quantize_axis: 1 },
    constantsFrom: 0,
  },
];

CASES.forEach((c, at) => {
  const shapes = c.inputs.map((t) => (t ? `[${t.shape}]` : '-')).join(' ');
  test(`${c.op} ${shapes} ${JSON.stringify(c.attrs ?? {}).slice(0, 60)} #${at}`, async () => {
    const from = c.constantsFrom ?? Number.POSITIVE_INFINITY;
    const named = c.inputs.map((t, k) => [t ? `x${k}` : '', t] as const);
    const graphInputs = named.filter(([, t], k) => t && k < from);
    const feeds = Object.fromEntries(graphInputs) as Record<string, Tensor>;
    const outputs = Array.from({ length: c.outputs ?? 1 }, (_, k) => `y${k}`);
    const [op, domain = ''] = c.op.split('::').toReversed() as [string, string?];
    const bytes = onnxModel({
      opset: c.opset ?? 17,
      inputs: graphInputs.map(([name, t]) => ({ name, dtype: t!.dtype, shape: t!.shape })),
      outputs,
      initializers: Object.fromEntries(named.filter(([, t], k) => t && k >= from)) as Record<string, Tensor>,
      nodes: [{ op, domain, inputs: named.map(([n]) => n), outputs, ...(c.attrs ? { attrs: c.attrs } : {}) }],
    });
    const expected = await runOnnx(bytes, feeds);
    const graph = readOnnx(bytes);
    for (const g of [graph, normalize(graph)]) {
      const got = evaluateGraph(g, feeds);
      for (const o of outputs)
        assert.ok(relativeError(got[o]!, expected[o]!) < 2e-6, `${o}: ${relativeError(got[o]!, expected[o]!)}`);
    }
  });
});

test('every importer has a case', () => {
  const covered = new Set(CASES.map((c) => c.op));
  // Newer or foreign to the operator sets that onnxruntime-web runs.
  const elsewhere = ['RMSNormalization', 'SimplifiedLayerNormalization'];
  assert.equal(
    [...ONNX_IMPORTERS.keys()].filter((op) => !covered.has(op) && !elsewhere.includes(op)),
    [],
  );
});

test.run();
