import type { Attrs } from '../../../sdk/ir/graph.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { opOf } from '../../../sdk/ir/ops/index.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { type Tensor, type TensorType, tensor } from '../../../sdk/util/tensor.ts';

/** Small random networks for the compressor's tests. */
export class NetworkBuilder {
  readonly b: GraphBuilder;
  readonly rng: Rng;

  constructor(name: string, seed: number) {
    this.b = new GraphBuilder(name);
    this.rng = new Rng(seed);
  }

  input(name: string, type: TensorType): string {
    return this.b.input(name, type);
  }

  weights(stem: string, shape: readonly number[], size = 1): string {
    const fan = shape.slice(1).reduce((a, d) => a * d, 1);
    const data = tensor('f32', shape);
    for (let i = 0; i < data.data.length; i++) data.data[i] = (size * this.rng.normal()) / Math.sqrt(fan);
    return this.b.constant(stem, data);
  }

  op(op: string, name: string, inputs: readonly string[], attrs: Attrs = {}): string {
    const types = inputs.map((v) => (v === '' ? undefined : this.b.values.get(v)!.type));
    const outputTypes = opOf(op).infer(types, attrs);
    const outputs = outputTypes.map((_, i) => (i === 0 ? name : `${name}.${i}`));
    this.b.node({ name, op, inputs, outputs, attrs }, outputTypes);
    return name;
  }

  conv(name: string, x: string, shape: readonly [number, number, number, number], groups = 1, stride = 1): string {
    const pad = Math.floor(shape[1] / 2);
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups, layout: 'nhwc' };
    const y = this.op(
      'Conv',
      name,
      [x, this.weights(`${name}.w`, shape), this.weights(`${name}.bias`, [shape[0]])],
      attrs,
    );
    return this.op('Relu', `${name}.relu`, [y]);
  }

  linear(name: string, x: string, n: number, size = 1): string {
    const k = this.b.values.get(x)!.type.shape.at(-1)!;
    return this.op('Linear', name, [x, this.weights(`${name}.w`, [n, k], size), this.weights(`${name}.bias`, [n])]);
  }

  build(...outputs: string[]): Graph {
    this.b.outputs = outputs;
    return this.b.build();
  }
}

/** Convolution, depthwise, pointwise, dense: 10 classes. */
export function smallCnn(seed = 1): Graph {
  const n = new NetworkBuilder('cnn', seed);
  const x = n.input('image', { dtype: 'f32', shape: [1, 8, 8, 3] });
  const a = n.conv('first', x, [16, 3, 3, 3], 1, 2);
  const b = n.conv('depthwise', a, [16, 3, 3, 1], 16);
  const c = n.conv('pointwise', b, [24, 1, 1, 16]);
  const flat = n.op('Reshape', 'flat', [c], { shape: [1, 4 * 4 * 24] });
  return n.build(n.op('Softmax', 'probabilities', [n.linear('head', flat, 10, 3)], { axis: 1, log: false }));
}

/** Embedding, LSTM, dense: next-token logits. */
export function smallLstm(seed = 1): Graph {
  const n = new NetworkBuilder('lstm', seed);
  const ids = n.input('ids', { dtype: 'i64', shape: [12, 1] });
  const table = n.weights('table', [20, 16], 4);
  const x = n.op('Gather', 'embedding', [table, ids], { axis: 0 });
  const weights = [n.weights('w', [1, 96, 16], 2), n.weights('r', [1, 96, 24], 2), n.weights('b', [1, 192])];
  n.op('LSTM', 'lstm', [x, ...weights], { hidden: 24, direction: 'forward' });
  const flat = n.op('Reshape', 'flat', ['lstm'], { shape: [12, 24] });
  return n.build(n.linear('head', flat, 20, 6));
}

/** One block of a transformer over 12 tokens, three heads of 8, later tokens hidden by a constant: next-token logits. */
export function smallTransformer(seed = 1): Graph {
  const n = new NetworkBuilder('transformer', seed);
  const ids = n.input('ids', { dtype: 'i64', shape: [1, 12] });
  const x = n.op('Gather', 'embedding', [n.weights('table', [20, 24], 4), ids], { axis: 0 });
  const qkv = n.linear('qkv', normed(n, 'norm1', x), 72, 2);
  const part = (name: string, third: number): string => {
    const attrs = { starts: [0, 0, 24 * third], sizes: [1, 12, 24], steps: [1, 1, 1] };
    const split = n.op('Reshape', `${name}.split`, [n.op('Slice', `${name}.slice`, [qkv], attrs)], {
      shape: [1, 12, 3, 8],
    });
    return n.op('Transpose', name, [split], { perm: [0, 2, 1, 3] });
  };
  const plain = { transA: false, transB: false };
  const product = n.op('MatMul', 'product', [part('q', 0), part('k', 1)], { ...plain, transB: true });
  const scaled = n.op('Div', 'scaled', [product, n.b.constant('root', tensor('f32', [], [Math.sqrt(8)]))]);
  const later = Array.from({ length: 144 }, (_, i) => (i % 12 > Math.floor(i / 12) ? -1e9 : 0));
  const masked = n.op('Add', 'masked', [scaled, n.b.constant('later', tensor('f32', [12, 12], later))]);
  const weights = n.op('Softmax', 'weights', [masked], { axis: 3, log: false });
  const mixed = n.op('MatMul', 'mixed', [weights, part('v', 2)], plain);
  const together = n.op('Transpose', 'together', [mixed], { perm: [0, 2, 1, 3] });
  const rows = n.op('Reshape', 'rows', [together], { shape: [1, 12, 24] });
  const sum = n.op('Add', 'sum', [x, n.linear('out', rows, 24)]);
  const hidden = n.op('Relu', 'hidden', [n.linear('up', normed(n, 'norm2', sum), 48)]);
  const last = n.op('Add', 'last', [sum, n.linear('down', hidden, 24)]);
  return n.build(n.linear('head', normed(n, 'norm3', last), 20, 4));
}

function normed(n: NetworkBuilder, name: string, x: string): string {
  return n.op('LayerNormalization', name, [x], { axis: 2, epsilon: 1e-5, rms: false });
}

/** Random inputs with some structure: sums of a few fixed patterns. */
export function imageSamples(count: number, seed = 2): Record<string, Tensor>[] {
  const rng = new Rng(seed);
  const patterns = Array.from({ length: 12 }, () => Float32Array.from({ length: 192 }, () => rng.normal()));
  return Array.from({ length: count }, () => {
    const data = new Float32Array(192);
    for (const p of patterns) {
      const a = rng.normal();
      for (let i = 0; i < 192; i++) data[i]! += a * p[i]! * 0.3;
    }
    return { image: tensor('f32', [1, 8, 8, 3], data) };
  });
}

export function tokenSamples(count: number, seed = 3, shape = [12, 1]): Record<string, Tensor>[] {
  const rng = new Rng(seed);
  return Array.from({ length: count }, () => {
    const ids = BigInt64Array.from({ length: 12 }, () => BigInt(rng.below(20)));
    return { ids: { dtype: 'i64' as const, shape, data: ids } };
  });
}
