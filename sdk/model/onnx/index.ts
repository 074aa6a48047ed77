import { fromBinary } from '@bufbuild/protobuf';
import type { Graph } from '../../ir/graph.ts';
import { ONNX_IMPORTERS } from '../../ir/ops/index.ts';
import { EigenError } from '../../util/errors.ts';
import type { Tensor } from '../../util/tensor.ts';
import { DOMAINS, Importer, labelOf, operatorOf, type Scope } from './importer.ts';
import { type Bindings, defineInputs, fixedValues } from './inputs.ts';
import { type GraphProto, type ModelProto, ModelProtoSchema, type NodeProto } from './onnx_pb.ts';
import { nameOutputs } from './outputs.ts';
import { type ExternalReader, invalidModel } from './tensor.ts';

export interface OnnxOptions extends Bindings {
  /** Name of the graph; the file's own by default. */
  readonly name?: string;
  /** Reads files of external data by the location the model gives. */
  readonly external?: ExternalReader;
}

const OLDEST_OPSET = 7;
const NEWEST_OPSET = 22;

/**
 * Reads an ONNX model (opset 7 to 22) into a graph with static shapes; everything that is known at import is folded.
 * Throws EW3001 (unreadable), EW3002 (ill-formed), EW3003 (a dimension has no size), EW3004 (NaN or infinite weights),
 * EW3102 (unsupported operators, all of them listed) and EW3103 (an operator used in a way that is not supported).
 */
export function readOnnx(bytes: Uint8Array, options: OnnxOptions = {}): Graph {
  const model = parse(bytes);
  const proto = model.graph;
  if (!proto || proto.node.length + proto.output.length === 0) throw unreadable('the file has no graph');
  const opset = opsetOf(model);
  checkSupport(proto, opset);
  const importer = new Importer(options.name ?? (proto.name || 'model'), opset, options.external);
  const scope: Scope = new Map();
  try {
    importer.importInitializers(proto, scope);
    defineInputs(importer, proto.input, scope, options);
    importer.importNodes(proto, scope);
  } catch (e) {
    // Shapes that no memory can hold surface as RangeErrors of typed arrays.
    if (e instanceof RangeError) throw invalidModel(`the model's shapes are not possible: ${e.message}`);
    throw e;
  }
  if (proto.output.length === 0) throw invalidModel('the graph has no outputs');
  nameOutputs(
    importer,
    proto.output.map(({ name }) => [name, scope.get(name)]),
  );
  return importer.builder.build();
}

/** Values of fixed inputs in the types and shapes that the model declares for them. Throws EW1001_USAGE as readOnnx does. */
export function fixedInputs(bytes: Uint8Array, bindings: Bindings): Record<string, Tensor> {
  return fixedValues(parse(bytes).graph?.input ?? [], bindings);
}

/** Files beside the model that hold its weights, as it names them. Throws EW3001 as readOnnx does. */
export function externalFiles(bytes: Uint8Array): string[] {
  const names = new Set<string>();
  const visit = (g: GraphProto): void => {
    const constants = g.node.flatMap((n) => n.attribute.flatMap((a) => (a.t ? [a.t] : [])));
    for (const t of [...g.initializer, ...constants]) {
      const location = t.dataLocation === 1 && t.externalData.find((e) => e.key === 'location')?.value;
      if (location) names.add(location);
    }
    for (const n of g.node) for (const a of n.attribute) if (a.g) visit(a.g);
  };
  const { graph } = parse(bytes);
  if (graph) visit(graph);
  return [...names];
}

function unreadable(reason: string, cause?: unknown): EigenError {
  return new EigenError('EW3001_MODEL_UNREADABLE', `not a readable ONNX model: ${reason}`, {
    hint: 'The file is truncated, damaged or of another format; copy or export it again.',
    cause,
  });
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (e) {
    throw unreadable(e instanceof Error ? e.message : String(e), e);
  }
}

function opsetOf(model: ModelProto): number {
  const version = model.opsetImport.find((o) => DOMAINS.includes(o.domain))?.version;
  const opset = version === undefined ? undefined : Number(version);
  if (opset === undefined || opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
    throw invalidModel(
      `the model uses operator set ${opset ?? 'none'}; ${OLDEST_OPSET} to ${NEWEST_OPSET} are supported`,
      'Convert it with onnx.version_converter, or export it with another opset_version.',
    );
  }
  return opset;
}

/** Collects every operator that cannot be imported, in all subgraphs, before anything is converted. */
function checkSupport(graph: GraphProto, opset: number): void {
  const missing = new Map<string, NodeProto[]>();
  const visit = (g: GraphProto): void => {
    for (const n of g.node) {
      const op = operatorOf(n);
      if (op !== 'If' && !ONNX_IMPORTERS.has(op)) missing.set(op, [...(missing.get(op) ?? []), n]);
      for (const a of n.attribute) if (a.g) visit(a.g);
    }
  };
  visit(graph);
  const first = [...missing][0];
  if (!first) return;
  const [op, nodes] = first;
  const list = [...missing].map(
    ([name, n]) => `${name} (${n.length}: ${n.slice(0, 5).map(labelOf).join(', ')}${n.length > 5 ? ', ...' : ''})`,
  );
  throw new EigenError(
    'EW3102_OP_UNSUPPORTED',
    `operator ${op} of node ${labelOf(nodes[0]!)} (opset ${opset}) is not supported; unsupported in this model: ${list.join('; ')}`,
    {
      hint: 'Replace these operators in the model before export, or add them: one file in sdk/ir/ops.',
      details: {
        opset,
        operators: [...missing].map(([name, n]) => ({
          op: name,
          count: n.length,
          nodes: n.map((v) => v.name || (v.output[0] ?? '')),
        })),
      },
    },
  );
}
