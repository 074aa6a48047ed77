import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '../../sdk/index.ts';
import { type OnnxNodeSpec, onnxModel } from '../../sdk/testing/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { sizeOf, tensor } from '../../sdk/util/tensor.ts';
import type { SampleModel } from './models.ts';

/** Models of the usual kinds with random weights, so that the benchmark runs where there are no others. Writes them into `folder`. */
export async function builtModels(folder: string): Promise<SampleModel[]> {
  const models = { mlp: mlp(), depthwise_cnn: depthwiseCnn(), residual_cnn: residualCnn() };
  const made: SampleModel[] = [];
  for (const [id, bytes] of Object.entries(models)) {
    const path = join(folder, `${id}.onnx`);
    await writeFile(path, bytes);
    made.push({ id: `built/${id}`, path, inputs: 'noise', work: id === 'mlp' ? 'products' : 'convolutions' });
  }
  return made;
}

/** Collects nodes and random weights from a seed; each call returns the name of what it computes. */
export class Builder {
  readonly nodes: OnnxNodeSpec[] = [];
  readonly initializers: Record<string, Tensor> = {};
  private readonly rng = new Rng(20240614);

  conv(x: string, from: number, to: number, options: { kernel: number; stride?: number; depthwise?: boolean }): string {
    const { kernel, stride = 1, depthwise = false } = options;
    const pad = Math.floor(kernel / 2);
    const w = this.weight([to, depthwise ? 1 : from, kernel, kernel], (depthwise ? 1 : from) * kernel * kernel);
    return this.node('Conv', [x, w, this.weight([to], 100)], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: depthwise ? from : 1,
    });
  }

  linear(x: string, from: number, to: number): string {
    return this.node('Gemm', [x, this.weight([from, to], from), this.weight([to], 100)]);
  }

  node(op: string, inputs: readonly string[], attrs: OnnxNodeSpec['attrs'] = {}): string {
    const output = `v${this.nodes.length}`;
    this.nodes.push({ op, inputs, outputs: [output], attrs });
    return output;
  }

  model(shape: readonly number[]): Uint8Array {
    const last = this.nodes[this.nodes.length - 1]!.outputs[0]!;
    const { nodes, initializers } = this;
    return onnxModel({ inputs: [{ name: 'x', shape }], outputs: [{ name: last }], nodes, initializers });
  }

  /** Normal, scaled so that a product over `fanIn` inputs keeps its magnitude (He et al. 2015). */
  private weight(shape: readonly number[], fanIn: number): string {
    const name = `w${Object.keys(this.initializers).length}`;
    const scale = Math.sqrt(2 / fanIn);
    this.initializers[name] = tensor(
      'f32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => scale * this.rng.normal()),
    );
    return name;
  }
}

function mlp(): Uint8Array {
  const b = new Builder();
  const hidden = b.node('Relu', [b.linear('x', 784, 512)]);
  b.linear(b.node('Relu', [b.linear(hidden, 512, 256)]), 256, 10);
  return b.model([1, 784]);
}

function depthwiseCnn(): Uint8Array {
  const b = new Builder();
  let x = b.node('Relu', [b.conv('x', 3, 32, { kernel: 3, stride: 2 })]);
  for (const [from, to, stride] of [
    [32, 64, 1],
    [64, 128, 2],
    [128, 128, 1],
    [128, 256, 2],
  ] as const) {
    x = b.node('Relu', [b.conv(x, from, from, { kernel: 3, stride, depthwise: true })]);
    x = b.node('Relu', [b.conv(x, from, to, { kernel: 1 })]);
  }
  b.linear(b.node('Flatten', [b.node('GlobalAveragePool', [x])]), 256, 100);
  return b.model([1, 3, 96, 96]);
}

function residualCnn(): Uint8Array {
  const b = new Builder();
  let x = b.node('Relu', [b.conv('x', 3, 32, { kernel: 3 })]);
  for (let block = 0; block < 3; block++) {
    const inner = b.node('Relu', [b.conv(x, 32, 32, { kernel: 3 })]);
    x = b.node('Relu', [b.node('Add', [x, b.conv(inner, 32, 32, { kernel: 3 })])]);
  }
  b.linear(b.node('Flatten', [b.node('GlobalAveragePool', [x])]), 32, 10);
  return b.model([1, 3, 32, 32]);
}
