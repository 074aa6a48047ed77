import { openOracle, readArrays, samplesOf, type Tensor } from '../../sdk/index.ts';
import { valueNamed } from '../../sdk/ir/graph.ts';
import { GraphExporter } from '../../sdk/model/onnx/export/exporter.ts';
import { QuantizedForms } from '../../sdk/model/onnx/export/quantized.ts';
import { type OnnxNodeSpec, type OnnxValueSpec, type RawTensor, writeOnnx } from '../../sdk/model/onnx/write.ts';
import { openModel } from '../../sdk/pipeline.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import type { SampleModel } from './models.ts';

/** Samples that ranges of activations are taken over. */
const SAMPLES = 8;
const OPSET = 21;
const IR_VERSION = 10;

/** Which operators compute in 8 bits. */
export const PLANS = {
  /** Everything that onnxruntime has integer kernels for, as its own static quantizer does by default. */
  all: [
    'Conv',
    'Gemm',
    'MatMul',
    'Add',
    'Mul',
    'Sigmoid',
    'Softmax',
    'AveragePool',
    'MaxPool',
    'Concat',
    'Reshape',
    'Transpose',
  ],
  /** What weights take part in; the rest stays in floats, which can be faster where conversions outweigh what they save. */
  weighted: ['Conv', 'Gemm', 'MatMul'],
} as const;
export type Plan = keyof typeof PLANS;

/** Their outputs have the scale of their first input, so that runtimes need not look at values. */
const MOVING = new Set(['MaxPool', 'Reshape', 'Transpose']);
const CLAMPS = new Set(['Relu', 'Clip']);
const WEIGHTED = new Set(['Conv', 'Gemm', 'MatMul']);

interface Scale {
  readonly scale: number;
  /** u8. */
  readonly zero: number;
}

/**
 * A model quantized statically to 8 bits the usual way: batch normalisation folded, activations u8 with one scale a tensor from the
 * ranges on calibration samples, weights i8 with one scale a channel, biases i32; QuantizeLinear and DequantizeLinear around every
 * operator of the plan, which is what onnxruntime fuses into its integer kernels.
 */
export async function quantizedModel(model: SampleModel, calibration: string, plan: Plan): Promise<Uint8Array> {
  const { graph } = await openModel(model);
  const exporter = new GraphExporter(graph, new QuantizedForms('auto', 'qdq'));
  exporter.run();
  const named = (name: string): OnnxValueSpec => ({ name, ...valueNamed(graph, name).type });
  const file = (
    nodes: readonly OnnxNodeSpec[],
    outputs: readonly OnnxValueSpec[],
    initializers: Constants,
  ): Uint8Array =>
    writeOnnx({
      name: graph.name,
      irVersion: IR_VERSION,
      opsets: { '': OPSET },
      producer: { name: 'eigenweights', version: 'qdq' },
      graph: { inputs: graph.inputs.map(named), outputs, initializers, nodes },
    });
  const nodes = withGemm(exporter.nodes, exporter.initializers, (v) => graph.values.get(v)?.type.shape.length);
  const outputs = graph.outputs.map(named);
  const seen = nodes.flatMap((n) => n.outputs).filter((v) => v !== '' && !graph.outputs.includes(v));
  const observed = file(nodes, [...outputs, ...seen.map((name) => ({ name }))], exporter.initializers);
  const inputs = graph.inputs.map((name) => ({ name, ...valueNamed(graph, name).type }));
  const ranges = await rangesOf(observed, samplesOf(await readArrays(calibration), inputs));
  const q = new Quantizer(nodes, exporter.initializers, ranges, new Set(graph.outputs), new Set(PLANS[plan]));
  q.run();
  return file(q.nodes, outputs, q.initializers);
}

type Constants = Record<string, Tensor | RawTensor>;
type Range = readonly [low: number, high: number];

/** A product of matrices and the sum with a row is what Gemm does, and runtimes have a kernel for it. */
function withGemm(
  nodes: readonly OnnxNodeSpec[],
  constants: Constants,
  rankOf: (value: string) => number | undefined,
): OnnxNodeSpec[] {
  const out: OnnxNodeSpec[] = [];
  const products = new Map<string, number>();
  for (const n of nodes) {
    const [product, bias] = n.inputs;
    const at = n.op === 'Add' ? products.get(product!) : undefined;
    if (at !== undefined && constants[bias!]?.shape.length === 1 && rankOf(n.outputs[0]!) === 2) {
      const { inputs } = out[at]!;
      out.splice(at, 1);
      out.push({ ...n, op: 'Gemm', inputs: [...inputs, bias!] });
      for (const [v, i] of products) if (i > at) products.set(v, i - 1);
      continue;
    }
    const weights = n.op === 'MatMul' ? constants[n.inputs[1]!] : undefined;
    if (weights?.shape.length === 2) products.set(n.outputs[0]!, out.length);
    out.push(n);
  }
  return out;
}

/** Lowest and highest value of every float that is computed. */
async function rangesOf(
  file: Uint8Array,
  samples: { readonly count: number; at(i: number): Record<string, Tensor> },
): Promise<Map<string, Range>> {
  const ranges = new Map<string, Range>();
  const note = (values: Readonly<Record<string, Tensor>>): void => {
    for (const [name, t] of Object.entries(values)) {
      if (t.dtype !== 'f32') continue;
      let [low, high] = ranges.get(name) ?? [0, 0];
      for (const v of t.data as Float32Array) {
        if (v < low) low = v;
        if (v > high) high = v;
      }
      ranges.set(name, [low, high]);
    }
  };
  const oracle = await openOracle('onnxruntime-web', file);
  try {
    for (let i = 0; i < Math.min(SAMPLES, samples.count); i++) {
      const inputs = samples.at(i);
      note(inputs);
      note(await oracle.run(inputs));
    }
  } finally {
    await oracle.close();
  }
  return ranges;
}

class Quantizer {
  readonly nodes: OnnxNodeSpec[] = [];
  readonly initializers: Constants;
  private readonly source: readonly OnnxNodeSpec[];
  private readonly ranges: ReadonlyMap<string, Range>;
  private readonly outputs: ReadonlySet<string>;
  private readonly ops: ReadonlySet<string>;
  private readonly readers = new Map<string, OnnxNodeSpec[]>();
  private readonly scales = new Map<string, Scale>();
  /** What readers of a value read. */
  private readonly names = new Map<string, string>();

  constructor(
    source: readonly OnnxNodeSpec[],
    constants: Constants,
    ranges: ReadonlyMap<string, Range>,
    outputs: ReadonlySet<string>,
    ops: ReadonlySet<string>,
  ) {
    this.source = source;
    this.initializers = { ...constants };
    this.ranges = ranges;
    this.outputs = outputs;
    this.ops = ops;
    for (const n of source) for (const v of n.inputs) this.readers.set(v, [...(this.readers.get(v) ?? []), n]);
  }

  run(): void {
    for (const n of this.source) this.node(n);
  }

  private node(n: OnnxNodeSpec): void {
    const [output = ''] = n.outputs;
    const clamp = CLAMPS.has(n.op) && this.follows(n);
    const quantized = (this.ops.has(n.op) || clamp) && this.ranges.has(output);
    if (!quantized) {
      this.nodes.push({ ...n, inputs: n.inputs.map((v) => this.names.get(v) ?? v) });
      return;
    }
    const inputs = clamp ? [...n.inputs] : n.inputs.map((v, i) => this.operand(n, v, i));
    // A value that is only clamped has no codes of its own: the clamp is the range of what follows.
    const clamped = !clamp && this.onlyClamped(output);
    const scale = MOVING.has(n.op) ? this.scales.get(n.inputs[0]!) : undefined;
    const computed = this.outputs.has(output) ? `${output}.computed` : output;
    this.nodes.push({ ...n, inputs, outputs: [computed] });
    if (!clamped) this.code(output, computed, scale ?? scaleOf(this.ranges.get(output)!));
  }

  /** Whether a clamp is the only reader of what an operator of the plan computes. */
  private follows(n: OnnxNodeSpec): boolean {
    const from = this.source.find((m) => m.outputs.includes(n.inputs[0]!));
    return from !== undefined && this.ops.has(from.op) && !MOVING.has(from.op) && this.onlyClamped(n.inputs[0]!);
  }

  private onlyClamped(value: string): boolean {
    const readers = this.readers.get(value) ?? [];
    return readers.length === 1 && CLAMPS.has(readers[0]!.op) && !this.outputs.has(value);
  }

  private operand(n: OnnxNodeSpec, value: string, index: number): string {
    const constant = this.initializers[value];
    if (constant === undefined) {
      if (!this.names.has(value) && this.ranges.has(value)) this.code(value, value, scaleOf(this.ranges.get(value)!));
      return this.names.get(value) ?? value;
    }
    if ('raw' in constant || constant.dtype !== 'f32') return value;
    if (WEIGHTED.has(n.op) && index === 1) return this.weights(n, value, constant as Tensor<'f32'>);
    if (WEIGHTED.has(n.op) && index === 2) return this.bias(n, value, constant as Tensor<'f32'>);
    if (!this.names.has(value)) this.code(value, value, scaleOf(extremes(constant.data as Float32Array)));
    return this.names.get(value)!;
  }

  /** Codes of a value and back; readers get the latter. */
  private code(value: string, from: string, scale: Scale): void {
    const args = [
      this.constant(`${value}.scale`, tensor('f32', [], [scale.scale])),
      this.constant(`${value}.zero`, tensor('u8', [], [scale.zero])),
    ];
    const to = this.outputs.has(value) ? value : `${value}.dq`;
    this.nodes.push({ op: 'QuantizeLinear', inputs: [from, ...args], outputs: [`${value}.q`] });
    this.nodes.push({ op: 'DequantizeLinear', inputs: [`${value}.q`, ...args], outputs: [to] });
    this.names.set(value, to);
    this.scales.set(value, scale);
  }

  private readonly weightScales = new Map<string, Float32Array>();

  /** Symmetric, one scale an output channel: the first axis of a convolution, the last of a matrix. */
  private weights(n: OnnxNodeSpec, value: string, { shape, data }: Tensor<'f32'>): string {
    if (this.weightScales.has(value)) return `${value}.dq`;
    const conv = n.op === 'Conv';
    const channels = conv ? shape[0]! : shape.at(-1)!;
    const size = data.length / channels;
    const channelOf = (i: number): number => (conv ? Math.floor(i / size) : i % channels);
    const scales = new Float32Array(channels);
    data.forEach((w, i) => {
      scales[channelOf(i)] = Math.max(scales[channelOf(i)]!, Math.abs(w) / 127);
    });
    for (let c = 0; c < channels; c++) scales[c] ||= 1;
    const codes = Int8Array.from(data, (w, i) => Math.round(w / scales[channelOf(i)]!));
    const inputs = [
      this.constant(`${value}.codes`, tensor('i8', shape, codes)),
      this.constant(`${value}.scales`, tensor('f32', [channels], scales)),
      this.constant(`${value}.zeros`, tensor('i8', [channels], new Int8Array(channels))),
    ];
    const axis = conv ? 0 : shape.length - 1;
    this.nodes.push({ op: 'DequantizeLinear', inputs, outputs: [`${value}.dq`], attrs: { axis } });
    this.weightScales.set(value, scales);
    return `${value}.dq`;
  }

  /** In steps of the products. */
  private bias(n: OnnxNodeSpec, value: string, { shape, data }: Tensor<'f32'>): string {
    const input = this.scales.get(n.inputs[0]!);
    const weights = this.weightScales.get(n.inputs[1]!);
    if (!input || !weights) return value;
    const scales = weights.map((s) => s * input.scale);
    const stem = `${n.outputs[0]}.bias`;
    const codes = Int32Array.from(data, (b, i) => Math.round(b / scales[i]!));
    const inputs = [
      this.constant(`${stem}.codes`, tensor('i32', shape, codes)),
      this.constant(`${stem}.scales`, tensor('f32', [scales.length], scales)),
    ];
    this.nodes.push({ op: 'DequantizeLinear', inputs, outputs: [`${stem}.dq`], attrs: { axis: 0 } });
    return `${stem}.dq`;
  }

  private constant(name: string, data: Tensor): string {
    this.initializers[name] = data;
    return name;
  }
}

function extremes(values: Float32Array): Range {
  return values.reduce<Range>(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [0, 0]);
}

/** The range holds 0, which has a code. */
function scaleOf([low, high]: Range): Scale {
  const scale = Math.fround((high - low) / 255) || 1;
  return { scale, zero: Math.round(-low / scale) };
}
