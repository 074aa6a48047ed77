/** Small networks through `normalize`: the operators that are left, and the same results as before. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../../sdk/ir/graph.ts';
import { sample } from '../../../../sdk/ir/ops/lib/cases.ts';
import { normalize } from '../../../../sdk/ir/passes/index.ts';
import { graphHash } from '../../../../sdk/ir/print.ts';
import { readOnnx } from '../../../../sdk/model/onnx/index.ts';
import { type OnnxModelSpec, type OnnxNodeSpec, onnxModel } from '../../../../sdk/testing/onnx-builder.ts';
import { type Tensor, tensor } from '../../../../sdk/util/tensor.ts';
import { relativeError } from '../../../support/onnxruntime.ts';

const scalar = (v: number): Tensor => tensor('f32', [], [v]);
const ints = (...v: number[]): Tensor => tensor('i64', [v.length], v);

/** A chain x -> ... -> y: each step is [op, further inputs, attributes] on the result of the one before. */
type Step = readonly [op: string, inputs?: readonly string[], attrs?: OnnxNodeSpec['attrs']];

function chain(shape: number[], initializers: Record<string, Tensor>, ...steps: Step[]): OnnxModelSpec {
  const nodes = steps.map(([op, inputs = [], attrs = {}], i) => ({
    op,
    inputs: [i === 0 ? 'x' : `v${i}`, ...inputs],
    outputs: [i === steps.length - 1 ? 'y' : `v${i + 1}`],
    attrs,
  }));
  return { inputs: [{ name: 'x', shape }], outputs: ['y'], initializers, nodes };
}

const bn = (c: number, seed = 20): Record<string, Tensor> => ({
  scale: sample([c], seed, 0.5, 2),
  shift: sample([c], seed + 1),
  mean: sample([c], seed + 2),
  variance: sample([c], seed + 3, 0.5, 2),
});
const BN: Step = ['BatchNormalization', ['scale', 'shift', 'mean', 'variance']];

/** Normalizes, compares all outputs with the graph as imported, and returns the operators left. */
function opsOf(spec: OnnxModelSpec): string {
  const graph = readOnnx(onnxModel(spec));
  const out = normalize(graph);
  const inputs = Object.fromEntries(graph.inputs.map((n, i) => [n, sample(graph.values.get(n)!.type.shape, 50 + i)]));
  const [before, after] = [evaluateGraph(graph, inputs), evaluateGraph(out, inputs)];
  for (const o of graph.outputs)
    assert.ok(relativeError(after[o]!, before[o]!) < 1e-5, `${o}: ${relativeError(after[o]!, before[o]!)}`);
  assert.equal(out.inputs, graph.inputs);
  assert.equal(out.outputs, graph.outputs);
  assert.is(graphHash(normalize(graph)), graphHash(out));
  return summary(out);
}

function summary(g: Graph): string {
  return g.nodes.map((n) => n.op).join(' ');
}

test('batch normalization folds into a convolution', () => {
  const w = { w: sample([6, 3, 3, 3]), ...bn(6) };
  assert.is(
    opsOf(chain([1, 3, 5, 5], w, ['Conv', ['w'], { pads: [1, 1, 1, 1] }], BN, ['Relu'])),
    'Transpose Conv Relu Transpose',
  );
});

test('batch normalization folds into a grouped transposed convolution', () => {
  const w = { w: sample([4, 3, 2, 2]), b: sample([6], 2), ...bn(6) };
  assert.is(
    opsOf(chain([1, 4, 3, 5], w, ['ConvTranspose', ['w', 'b'], { strides: [2, 2], group: 2 }], BN)),
    'Transpose ConvTranspose Transpose',
  );
});

test('batch normalization with nothing before it is a product and a sum', () => {
  assert.is(opsOf(chain([2, 3, 4, 4], bn(3), BN, ['Relu'])), 'Mul Add Relu');
});

test('zeros around an image are padding of the convolution that reads it', () => {
  const w = {
    w: sample([4, 3, 3, 3]),
    p: ints(0, 0, 1, 0, 0, 0, 2, 1),
    c: ints(0, 1, 0, 0, 0, 0, 0, 0),
    v: sample([4, 4, 3, 3]),
  };
  assert.is(
    opsOf(chain([1, 3, 5, 5], w, ['Pad', ['p']], ['Conv', ['w'], { pads: [0, 1, 0, 1] }])),
    'Transpose Conv Transpose',
  );
  assert.is(opsOf(chain([1, 3, 5, 5], w, ['Pad', ['c']], ['Conv', ['v']])), 'Pad Transpose Conv Transpose', 'channels');
  assert.is(
    opsOf(chain([1, 3, 5, 5], w, ['Pad', ['p'], { mode: 'edge' }], ['Conv', ['w']])),
    'Pad Transpose Conv Transpose',
  );
});

test('a slice of a slice is one, and none when it takes everything', () => {
  const w = { far: ints(9), near: ints(-9), last: ints(-1), axis: ints(1), back: ints(-1), one: ints(1) };
  const turn: Step = ['Slice', ['last', 'near', 'axis', 'back']];
  assert.is(opsOf(chain([2, 4], w, turn, ['Slice', ['one', 'far', 'axis']], ['Relu'])), 'Slice Relu');
  assert.is(opsOf(chain([2, 4], w, turn, turn, ['Relu'])), 'Relu');
});

test('what follows an activation folds into the next convolution, the sum only without padding', () => {
  const w = { a: sample([4, 3, 1, 1]), b: sample([5, 4, 1, 1], 2), ...bn(4) };
  assert.is(
    opsOf(chain([1, 3, 4, 4], w, ['Conv', ['a']], ['Relu'], BN, ['Conv', ['b']])),
    'Transpose Conv Relu Conv Transpose',
  );
  const padded = { ...w, b: sample([4, 1, 3, 3], 2) };
  const spec = chain([1, 3, 4, 4], padded, ['Conv', ['a']], ['Relu'], BN, [
    'Conv',
    ['b'],
    { pads: [1, 1, 1, 1], group: 4 },
  ]);
  assert.is(opsOf(spec), 'Transpose Conv Relu Mul Add Conv Transpose');
});

test('a result that is read twice keeps its own arithmetic', () => {
  const spec: OnnxModelSpec = {
    inputs: [{ name: 'x', shape: [2, 4] }],
    outputs: ['y', 'z'],
    initializers: { w: sample([4, 3]), c: sample([3], 2) },
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['m'] },
      { op: 'Add', inputs: ['m', 'c'], outputs: ['y'] },
      { op: 'Relu', inputs: ['m'], outputs: ['z'] },
    ],
  };
  assert.is(opsOf(spec), 'Linear Add Relu');
});

test('products with weights and their bias are Linear', () => {
  assert.is(
    opsOf(chain([2, 5, 4], { w: sample([4, 3]), b: sample([3], 2) }, ['MatMul', ['w']], ['Add', ['b']])),
    'Linear',
  );
  assert.is(
    opsOf(
      chain(
        [2, 4],
        { w: sample([4, 3]), b: sample([3], 2), s: scalar(0.5) },
        ['Gemm', ['w', 'b'], { alpha: 0.5 }],
        ['Mul', ['s']],
      ),
    ),
    'Linear',
  );
});

function layerNorm(rms: boolean): OnnxModelSpec {
  const centre: OnnxNodeSpec[] = rms
    ? []
    : [
        { op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attrs: { axes: [-1] } },
        { op: 'Sub', inputs: ['x', 'mean'], outputs: ['d'] },
      ];
  const d = rms ? 'x' : 'd';
  return {
    inputs: [{ name: 'x', shape: [2, 3, 8] }],
    outputs: ['y'],
    initializers: { two: scalar(2), eps: scalar(1e-5), g: sample([8]), b: sample([8], 2) },
    nodes: [
      ...centre,
      { op: 'Pow', inputs: [d, 'two'], outputs: ['sq'] },
      { op: 'ReduceMean', inputs: ['sq'], outputs: ['var'], attrs: { axes: [-1] } },
      { op: 'Add', inputs: ['var', 'eps'], outputs: ['ve'] },
      { op: 'Sqrt', inputs: ['ve'], outputs: ['std'] },
      { op: 'Div', inputs: [d, 'std'], outputs: ['n'] },
      { op: 'Mul', inputs: ['n', 'g'], outputs: ['scaled'] },
      ...(rms
        ? [{ op: 'Identity', inputs: ['scaled'], outputs: ['y'] }]
        : [{ op: 'Add', inputs: ['scaled', 'b'], outputs: ['y'] }]),
    ],
  };
}

test('layer normalization and its form without the mean are recognised', () => {
  assert.is(opsOf(layerNorm(false)), 'LayerNormalization');
  assert.is(opsOf(layerNorm(true)), 'LayerNormalization');
});

test('an image network has transpositions at its ends only; flattening is taken into the weights', () => {
  const w = { a: sample([4, 3, 3, 3]), b: sample([4, 4, 3, 3], 2), fc: sample([7, 36], 3), bias: sample([7], 4) };
  const spec = chain(
    [1, 3, 6, 6],
    w,
    ['Conv', ['a'], { pads: [1, 1, 1, 1] }],
    ['Relu'],
    ['Conv', ['b'], { pads: [1, 1, 1, 1] }],
    ['MaxPool', [], { kernel_shape: [2, 2], strides: [2, 2] }],
    ['Flatten'],
    ['Gemm', ['fc', 'bias'], { transB: 1 }],
  );
  assert.is(opsOf(spec), 'Transpose Conv Relu Conv Pool Reshape Linear');
});

test('an image of one channel needs no transposition', () => {
  const w = { a: sample([4, 1, 3, 3]) };
  assert.is(
    opsOf(chain([1, 1, 6, 6], w, ['Conv', ['a']], ['GlobalAveragePool'], ['Flatten'], ['Softmax'])),
    'Reshape Conv Reduce Reshape Softmax',
  );
});

test('transpositions pass residual sums, concatenation, padding, slices and gates', () => {
  const spec: OnnxModelSpec = {
    inputs: [{ name: 'x', shape: [1, 4, 6, 6] }],
    outputs: ['y'],
    initializers: {
      a: sample([4, 4, 1, 1]),
      b: sample([4, 4, 3, 3], 2),
      c: sample([1, 8, 1, 1], 3),
      d: sample([3, 8, 1, 1], 4),
      p: ints(0, 0, 1, 0, 0, 0, 0, 1),
      s: ints(0),
      e: ints(5),
      ax: ints(3),
    },
    nodes: [
      { op: 'Conv', inputs: ['x', 'a'], outputs: ['u'] },
      { op: 'Conv', inputs: ['u', 'b'], outputs: ['v'], attrs: { pads: [1, 1, 1, 1] } },
      { op: 'Add', inputs: ['u', 'v'], outputs: ['r'] },
      { op: 'GlobalAveragePool', inputs: ['r'], outputs: ['g'] },
      { op: 'Sigmoid', inputs: ['g'], outputs: ['h'] },
      { op: 'Mul', inputs: ['r', 'h'], outputs: ['m'] },
      { op: 'Concat', inputs: ['m', 'v'], outputs: ['k'], attrs: { axis: 1 } },
      { op: 'PRelu', inputs: ['k', 'c'], outputs: ['q'] },
      { op: 'Pad', inputs: ['q', 'p'], outputs: ['w'] },
      { op: 'Slice', inputs: ['w', 's', 'e', 'ax'], outputs: ['z'] },
      { op: 'Conv', inputs: ['z', 'd'], outputs: ['y'] },
    ],
  };
  assert.is(opsOf(spec), 'Transpose Conv Conv Add Reduce Sigmoid Mul Concat PRelu Pad Slice Conv Transpose');
});

test('1-D convolutions keep their arithmetic beside them', () => {
  const w = { a: sample([4, 3, 3]), b: sample([4, 4, 3], 2), ...bn(4) };
  assert.is(
    opsOf(chain([1, 3, 9], w, ['Conv', ['a']], BN, ['Relu'], ['Conv', ['b']])),
    'Reshape Transpose Conv Relu Conv Reshape Transpose',
  );
});

test('depth to space becomes a transposition of channel vectors', () => {
  const w = { a: sample([8, 3, 1, 1]), b: sample([2, 2, 1, 1], 2) };
  assert.is(
    opsOf(chain([1, 3, 4, 4], w, ['Conv', ['a']], ['DepthToSpace', [], { blocksize: 2 }], ['Conv', ['b']])),
    'Transpose Conv Reshape Transpose Reshape Conv Transpose',
  );
});

test('the transposed keys of attention are MatMul with transB', () => {
  const spec: OnnxModelSpec = {
    inputs: [
      { name: 'q', shape: [2, 3, 5, 4] },
      { name: 'k', shape: [2, 6, 3, 4] },
    ],
    outputs: ['y'],
    nodes: [
      { op: 'Transpose', inputs: ['k'], outputs: ['t'], attrs: { perm: [0, 2, 3, 1] } },
      { op: 'MatMul', inputs: ['q', 't'], outputs: ['y'] },
    ],
  };
  assert.is(opsOf(spec), 'Transpose MatMul');
});

test('equal nodes are shared, dead ones dropped, views merged', () => {
  const spec: OnnxModelSpec = {
    inputs: [{ name: 'x', shape: [2, 6] }],
    outputs: ['y'],
    initializers: { s: ints(3, 4), t: ints(12) },
    nodes: [
      { op: 'Exp', inputs: ['x'], outputs: ['a'] },
      { op: 'Exp', inputs: ['x'], outputs: ['b'] },
      { op: 'Sin', inputs: ['x'], outputs: ['dead'] },
      { op: 'Add', inputs: ['a', 'b'], outputs: ['c'] },
      { op: 'Reshape', inputs: ['c', 's'], outputs: ['d'] },
      { op: 'Reshape', inputs: ['d', 't'], outputs: ['y'] },
    ],
  };
  assert.is(opsOf(spec), 'Exp Add Reshape');
});

test('division by a constant and chains of constants become one product', () => {
  assert.is(
    opsOf(chain([3, 4], { six: scalar(6), a: sample([4]) }, ['Relu'], ['Div', ['six']], ['Mul', ['a']])),
    'Relu Mul',
  );
});

test.run();
