import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Tensor } from '../../sdk/index.ts';
import { type Attrs, type Graph, type Node, valueNamed } from '../../sdk/ir/graph.ts';
import { transposed } from '../../sdk/ir/ops/lib/arrays.ts';
import { tensor } from '../../sdk/util/tensor.ts';

/** The parts of TensorFlow.js that are used here. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: Float32Array, shape: readonly number[], dtype: 'float32'): TfTensor;
  tidy<T>(work: () => T): T;
  relu(x: TfTensor): TfTensor;
  sigmoid(x: TfTensor): TfTensor;
  clipByValue(x: TfTensor, low: number, high: number): TfTensor;
  add(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor): TfTensor;
  mean(x: TfTensor, axes: readonly number[], keep: boolean): TfTensor;
  softmax(x: TfTensor, axis: number): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  pool(
    x: TfTensor,
    size: readonly number[],
    kind: 'avg' | 'max',
    pad: 'valid',
    dilations: number,
    strides: readonly number[],
  ): TfTensor;
  readonly fused: {
    conv2d(call: FusedConv): TfTensor;
    depthwiseConv2d(call: FusedConv): TfTensor;
    matMul(call: { a: TfTensor; b: TfTensor; bias?: TfTensor; activation?: Activation }): TfTensor;
  };
  readonly version_core: string;
}

interface TfTensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array;
  dispose(): void;
}

interface FusedConv {
  readonly x: TfTensor;
  readonly filter: TfTensor;
  readonly strides: readonly number[];
  readonly pad: readonly (readonly number[])[];
  readonly dataFormat: 'NHWC';
  readonly dilations: readonly number[];
  readonly bias?: TfTensor;
  readonly activation?: Activation;
}

type Activation = 'relu' | 'relu6';

/** A network translated to operators of TensorFlow.js on its WebAssembly backend with SIMD, in one thread. */
export interface TfModel {
  readonly version: string;
  run(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
  close(): void;
}

/** Throws for an operator that has no translation here. */
export async function openTf(graph: Graph, from: string): Promise<TfModel> {
  const require = createRequire(join(from, 'package.json'));
  const tf = require('@tensorflow/tfjs-core') as Tf;
  const backend = require('@tensorflow/tfjs-backend-wasm') as {
    setWasmPaths(folder: string): void;
    setThreadsCount(count: number): void;
  };
  backend.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  backend.setThreadsCount(1);
  if (!(await tf.setBackend('wasm'))) throw new Error('its WebAssembly backend does not start');
  await tf.ready();
  const translated = new Translation(tf, graph);
  return {
    version: tf.version_core,
    run: (inputs) => translated.run(inputs),
    close: () => translated.close(),
  };
}

class Translation {
  private readonly tf: Tf;
  private readonly graph: Graph;
  private readonly constants = new Map<string, TfTensor>();
  private readonly steps: ((values: Map<string, TfTensor>) => void)[] = [];
  /** Activations that are part of the operator before. */
  private readonly fused = new Set<Node>();

  constructor(tf: Tf, graph: Graph) {
    this.tf = tf;
    this.graph = graph;
    const missing = new Set(graph.nodes.filter((n) => !(n.op in OPS)).map((n) => n.op));
    if (missing.size > 0) throw new Error(`no translation of ${[...missing].join(', ')}`);
    for (const n of graph.nodes) if (!this.fused.has(n)) this.steps.push(this.step(n));
  }

  run(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    return this.tf.tidy(() => {
      const values = new Map(this.constants);
      for (const name of this.graph.inputs) {
        const { data, shape } = inputs[name]!;
        values.set(name, this.tf.tensor(data as Float32Array, shape, 'float32'));
      }
      for (const step of this.steps) step(values);
      return Object.fromEntries(
        this.graph.outputs.map((name) => {
          const { shape } = valueNamed(this.graph, name).type;
          return [name, tensor('f32', shape, values.get(name)!.dataSync().slice())];
        }),
      );
    });
  }

  close(): void {
    for (const t of this.constants.values()) t.dispose();
  }

  private step(n: Node): (values: Map<string, TfTensor>) => void {
    const weighted = n.op === 'Conv' || n.op === 'Linear';
    const clamp = weighted ? this.clampAfter(n) : undefined;
    if (clamp) this.fused.add(clamp.node);
    n.inputs.forEach((v, i) => {
      if (v !== '') this.constant(v, weighted && i === 1 ? n : undefined);
    });
    const output = clamp?.node.outputs[0] ?? n.outputs[0]!;
    const compute = OPS[n.op]!;
    return (values) => {
      const operands = n.inputs.map((v, i) => values.get(weighted && i === 1 ? turnedName(v) : v)!);
      values.set(output, compute(this.tf, operands, n.attrs, clamp?.activation));
    };
  }

  private clampAfter(n: Node): { node: Node; activation: Activation } | undefined {
    const readers = this.graph.nodes.filter((m) => m.inputs.includes(n.outputs[0]!));
    const [node] = readers;
    if (!node || readers.length > 1 || this.graph.outputs.includes(n.outputs[0]!)) return undefined;
    if (node.op === 'Relu') return { node, activation: 'relu' };
    return node.op === 'Clip' && node.attrs.min === 0 && node.attrs.max === 6
      ? { node, activation: 'relu6' }
      : undefined;
  }

  private constant(name: string, weightsOf: Node | undefined): void {
    const data = valueNamed(this.graph, name).data;
    if (!data) return;
    if (data.dtype !== 'f32') throw new Error(`no translation of ${data.dtype} constants`);
    const key = weightsOf ? turnedName(name) : name;
    if (this.constants.has(key)) return;
    const { shape, data: values } = weightsOf ? turned(data, weightsOf) : data;
    this.constants.set(key, this.tf.tensor(values as Float32Array, shape, 'float32'));
  }
}

const turnedName = (name: string): string => `${name}, turned`;

/** Filters are [kh, kw, in, out] there, of depthwise convolutions [kh, kw, in, 1], matrices [in, out]. */
function turned(weights: Tensor, { op, attrs }: Node): Tensor {
  if (op === 'Linear') return transposed(weights, [1, 0]);
  if (attrs.groups === 1) return transposed(weights, [1, 2, 3, 0]);
  if (attrs.groups !== weights.shape[0]) throw new Error('no translation of convolutions in groups');
  return transposed(weights, [1, 2, 0, 3]);
}

type Compute = (tf: Tf, inputs: readonly TfTensor[], attrs: Attrs, activation: Activation | undefined) => TfTensor;

const numbers = (v: unknown): readonly number[] => v as readonly number[];

function padding(attrs: Attrs): readonly (readonly number[])[] {
  const [top, left, bottom, right] = numbers(attrs.pads) as [number, number, number, number];
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

const OPS: Readonly<Record<string, Compute>> = {
  Conv(tf, [x, filter, bias], attrs, activation) {
    const call: FusedConv = {
      x: x!,
      filter: filter!,
      strides: numbers(attrs.strides),
      pad: padding(attrs),
      dataFormat: 'NHWC',
      dilations: numbers(attrs.dilations),
      ...(bias ? { bias } : {}),
      ...(activation ? { activation } : {}),
    };
    return attrs.groups === 1 ? tf.fused.conv2d(call) : tf.fused.depthwiseConv2d(call);
  },
  Linear(tf, [x, b, bias], _attrs, activation) {
    const a = tf.reshape(x!, [-1, x!.shape.at(-1)!]);
    const rows = tf.fused.matMul({
      a,
      b: b!,
      ...(bias ? { bias } : {}),
      ...(activation ? { activation } : {}),
    });
    return tf.reshape(rows, [...x!.shape.slice(0, -1), b!.shape[1]!]);
  },
  Pool(tf, [x], attrs) {
    if (numbers(attrs.pads).some((p) => p !== 0)) throw new Error('no translation of padded pooling');
    const kind = attrs.fn === 'max' ? 'max' : 'avg';
    return tf.pool(x!, numbers(attrs.kernel), kind, 'valid', 1, numbers(attrs.strides));
  },
  Reduce(tf, [x], attrs) {
    if (attrs.fn !== 'mean') throw new Error(`no translation of reduction by ${attrs.fn}`);
    return tf.mean(x!, numbers(attrs.axes), attrs.keepdims === true);
  },
  Relu: (tf, [x]) => tf.relu(x!),
  Sigmoid: (tf, [x]) => tf.sigmoid(x!),
  Clip: (tf, [x], attrs) => tf.clipByValue(x!, attrs.min as number, attrs.max as number),
  Add: (tf, [a, b]) => tf.add(a!, b!),
  Mul: (tf, [a, b]) => tf.mul(a!, b!),
  Softmax: (tf, [x], attrs) => tf.softmax(x!, attrs.axis as number),
  Reshape: (tf, [x], attrs) => tf.reshape(x!, numbers(attrs.shape)),
};
