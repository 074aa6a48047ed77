/** A layer as Keras saves it. */
export interface LayerJson {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly inbound_nodes?: readonly unknown[];
}

export interface LayerCase {
  readonly name: string;
  readonly topology: { readonly class_name: string; readonly config: object };
  /** Inputs are whole numbers below this. */
  readonly tokens?: number;
}

let made = 0;

export function layer(kind: string, config: object = {}, name = `${kind.toLowerCase()}_${++made}`): LayerJson {
  return { class_name: kind, config: { name, trainable: true, ...config } };
}

/** Layers in a row, the first of which takes a shape. */
function chain(name: string, shape: readonly number[], layers: readonly LayerJson[], tokens?: number): LayerCase {
  const [first, ...rest] = layers as [LayerJson, ...LayerJson[]];
  const whole = { ...first, config: { batch_input_shape: [null, ...shape], dtype: 'float32', ...first.config } };
  return { name, topology: sequential([whole, ...rest]), ...(tokens ? { tokens } : {}) };
}

export const sequential = (layers: readonly LayerJson[]): LayerJson =>
  layer('Sequential', { layers: layers.map(({ class_name, config }) => ({ class_name, config })) });

const input = (name: string, shape: readonly number[], dtype = 'float32'): LayerJson => ({
  class_name: 'InputLayer',
  name,
  config: { name, batch_input_shape: [null, ...shape], dtype, sparse: false },
  inbound_nodes: [],
});

type Ref = string | readonly [layer: string, call: number, index: number];

/** A layer of a network, applied once to each list of references. */
function applied(name: string, made_: LayerJson, ...calls: readonly (readonly Ref[])[]): LayerJson {
  const inbound = calls.map((refs) => refs.map((r) => (typeof r === 'string' ? [r, 0, 0, {}] : [...r, {}])));
  return { ...made_, name, config: { ...made_.config, name }, inbound_nodes: inbound };
}

function network(
  name: string,
  layers: readonly LayerJson[],
  inputs: readonly string[],
  outputs: readonly Ref[],
): LayerCase {
  return { name, topology: functional('net', layers, inputs, outputs) };
}

function functional(
  name: string,
  layers: readonly LayerJson[],
  inputs: readonly string[],
  outputs: readonly Ref[],
): LayerJson {
  const refs = (list: readonly Ref[]) => list.map((r) => (typeof r === 'string' ? [r, 0, 0] : r));
  return { class_name: 'Model', config: { name, layers, input_layers: refs(inputs), output_layers: refs(outputs) } };
}

const dense = (units: number, more: object = {}) =>
  layer('Dense', { units, use_bias: true, activation: 'linear', ...more });
const conv2d = (filters: number, size: number, more: object = {}) =>
  layer('Conv2D', { filters, kernel_size: [size, size], strides: [1, 1], padding: 'valid', use_bias: true, ...more });
const recurrent = (kind: string, more: object = {}) =>
  layer(kind, { units: 3, activation: 'tanh', recurrent_activation: 'sigmoid', use_bias: true, ...more });

const ACTIVATIONS = [
  ...['relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hard_sigmoid', 'tanh', 'softmax', 'softplus', 'softsign', 'swish'],
  ...['mish', 'gelu', 'log_softmax'],
];

/** Models that between them have every layer that is translated and that TensorFlow.js has. */
export const LAYER_CASES: readonly LayerCase[] = [
  network(
    'activations',
    [
      input('x', [3, 5]),
      ...ACTIVATIONS.map((a) => applied(`a_${a}`, layer('Activation', { activation: a }), ['x'])),
      applied('relu_', layer('ReLU', { max_value: 0.5 }), ['x']),
      applied('leaky', layer('LeakyReLU', { alpha: 0.2 }), ['x']),
      applied('elu_', layer('ELU', { alpha: 1 }), ['x']),
      applied('prelu', layer('PReLU', { alpha_initializer: { class_name: 'Zeros', config: {} } }), ['x']),
      applied('thresholded', layer('ThresholdedReLU', { theta: 0.3 }), ['x']),
      applied('soft', layer('Softmax', { axis: -1 }), ['x']),
    ],
    ['x'],
    [...ACTIVATIONS.map((a) => `a_${a}`), 'relu_', 'leaky', 'elu_', 'prelu', 'thresholded', 'soft'],
  ),
  chain(
    'convolutions',
    [11, 10, 3],
    [
      conv2d(4, 3, { padding: 'same', strides: [2, 2], activation: 'relu' }),
      layer('BatchNormalization', { axis: -1, epsilon: 0.001, center: true, scale: true }),
      layer('DepthwiseConv2D', {
        kernel_size: [3, 3],
        depth_multiplier: 2,
        padding: 'same',
        use_bias: true,
        activation: 'relu6',
      }),
      layer('SeparableConv2D', {
        filters: 5,
        kernel_size: [3, 3],
        padding: 'same',
        use_bias: true,
        depth_multiplier: 1,
      }),
      layer('Dropout', { rate: 0.5 }),
      layer('MaxPooling2D', { pool_size: [2, 2], strides: [2, 2], padding: 'same' }),
      layer('Flatten'),
      dense(4, { activation: 'softmax' }),
    ],
  ),
  chain(
    'more convolutions',
    [9, 8, 2],
    [
      layer('ZeroPadding2D', {
        padding: [
          [1, 2],
          [0, 1],
        ],
      }),
      conv2d(3, 3, { dilation_rate: [2, 2], use_bias: false }),
      layer('BatchNormalization', { axis: -1, epsilon: 0.001, center: false, scale: false }),
      layer('Conv2DTranspose', { filters: 4, kernel_size: [3, 3], strides: [2, 2], padding: 'same', use_bias: true }),
      layer('Conv2DTranspose', { filters: 2, kernel_size: [3, 2], strides: [1, 1], padding: 'valid', use_bias: false }),
      layer('Cropping2D', {
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
      layer('AveragePooling2D', { pool_size: [3, 3], strides: [2, 2], padding: 'same' }),
      layer('UpSampling2D', { size: [2, 3], interpolation: 'nearest' }),
      layer('UpSampling2D', { size: [2, 2], interpolation: 'bilinear' }),
      layer('GlobalAveragePooling2D'),
    ],
  ),
  chain(
    'sequences',
    [12, 3],
    [
      layer('Conv1D', {
        filters: 4,
        kernel_size: [3],
        strides: [1],
        padding: 'same',
        use_bias: true,
        activation: 'relu',
      }),
      layer('MaxPooling1D', { pool_size: [2], strides: [2], padding: 'valid' }),
      layer('Conv1D', { filters: 3, kernel_size: [2], padding: 'valid', dilation_rate: [2], use_bias: true }),
      layer('AveragePooling1D', { pool_size: [3], strides: [1], padding: 'same' }),
      layer('LayerNormalization', { axis: [-1], epsilon: 0.001, center: true, scale: true }),
      layer('Permute', { dims: [2, 1] }),
      layer('GlobalMaxPooling1D'),
      layer('RepeatVector', { n: 3 }),
      layer('Reshape', { target_shape: [-1, 3] }),
      layer('GlobalAveragePooling1D'),
    ],
  ),
  network(
    'merged layers',
    [
      input('a', [4, 4, 3]),
      input('b', [4, 4, 3]),
      ...['Add', 'Multiply', 'Average', 'Maximum', 'Minimum'].map((k) => applied(`m_${k}`, layer(k), ['a', 'b'])),
      applied('joined', layer('Concatenate', { axis: -1 }), [
        'm_Add',
        'm_Multiply',
        'm_Average',
        'm_Maximum',
        'm_Minimum',
      ]),
      applied('conv', conv2d(3, 1, { activation: 'elu' }), ['joined']),
      applied('pool', layer('GlobalMaxPooling2D'), ['conv']),
      applied('pool2', layer('GlobalAveragePooling2D'), ['joined']),
      applied('left', dense(3), ['pool']),
      applied('right', dense(3, { activation: 'tanh' }), ['pool2']),
      applied('dot', layer('Dot', { axes: -1, normalize: false }), ['left', 'right']),
    ],
    ['a', 'b'],
    ['dot', 'joined'],
  ),
  network(
    'a layer applied twice, a network inside',
    [
      input('a', [5]),
      input('b', [5]),
      applied('twice', dense(4, { activation: 'tanh' }), ['a'], ['b']),
      applied('sum', layer('Add'), [
        ['twice', 0, 0],
        ['twice', 1, 0],
      ]),
      applied(
        'inner',
        sequential([
          dense(3, { batch_input_shape: [null, 4], activation: 'relu' }),
          layer('BatchNormalization', { axis: -1 }),
        ]),
        ['sum'],
      ),
      applied('last', dense(2), [['inner', 1, 0]]),
    ],
    ['a', 'b'],
    ['last', ['twice', 1, 0]],
  ),
  chain(
    'texts',
    [6],
    [
      layer('Embedding', { input_dim: 9, output_dim: 4, input_length: 6 }),
      layer('SpatialDropout1D', { rate: 0.2 }),
      layer('Bidirectional', { merge_mode: 'concat', layer: recurrent('LSTM', { return_sequences: true }) }),
      layer('TimeDistributed', { layer: dense(3, { activation: 'relu' }) }),
      recurrent('GRU', { return_sequences: true, reset_after: false }),
      recurrent('LSTM'),
      dense(2, { activation: 'softmax' }),
    ],
    9,
  ),
  chain(
    'recurrence with other activations',
    [5, 2],
    [
      recurrent('LSTM', { recurrent_activation: 'hard_sigmoid', return_sequences: true }),
      recurrent('GRU', { recurrent_activation: 'hard_sigmoid', reset_after: false, return_sequences: true }),
      recurrent('SimpleRNN', { return_sequences: true, go_backwards: true }),
      layer('Bidirectional', {
        merge_mode: 'sum',
        layer: recurrent('GRU', { reset_after: false, return_sequences: true }),
      }),
      layer('Bidirectional', { merge_mode: 'ave', layer: recurrent('SimpleRNN', { activation: 'relu' }) }),
    ],
  ),
  chain(
    'recurrence backwards',
    [5, 2],
    [
      recurrent('LSTM', { go_backwards: true, return_sequences: true }),
      recurrent('GRU', { go_backwards: true, reset_after: false, use_bias: false }),
      dense(3, { use_bias: false }),
      layer('Rescaling', { scale: 0.5, offset: 1 }),
    ],
  ),
  chain(
    'steps of images',
    [3, 6, 6, 2],
    [
      layer('TimeDistributed', { layer: conv2d(3, 3, { padding: 'same', activation: 'relu' }) }),
      layer('TimeDistributed', { layer: layer('GlobalAveragePooling2D') }),
      recurrent('SimpleRNN'),
    ],
  ),
];
