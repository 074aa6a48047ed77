import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import type { Attrs, Graph } from '../../../../../sdk/ir/graph.ts';
import { sample, sampleBools, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { normalize } from '../../../../../sdk/ir/passes/index.ts';
import { type ExportOptions, exportOnnx } from '../../../../../sdk/model/onnx/export/index.ts';
import { readOnnx } from '../../../../../sdk/model/onnx/index.ts';
import { isEigenError } from '../../../../../sdk/util/errors.ts';
import { type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { GraphSketch } from '../../../../support/graphs.ts';
import { relativeError, runOnnx } from '../../../../support/onnxruntime.ts';

const IMAGE = [1, 6, 5, 4];
const write = (g: Graph, options: Partial<ExportOptions> = {}) => exportOnnx(g, { producerVersion: '1', ...options });
const conv = (g: GraphSketch, x: string, seed: number, channels = 4): string =>
  g.node('Conv', [x, sample([4, 3, 3, channels], seed), sample([4], seed)], {
    strides: [1, 1],
    pads: [1, 1, 1, 1],
    dilations: [1, 1],
    groups: 1,
    layout: 'nhwc',
  });

/** Evaluates a graph, its ONNX form in onnxruntime, and that read back in; all must agree. */
async function agree(
  graph: Graph,
  feeds: Record<string, Tensor>,
  options: Partial<ExportOptions> = {},
  tolerance = 1e-5,
): Promise<void> {
  const expected = evaluateGraph(graph, feeds);
  const { bytes } = write(graph, options);
  const theirs = await runOnnx(bytes, feeds);
  const again = evaluateGraph(normalize(readOnnx(bytes)), feeds);
  for (const name of graph.outputs) {
    for (const [who, got] of Object.entries({ onnxruntime: theirs, 'the importer': again })) {
      const error = relativeError(got[name]!, expected[name]!);
      assert.ok(error < tolerance, `${graph.name}, ${name}: ${who} is ${error} off`);
    }
  }
}

/** Operators between two convolutions, which leave images as NCHW, and the transpositions that the file then needs. */
const BETWEEN: readonly [string, (g: GraphSketch, x: string) => string, number][] = [
  ['Relu', (g, x) => g.node('Relu', [x]), 2],
  ['per-channel Mul', (g, x) => g.node('Mul', [x, sample([4], 5)]), 2],
  ['Add of the graph input', (g, x) => g.node('Add', [g.node('Add', [x, 'x']), x]), 2],
  ['per-sample Mul', (g, x) => g.node('Mul', [x, g.node('Reduce', [x], reduction([1, 2], true))]), 2],
  ['Where', (g, x) => g.node('Where', [sampleBools([6, 5, 1]), x, sample([4], 6)]), 2],
  ['Concat of channels', (g, x) => g.node('Slice', [g.node('Concat', [x, x], { axis: 3 })], CHANNELS), 2],
  ['Pad', (g, x) => g.node('Slice', [g.node('Pad', [x], PADDING)], WINDOW), 2],
  ['Softmax of channels', (g, x) => g.node('Softmax', [x], { axis: 3, log: false }), 2],
  ['Quantize per channel', (g, x) => depthwise(g, x), 2],
  ['Identity', (g, x) => g.node('Identity', [x]), 2],
  ['Gather, which needs the order', (g, x) => g.node('Gather', [x, tensor('i64', [4], [3, 1, 0, 2])], { axis: 3 }), 4],
  ['Reduce to a vector', (g, x) => g.node('Add', [x, g.node('Reduce', [x], reduction([0, 1, 2], false))]), 2],
  ['Reduce of rows', (g, x) => g.node('Add', [x, g.node('Reduce', [x], reduction([0, 1], false))]), 4],
];
const CHANNELS: Attrs = { starts: [0, 0, 0, 2], sizes: [1, 6, 5, 4], steps: [1, 1, 1, 1] };
const WINDOW: Attrs = { starts: [0, 6, 1, 0], sizes: [1, 6, 5, 4], steps: [1, -1, 1, 1] };
const PADDING: Attrs = { before: [0, 2, 1, 0], after: [0, 0, 1, 0], mode: 'edge', value: 0 };
function reduction(axes: number[], keepdims: boolean): Attrs {
  return { fn: 'mean', axes, keepdims };
}

function depthwise(g: GraphSketch, x: string): string {
  const zero = tensor('i32', [4], [-3, 0, 5, 9]);
  const codes = g.node('Quantize', [x, sample([4], 6, 1, 4), zero], { to: 'i8' });
  const weights = [sampleInts('i8', [4, 3, 3, 1], -8, 8, 7), sample([4], 8, 0.01, 0.02), sample([4], 9)];
  return g.node('QConv', [codes, ...weights, zero], {
    strides: [1, 1],
    pads: [1, 1, 1, 1],
    dilations: [1, 1],
    groups: 4,
  });
}

for (const [name, between, transposes] of BETWEEN) {
  test(`between convolutions: ${name}`, async () => {
    const g = new GraphSketch(name);
    const graph = g.build(conv(g, between(g, conv(g, g.input('x', IMAGE), 1)), 2));
    assert.is(write(graph).operators.Transpose, transposes);
    await agree(graph, { x: sample(IMAGE, 3) });
  });
}

test('an NCHW model keeps its order', async () => {
  const g = new GraphSketch('nchw');
  const x = g.node('Transpose', [g.input('x', [1, 4, 6, 5])], { perm: [0, 2, 3, 1] });
  const y = g.node('Transpose', [conv(g, x, 1)], { perm: [0, 3, 1, 2] });
  const graph = g.build(y);
  assert.is(write(graph).operators.Transpose, undefined);
  await agree(graph, { x: sample([1, 4, 6, 5], 3) });
});

/** Depthwise and full convolution, residual, pooling, classifier, in integers. */
function integerNetwork(largest: number): Graph {
  const g = new GraphSketch('integers');
  const scalar = (v: number): Tensor => tensor('i32', [1], [v]);
  const inv = (v: number): Tensor => tensor('f32', [1], [v]);
  const window: Attrs = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1 };
  const first = g.node('Quantize', [g.input('x', IMAGE), inv(4000), scalar(0)], { to: 'i16' });
  const kernel = sampleInts('i8', [4, 3, 3, 4], -largest, largest + 1, 2);
  const a = g.node('QConv', [first, kernel, sample([4], 3, 1e-5, 2e-5), sample([4], 4), scalar(0)], window);
  const b = depthwise(g, g.node('Relu', [a]));
  const sum = g.node('Add', [a, b]);
  const pooled = g.node('Reduce', [sum], { fn: 'mean', axes: [1, 2], keepdims: false });
  const [codes, scales] = g.nodes('DynQuantize', [pooled]);
  const head = [sampleInts('i8', [10, 4], -largest, largest + 1, 5), sample([10], 6, 0.01, 0.1), sample([10], 7)];
  return g.build(g.node('QLinear', [codes!, scales!, ...head]), sum);
}

for (const matmul of ['qdq', 'nbits'] as const) {
  test(`a network in integers, products as ${matmul}`, async () => {
    const graph = integerNetwork(7);
    await agree(graph, { x: sample(IMAGE, 3) }, { matmul });
    const { forms, opset, domains } = write(graph, { matmul });
    assert.is(opset, 21);
    assert.equal(domains, matmul === 'nbits' ? ['com.microsoft'] : []);
    assert.equal(forms.QConv, { 'DequantizeLinear int4': 2 });
    assert.equal(forms.Quantize, { 'QuantizeLinear int16': 1, 'QuantizeLinear uint8': 1 });
    assert.equal(forms.QLinear, { [matmul === 'nbits' ? 'MatMulNBits 4 bits' : 'DequantizeLinear int4']: 1 });
  });
}

test('convolutions of single positions are packed products', async () => {
  const g = new GraphSketch('pointwise');
  const zero = tensor('i32', [1], [-7]);
  const point: Attrs = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  const codes = (x: string): string => g.node('Quantize', [x, tensor('f32', [1], [50]), zero], { to: 'i8' });
  const kernel = (seed: number): Tensor[] => [
    sampleInts('i8', [4, 1, 1, 4], -7, 8, seed),
    sample([4], seed, 1e-3, 1e-2),
    sample([4], seed + 1),
  ];
  const first = g.node('QConv', [codes(g.input('x', IMAGE)), ...kernel(2), zero], point);
  const second = g.node('QConv', [codes(g.node('Relu', [first])), ...kernel(4), zero], point);
  const graph = g.build(depthwise(g, second), second);
  await agree(graph, { x: sample(IMAGE, 3) }, { matmul: 'nbits' });
  const { forms, operators } = write(graph, { matmul: 'nbits' });
  assert.equal(forms.QConv, { 'MatMulNBits 4 bits': 2, 'DequantizeLinear int4': 1 });
  // To the depthwise layer and from it.
  assert.is(operators.Transpose, 2);
});

test('caches that are codes at the interface stand for the same values', async () => {
  const g = new GraphSketch('cache');
  const scale = [tensor('f32', [1], [50]), tensor('i32', [1], [0])];
  const past = g.input('past', [1, 6, 4], 'i8');
  const codes = g.node('Quantize', [g.input('x', [1, 1, 4]), ...scale], { to: 'i8' });
  const present = g.node('Concat', [past, codes], { axis: 1 });
  const graph = g.build(g.node('Dequantize', [present, ...scale]), present);
  await agree(graph, { past: sampleInts('i8', [1, 6, 4], -127, 128, 2), x: sample([1, 1, 4], 3) });
});

test('fixed scales before a dense layer, through a reshape', async () => {
  const g = new GraphSketch('fixed');
  const zero = tensor('i32', [1], [-7]);
  const codes = g.node('Quantize', [g.input('x', [1, 6, 4]), tensor('f32', [1], [50]), zero], { to: 'i8' });
  const weights = [sampleInts('i8', [10, 4], -40, 41, 5), sample([10], 6, 1e-4, 1e-3), sample([10], 7)];
  await agree(g.build(g.node('QLinear', [codes, '', ...weights, zero])), { x: sample([1, 6, 4], 3) });
});

test('a mean over windows between quantized values', async () => {
  const g = new GraphSketch('pool');
  const [inv, zero] = [tensor('f32', [1], [50]), tensor('i32', [1], [-7])];
  const quantized = (x: string): string => g.node('Quantize', [x, inv, zero], { to: 'i8' });
  const floats = (codes: string): string => g.node('Dequantize', [codes, inv, zero]);
  const pooled = g.node('Pool', [floats(quantized(g.input('x', IMAGE)))], {
    fn: 'avg',
    kernel: [2, 2],
    strides: [2, 1],
    pads: [0, 1, 0, 0],
    dilations: [1, 1],
    countIncludePad: false,
    layout: 'nhwc',
  });
  // One step of the codes: means that fall between two may go to either.
  await agree(g.build(floats(quantized(pooled))), { x: sample(IMAGE, 3) }, {}, 0.02);
});

for (const [name, inv, other, zero, decoded] of [
  ['one scale', [25], [50], [-7], 1],
  ['a scale a channel', [25, 30, 20, 40], [1, 2, 3, 4], [3, 0, -5, 9], 1],
  ['one scale and one a channel', [25], [1, 2, 3, 4], [-7], 1],
  ['one a channel and one scale', [25, 30, 20, 40], [8], [-7], 1],
  ['the same scale', [25], [25], [-7], 0],
] as const)
  test(`codes decoded with scales of their own: ${name}`, async () => {
    const constant = (v: readonly number[]): Tensor => tensor('f32', [v.length], [...v]);
    const zp = tensor('i32', [zero.length], [...zero]);
    for (const moved of [false, true]) {
      const g = new GraphSketch('scales');
      const x = conv(g, g.input('x', IMAGE), 1);
      const codes = g.node('Quantize', [x, constant(inv), zp], { to: 'i8' });
      const part: Attrs = { starts: [0, 1, 0, 0], sizes: [1, 5, 5, 4], steps: [1, 1, 1, 1] };
      const from = moved ? g.node('Slice', [codes], part) : codes;
      const graph = g.build(conv(g, g.node('Dequantize', [from, constant(other), zp]), 2), codes);
      // Codes that have moved are no integers any more.
      assert.is(write(graph).operators.DequantizeLinear, 1 + (moved ? 0 : decoded));
      await agree(graph, { x: sample(IMAGE, 3) }, {}, 0.02);
    }
  });

test('weights take the bits that are asked for', async () => {
  const wide = integerNetwork(40);
  assert.equal(write(wide).forms.QConv, { 'DequantizeLinear int8': 1, 'DequantizeLinear int4': 1 });
  assert.equal(write(wide, { weights: 'int8' }).forms.QConv, { 'DequantizeLinear int8': 2 });
  assert.ok(write(integerNetwork(7)).bytes.length < write(integerNetwork(7), { weights: 'int8' }).bytes.length);
  await agree(wide, { x: sample(IMAGE, 3) }, { weights: 'int8' });
  try {
    write(wide, { weights: 'int4' });
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW1001_USAGE');
    assert.match((e as Error).message, /has codes up to 40, int4 holds -8 to 7/);
  }
});

test('the same graph gives the same bytes, with where it came from', () => {
  const metadata = { 'eigenweights.source': 'a' };
  const [a, b] = [1, 2].map(() => write(integerNetwork(7), { metadata }).bytes);
  assert.ok(Buffer.from(a!).equals(Buffer.from(b!)));
  assert.ok(Buffer.from(a!).includes('eigenweights.source'));
});

test('an operator without a form in ONNX is named', () => {
  const g = new GraphSketch('unknown');
  const x = g.input('x', [1, 4, 4, 4]);
  const graph = g.build(g.node('DepthToSpace', [x], { block: 2, mode: 'DCR', layout: 'nhwc' }));
  try {
    write(graph);
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW3102_OP_UNSUPPORTED');
    assert.match((e as Error).message, /operator DepthToSpace of node 'DepthToSpace\.0'/);
  }
});

test.run();
