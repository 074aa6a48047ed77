import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';

/** Small whole models, written out in code with seeded weights, and samples for them. */
export interface SmallModel {
  readonly onnx: Uint8Array;
  /** Arrays of `count` samples. */
  samples(count: number): Record<string, Tensor>;
}

export function noise(rng: Rng, shape: readonly number[], scale: number): Tensor {
  const t = tensor('f32', shape);
  for (let i = 0; i < t.data.length; i++) t.data[i] = rng.normal() * scale;
  return t;
}

/** Convolution, depthwise convolution, residual, pooling, classifier. */
export function smallCnn(): SmallModel {
  const rng = new Rng(1);
  const onnx = onnxModel({
    name: 'cnn',
    inputs: [{ name: 'image', shape: ['batch', 3, 12, 12] }],
    outputs: [{ name: 'scores', shape: ['batch', 10] }],
    initializers: {
      w1: noise(rng, [16, 3, 3, 3], 0.25),
      b1: noise(rng, [16], 0.1),
      w2: noise(rng, [16, 1, 3, 3], 0.3),
      w3: noise(rng, [16, 16, 1, 1], 0.3),
      b3: noise(rng, [16], 0.1),
      w4: noise(rng, [16, 10], 0.4),
      b4: noise(rng, [10], 0.1),
    },
    nodes: [
      { op: 'Conv', inputs: ['image', 'w1', 'b1'], outputs: ['c1'], attrs: { strides: [2, 2], pads: [1, 1, 1, 1] } },
      { op: 'Relu', inputs: ['c1'], outputs: ['r1'] },
      { op: 'Conv', inputs: ['r1', 'w2'], outputs: ['c2'], attrs: { group: 16, pads: [1, 1, 1, 1] } },
      { op: 'Relu', inputs: ['c2'], outputs: ['r2'] },
      { op: 'Conv', inputs: ['r2', 'w3', 'b3'], outputs: ['c3'] },
      { op: 'Add', inputs: ['c3', 'r1'], outputs: ['a3'] },
      { op: 'Relu', inputs: ['a3'], outputs: ['r3'] },
      { op: 'GlobalAveragePool', inputs: ['r3'], outputs: ['p'] },
      { op: 'Flatten', inputs: ['p'], outputs: ['f'] },
      { op: 'Gemm', inputs: ['f', 'w4', 'b4'], outputs: ['scores'] },
    ],
  });
  return { onnx, samples: (n) => ({ image: noise(new Rng(2), [n, 3, 12, 12], 1) }) };
}

/** Two linear layers, the first large enough for its codes to travel in planes. */
export function smallPerceptron(): SmallModel {
  const [features, hidden, classes] = [96, 128, 10];
  const rng = new Rng(8);
  const onnx = onnxModel({
    name: 'perceptron',
    inputs: [{ name: 'x', shape: ['batch', features] }],
    outputs: [{ name: 'y' }],
    initializers: {
      w1: noise(rng, [features, hidden], 0.15),
      b1: noise(rng, [hidden], 0.1),
      w2: noise(rng, [hidden, classes], 0.3),
      b2: noise(rng, [classes], 0.1),
    },
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w1', 'b1'], outputs: ['h'] },
      { op: 'Relu', inputs: ['h'], outputs: ['r'] },
      { op: 'Gemm', inputs: ['r', 'w2', 'b2'], outputs: ['y'] },
    ],
  });
  return { onnx, samples: (n) => ({ x: noise(new Rng(9), [n, features], 1) }) };
}

/** An LSTM over six steps and a linear layer with softmax. */
export function smallLstm(): SmallModel {
  const [steps, inputs, hidden] = [6, 8, 12];
  const rng = new Rng(3);
  const onnx = onnxModel({
    name: 'lstm',
    inputs: [{ name: 'x', shape: [steps, 1, inputs] }],
    outputs: [{ name: 'y' }],
    initializers: {
      w: noise(rng, [1, 4 * hidden, inputs], 0.3),
      r: noise(rng, [1, 4 * hidden, hidden], 0.3),
      b: noise(rng, [1, 8 * hidden], 0.1),
      shape: tensor('i64', [2], [steps, hidden]),
      v: noise(rng, [hidden, 5], 0.5),
    },
    nodes: [
      { op: 'LSTM', inputs: ['x', 'w', 'r', 'b'], outputs: ['h'], attrs: { hidden_size: hidden } },
      { op: 'Reshape', inputs: ['h', 'shape'], outputs: ['flat'] },
      { op: 'MatMul', inputs: ['flat', 'v'], outputs: ['scores'] },
      { op: 'Softmax', inputs: ['scores'], outputs: ['y'], attrs: { axis: -1 } },
    ],
  });
  return { onnx, samples: (n) => ({ x: noise(new Rng(4), [n, steps, 1, inputs], 1) }) };
}

/** Token ids to rows of a table to logits. */
export function smallEmbedding(): SmallModel {
  const [tokens, width, length] = [20, 16, 4];
  const rng = new Rng(5);
  const onnx = onnxModel({
    name: 'embedding',
    inputs: [{ name: 'ids', dtype: 'i64', shape: ['batch', length] }],
    outputs: [{ name: 'logits' }],
    initializers: {
      table: noise(rng, [tokens, width], 1),
      w: noise(rng, [width, tokens], 0.3),
      b: noise(rng, [tokens], 0.1),
    },
    nodes: [
      { op: 'Gather', inputs: ['table', 'ids'], outputs: ['e'], attrs: { axis: 0 } },
      { op: 'Tanh', inputs: ['e'], outputs: ['t'] },
      { op: 'MatMul', inputs: ['t', 'w'], outputs: ['m'] },
      { op: 'Add', inputs: ['m', 'b'], outputs: ['logits'] },
    ],
  });
  const ids = (n: number): Tensor => {
    const r = new Rng(6);
    return tensor(
      'i64',
      [n, length],
      Array.from({ length: n * length }, () => r.below(tokens)),
    );
  };
  return { onnx, samples: (n) => ({ ids: ids(n) }) };
}
