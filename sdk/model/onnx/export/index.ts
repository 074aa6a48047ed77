import { type Graph, valueNamed } from '../../../ir/graph.ts';
import { type OnnxNodeSpec, type OnnxValueSpec, writeOnnx } from '../write.ts';
import { type FormCounts, GraphExporter } from './exporter.ts';
import { type MatmulForm, QuantizedForms, type WeightForm } from './quantized.ts';

export type { FormCounts } from './exporter.ts';
export { MATMUL_FORMS, type MatmulForm, WEIGHT_FORMS, type WeightForm } from './quantized.ts';

/** int4, int16 activations and every operator that is written are in this operator set. */
export const EXPORT_OPSET = 21;
const IR_VERSION = 10;

export interface ExportOptions {
  readonly weights?: WeightForm;
  readonly matmul?: MatmulForm;
  readonly producerVersion: string;
  /** Goes into the file's metadata, in this order. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ExportedModel {
  readonly bytes: Uint8Array;
  readonly opset: number;
  /** Domains outside the standard that the file needs. */
  readonly domains: readonly string[];
  /** ONNX nodes by operator. */
  readonly operators: Readonly<Record<string, number>>;
  /** Forms of weights and activations by operator of the graph. */
  readonly forms: FormCounts;
}

/**
 * A graph as compiled, in floats or integers, as an ONNX file. Inputs and outputs keep names and types.
 * Throws EW3102 for an operator without a form in ONNX, EW3103 for one in a state that ONNX does not have, EW1001 when
 * `weights: 'int4'` cannot be kept.
 */
export function exportOnnx(graph: Graph, options: ExportOptions): ExportedModel {
  const exporter = new GraphExporter(graph, new QuantizedForms(options.weights ?? 'auto', options.matmul ?? 'qdq'));
  exporter.run();
  const named = (name: string): OnnxValueSpec => ({ name, ...valueNamed(graph, name).type });
  const domains = [...new Set(exporter.nodes.map((n) => n.domain ?? ''))].filter((d) => d !== '').sort();
  const bytes = writeOnnx({
    name: graph.name,
    irVersion: IR_VERSION,
    opsets: { '': EXPORT_OPSET, ...Object.fromEntries(domains.map((d) => [d, 1])) },
    producer: { name: 'eigenweights', version: options.producerVersion },
    metadata: options.metadata ?? {},
    graph: {
      inputs: graph.inputs.map(named),
      outputs: graph.outputs.map(named),
      initializers: exporter.initializers,
      nodes: exporter.nodes,
    },
  });
  return { bytes, opset: EXPORT_OPSET, domains, operators: countsOf(exporter.nodes), forms: exporter.forms };
}

function countsOf(nodes: readonly OnnxNodeSpec[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const n of nodes) out[n.op] = (out[n.op] ?? 0) + 1;
  return out;
}
