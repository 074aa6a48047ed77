/** Layers and forms of files that TensorFlow.js itself does not run, against what Keras defines. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import { sample } from '../../../../sdk/ir/ops/lib/cases.ts';
import { readTfjs } from '../../../../sdk/model/tfjs/index.ts';
import { type Tensor, tensor, toNumbers } from '../../../../sdk/util/tensor.ts';
import { relativeError } from '../../../support/onnxruntime.ts';
import { type LayerJson, layer } from '../../../support/tfjs/layer-cases.ts';
import { counted, encode, smallModel } from '../../../support/tfjs/small.ts';

/** One layer on one input, with weights 0, 0.1, .... */
function run(one: LayerJson, x: Tensor, shapes: Readonly<Record<string, readonly number[]>> = {}): Tensor {
  const [batch, ...shape] = x.shape;
  assert.is(batch, 1);
  const whole = { ...one, config: { ...one.config, batch_input_shape: [null, ...shape] } };
  const { json, weights } = smallModel([whole], shapes);
  const graph = readTfjs(json, { name: 'net', shards: () => weights });
  return Object.values(evaluateGraph(graph, { [graph.inputs[0]!]: x }))[0]!;
}

const rounded = (t: Tensor): number[] => toNumbers(t).map((v) => Math.round(v * 1e4) / 1e4);
const x = (shape: number[], ...values: number[]): Tensor => tensor('f32', shape, values);

test('causal padding sees the past only', () => {
  const conv = layer(
    'Conv1D',
    { filters: 1, kernel_size: [2], padding: 'causal', dilation_rate: [2], use_bias: false },
    'c',
  );
  const y = run(conv, x([1, 5, 1], 1, 2, 3, 4, 5), { 'c/kernel': [2, 1, 1] });
  assert.equal(rounded(y), [0.1, 0.2, 0.3, 0.4, 0.5], 'the later tap, 0.1, sees the present');
  assert.equal(y.shape, [1, 5, 1]);
});

test('repeated, padded and cropped sequences', () => {
  const s = x([1, 2, 2], 1, 2, 3, 4);
  assert.equal(rounded(run(layer('UpSampling1D', { size: 2 }), s)), [1, 2, 1, 2, 3, 4, 3, 4]);
  assert.equal(rounded(run(layer('ZeroPadding1D', { padding: [1, 0] }), s)), [0, 0, 1, 2, 3, 4]);
  assert.equal(rounded(run(layer('Cropping1D', { cropping: [1, 0] }), s)), [3, 4]);
});

test('activations with their parameters', () => {
  const v = x([1, 4], -2, -1, 1, 8);
  assert.equal(rounded(run(layer('ELU', { alpha: 2 }), v)), [-1.7293, -1.2642, 1, 8]);
  assert.equal(rounded(run(layer('ReLU', { max_value: 6, negative_slope: 0.5 }), v)), [-1, -0.5, 1, 6]);
  assert.equal(rounded(run(layer('ReLU', { max_value: 6 }), v)), [0, 0, 1, 6]);
  assert.equal(rounded(run(layer('ReLU', { threshold: 2 }), v)), [0, 0, 0, 8]);
  assert.equal(rounded(run(layer('LeakyReLU', { negative_slope: 0.1 }), v)), [-0.2, -0.1, 1, 8]);
  assert.equal(rounded(run(layer('Activation', { activation: 'exponential' }), v))[0], 0.1353);
});

test('activations that are layers with parameters', () => {
  const v = x([1, 4], -2, -1, 1, 8);
  const act = (class_name: string, config: object): LayerJson =>
    layer('Activation', { activation: { class_name, config } });
  assert.equal(rounded(run(act('ReLU', { name: 'r', max_value: 6 }), v)), [0, 0, 1, 6]);
  assert.equal(rounded(run(act('ELU', { alpha: 0.1 }), v)), [-0.0865, -0.0632, 1, 8]);
  assert.equal(rounded(run(act('relu', {}), v)), [0, 0, 1, 8]);
  const activation = { class_name: 'ReLU', config: { max_value: 0.5 } };
  const dense = layer('Dense', { units: 1, use_bias: false, activation }, 'd');
  assert.equal(rounded(run(dense, v, { 'd/kernel': [4, 1] })), [0.5]);
  for (const [kind, config] of [
    ['relu', { alpha: 1 }],
    ['PReLU', {}],
  ] as const)
    assert.throws(() => run(act(kind, config), v), /its activation (is )?{"class_name":.*/);
});

/** A network with one inside that is applied to both inputs, referred to by these numbers. */
function siamese(inner: object, first: number): number[] {
  const input = (name: string) => ({
    class_name: 'InputLayer',
    name,
    config: { name, batch_input_shape: [null, 2] },
    inbound_nodes: [],
  });
  const base = { ...inner, name: 'base', inbound_nodes: [[['a', 0, 0, {}]], [['b', 0, 0, {}]]] };
  const topology = {
    class_name: 'Model',
    config: {
      name: 'net',
      layers: [input('a'), input('b'), base],
      input_layers: [
        ['a', 0, 0],
        ['b', 0, 0],
      ],
      output_layers: [
        ['base', first, 0],
        ['base', first + 1, 0],
      ],
    },
  };
  const { json, weights } = smallModel([], { 'd/kernel': [2, 1] });
  const { weightsManifest } = JSON.parse(new TextDecoder().decode(json)) as { weightsManifest: object[] };
  const graph = readTfjs(encode({ modelTopology: topology, weightsManifest }), { name: 'net', shards: () => weights });
  const got = evaluateGraph(graph, { a: x([1, 2], 1, 1), b: x([1, 2], 5, 5) });
  return graph.outputs.flatMap((o) => rounded(got[o]!));
}

test('a network that is applied twice, whether or not it counts its own making', () => {
  const dense = (more: object) => ({
    class_name: 'Dense',
    config: { name: 'd', units: 1, use_bias: false, activation: 'linear', ...more },
  });
  const late = { class_name: 'Sequential', config: { name: 'base', layers: [dense({})] } };
  const early = {
    class_name: 'Sequential',
    config: { name: 'base', layers: [dense({ batch_input_shape: [null, 2] })] },
  };
  assert.equal(siamese(late, 0), [0.1, 0.5]);
  assert.equal(siamese(early, 1), [0.1, 0.5]);
});

test('a layer in a network inside has the weights under the name of that network', () => {
  const dense = (more: object) => layer('Dense', { units: 1, use_bias: false, ...more }, 'd');
  const inner = layer('Sequential', { layers: [dense({})] }, 'm');
  const { json, weights } = smallModel([dense({ batch_input_shape: [null, 3] }), inner], {
    'd/kernel': [3, 1],
    'm/d/kernel': [1, 1],
  });
  weights.set(new Uint8Array(Float32Array.of(7).buffer), 12);
  const graph = readTfjs(json, { name: 'net', shards: () => weights });
  assert.equal(rounded(evaluateGraph(graph, { d_input: x([1, 3], 1, 1, 1) }).m!), [2.1]);
});

test('images with their channels first', () => {
  const image = sample([1, 2, 4, 4]);
  const turned = tensor('f32', [1, 4, 4, 2]);
  for (let p = 0; p < 16; p++) for (let c = 0; c < 2; c++) turned.data[p * 2 + c] = image.data[c * 16 + p]!;
  const conv = (data_format: string) =>
    layer(
      'Conv2D',
      { filters: 3, kernel_size: [3, 3], padding: 'same', strides: [2, 2], data_format, activation: 'relu' },
      'c',
    );
  const shapes = { 'c/kernel': [3, 3, 2, 3], 'c/bias': [3] };
  const [first, last] = [run(conv('channels_first'), image, shapes), run(conv('channels_last'), turned, shapes)];
  assert.equal(first.shape, [1, 3, 2, 2]);
  const back = Array.from({ length: 12 }, (_, i) => Number(last.data[(i % 4) * 3 + Math.floor(i / 4)]));
  assert.equal(toNumbers(first), toNumbers(x([12], ...back)));
  const flat = run(layer('Flatten', { data_format: 'channels_first' }), image);
  assert.equal(toNumbers(flat), toNumbers(turned));
});

/** A GRU whose reset gate comes after the recurrent product, step by step; weights 0, 0.1, ... and units 2, inputs 1. */
function gru(steps: readonly number[], inner: (v: number) => number): number[] {
  const [k, r, b] = [counted([6]), counted([2, 6]), counted([2, 6])].map((t) => toNumbers(t)) as [
    number[],
    number[],
    number[],
  ];
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  let h = [0, 0];
  for (const v of steps) {
    const at = (column: number) => ({
      input: v * k[column]! + b[column]!,
      past: h[0]! * r[column]! + h[1]! * r[6 + column]! + b[6 + column]!,
    });
    h = h.map((old, u) => {
      const [z, reset, c] = [at(u), at(2 + u), at(4 + u)];
      const update = sigmoid(z.input + z.past);
      return update * old + (1 - update) * inner(c.input + sigmoid(reset.input + reset.past) * c.past);
    });
  }
  return h;
}

test('a GRU that resets after its product, in one operator and step by step', () => {
  const steps = [0.3, -1, 0.5];
  const shapes = { 'g/kernel': [1, 6], 'g/recurrent_kernel': [2, 6], 'g/bias': [2, 6] };
  const of = (activation: string) =>
    run(
      layer('GRU', { units: 2, activation, recurrent_activation: 'sigmoid', use_bias: true, reset_after: true }, 'g'),
      x([1, 3, 1], ...steps),
      shapes,
    );
  const expected = { tanh: gru(steps, Math.tanh), relu: gru(steps, (v) => Math.max(0, v)) };
  for (const [activation, h] of Object.entries(expected))
    assert.ok(relativeError(of(activation), x([1, 2], ...h)) < 1e-5, activation);
});

test('a network as Keras 3 saves it, its weights under the names of cells and networks', () => {
  const keras = (name: string, shape: readonly number[]) => ({
    args: [{ class_name: '__keras_tensor__', config: { shape, dtype: 'float32', keras_history: [name, 0, 0] } }],
    kwargs: { training: false },
  });
  const chain = [
    layer(
      'LSTM',
      { units: 2, recurrent_activation: 'sigmoid', activation: 'tanh', dtype: { class_name: 'DTypePolicy' } },
      'l',
    ),
    layer('Dense', { units: 1, activation: 'linear' }, 'd'),
  ];
  const layers = [
    {
      class_name: 'InputLayer',
      name: 'in',
      config: { batch_shape: [null, 3, 1], dtype: 'float32', name: 'in' },
      inbound_nodes: [],
    },
    { ...chain[0], name: 'l', inbound_nodes: [keras('in', [-1, 3, 1])] },
    { ...chain[1], name: 'd', inbound_nodes: [keras('l', [-1, 2])] },
  ];
  const topology = {
    class_name: 'Functional',
    config: { name: 'f', layers, input_layers: ['in', 0, 0], output_layers: [['d', 0, 0]] },
  };
  const shapes = {
    'l/lstm_cell/kernel': [1, 8],
    'l/lstm_cell/recurrent_kernel': [2, 8],
    'l/lstm_cell/bias': [8],
    'f/d/kernel': [2, 1],
    'f/d/bias': [1],
  };
  const { json, weights } = smallModel([], shapes);
  const manifest = (JSON.parse(new TextDecoder().decode(json)) as { weightsManifest: object[] }).weightsManifest;
  const file = encode({ modelTopology: { model_config: topology }, weightsManifest: manifest });
  const graph = readTfjs(file, { name: 'net', shards: () => weights });
  assert.equal([graph.inputs, graph.outputs], [['in'], ['d']]);
  const plain = Object.fromEntries(Object.entries(shapes).map(([k, v]) => [k.replace(/lstm_cell.|f./, ''), v]));
  const same = smallModel(
    [{ ...chain[0]!, config: { ...chain[0]!.config, batch_input_shape: [null, 3, 1] } }, chain[1]!],
    plain,
  );
  const known = readTfjs(same.json, { name: 'net', shards: () => same.weights });
  const steps = x([1, 3, 1], 1, 2, 3);
  assert.equal(evaluateGraph(graph, { in: steps }).d, evaluateGraph(known, { l_input: steps }).d);
});

test.run();
