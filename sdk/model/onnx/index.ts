import { fromBinary } from '@bufbuild/protobuf';
import type { Graph } from '../../ir/graph.ts';
import { castTensor } from '../../ir/ops/cast.ts';
import { ONNX_IMPORTERS } from '../../ir/ops/index.ts';
import { EigenError } from '../../util/errors.ts';
import { formatType, sameShape, sizeOf, type Tensor, type TensorType } from '../../util/tensor.ts';
import { DOMAINS, Importer, labelOf, operatorOf, type Scope } from './importer.ts';
import { type GraphProto, type ModelProto, ModelProtoSchema, type NodeProto, type ValueInfoProto } from './onnx_pb.ts';
import { dtypeOf, type ExternalReader, invalidModel } from './tensor.ts';

export interface OnnxOptions {
  /** Name of the graph; the file's own by default. */
  readonly name?: string;
  /** Sizes of named dynamic dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that become constants. */
  readonly fixed?: Readonly<Record<string, Tensor>>;
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
    defineInputs(importer, proto, scope, options);
    importer.importNodes(proto, scope);
  } catch (e) {
    // Shapes that no memory can hold surface as RangeErrors of typed arrays.
    if (e instanceof RangeError) throw invalidModel(`the model's shapes are not possible: ${e.message}`);
    throw e;
  }
  nameOutputs(importer, proto, scope);
  return importer.builder.build();
}

/** Values of fixed inputs in the types and shapes that the model declares for them. Throws EW1001_USAGE as readOnnx does. */
export function fixedInputs(
  bytes: Uint8Array,
  { fixed = {}, dims = {} }: Pick<OnnxOptions, 'fixed' | 'dims'>,
): Record<string, Tensor> {
  const inputs = parse(bytes).graph?.input ?? [];
  checkFixed(fixed, inputs);
  const sizes = { ...batchDims(inputs), ...dims };
  const declared = inputs.filter((i) => i.name in fixed);
  return Object.fromEntries(
    declared.map((info) => {
      const value = fixed[info.name]!;
      return [info.name, fixedValue(info.name, value, inputType(info, sizes, value, new Map()))];
    }),
  );
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

/** Declares the inputs that are neither initializers nor fixed, with the sizes of dynamic dimensions filled in. */
function defineInputs(importer: Importer, graph: GraphProto, scope: Scope, options: OnnxOptions): void {
  const unbound = new Map<string, string>();
  const inputs = graph.input.filter((i) => !scope.has(i.name));
  checkFixed(options.fixed ?? {}, inputs);
  checkDims(options.dims ?? {}, inputs);
  const dims = { ...batchDims(inputs), ...options.dims };
  for (const info of inputs) {
    if (scope.has(info.name)) throw invalidModel(`input '${info.name}' is listed twice`);
    const fixed = options.fixed?.[info.name];
    const type = inputType(info, dims, fixed, unbound);
    if (fixed) importer.defineConstant(info.name, fixedValue(info.name, fixed, type), scope);
    else scope.set(info.name, importer.builder.input(info.name, type));
  }
  if (unbound.size === 0) return;
  const names = [...unbound.keys()];
  throw new EigenError(
    'EW3003_DIM_UNBOUND',
    `dynamic dimensions have no size: ${[...unbound].map(([d, i]) => `${d} (input '${i}')`).join(', ')}`,
    {
      hint: `Bind them: ${names.map((n) => `--dim ${n}=64`).join(' ')}.`,
      details: { dims: names },
    },
  );
}

function checkFixed(fixed: Readonly<Record<string, Tensor>>, inputs: readonly ValueInfoProto[]): void {
  for (const name of Object.keys(fixed)) {
    if (inputs.some((i) => i.name === name)) continue;
    throw new EigenError('EW1001_USAGE', `the model has no input '${name}' to set`, {
      hint: `Its inputs are ${inputs.map((i) => i.name).join(', ')}.`,
    });
  }
}

function checkDims(dims: Readonly<Record<string, number>>, inputs: readonly ValueInfoProto[]): void {
  const known = inputs.flatMap((i) => {
    const all = i.type?.tensorType?.shape?.dim ?? [];
    return all.flatMap(({ value }, axis) => (value.case === 'dimValue' && value.value > 0 ? [] : [dimName(i, axis)]));
  });
  for (const name of Object.keys(dims)) {
    if (known.includes(name)) continue;
    throw new EigenError('EW1001_USAGE', `the inputs have no dynamic dimension '${name}'`, {
      hint: known.length > 0 ? `There are ${[...new Set(known)].join(', ')}.` : 'All of their sizes are fixed.',
    });
  }
}

/** What a dimension is called: its own name, or its place. */
function dimName(info: ValueInfoProto, axis: number): string {
  const value = info.type?.tensorType?.shape?.dim[axis]?.value;
  return (value?.case === 'dimParam' && value.value) || `${info.name}.${axis}`;
}

/** Names of dynamic first axes: batches, of 1 wherever the name occurs. */
function batchDims(inputs: readonly ValueInfoProto[]): Record<string, number> {
  const names = inputs.flatMap((i) => {
    const first = i.type?.tensorType?.shape?.dim[0]?.value;
    return first?.case === 'dimParam' && first.value !== '' ? [first.value] : [];
  });
  return Object.fromEntries(names.map((n) => [n, 1]));
}

/** Type of an input: a dynamic first axis is a batch of 1 unless bound, any other must be bound. */
function inputType(
  info: ValueInfoProto,
  dims: Readonly<Record<string, number>>,
  fixed: Tensor | undefined,
  unbound: Map<string, string>,
): TensorType {
  const t = info.type?.tensorType;
  if (!t) throw invalidModel(`input '${info.name}' is not a tensor`);
  const dtype = dtypeOf(t.elemType, `input '${info.name}'`);
  if (!t.shape) {
    if (fixed) return { dtype, shape: fixed.shape };
    throw invalidModel(
      `input '${info.name}' has no shape`,
      'Export the model with input shapes; dynamic sizes may have names.',
    );
  }
  const shape = t.shape.dim.map((d, axis) => {
    if (d.value.case === 'dimValue' && Number(d.value.value) > 0) return Number(d.value.value);
    const name = dimName(info, axis);
    const bound = dims[name];
    if (bound !== undefined) {
      if (Number.isSafeInteger(bound) && bound >= 1) return bound;
      throw new EigenError('EW1001_USAGE', `dimension ${name} = ${bound} is not possible`, {
        hint: `Give a whole number of at least 1: --dim ${name}=64.`,
      });
    }
    if (fixed) return fixed.shape[axis] ?? 1;
    if (axis > 0) unbound.set(name, info.name);
    return 1;
  });
  if (!(sizeOf(shape) <= 2 ** 31))
    throw invalidModel(`input '${info.name}' of shape [${shape.join(',')}] is too large`);
  return { dtype, shape };
}

/** The value of a fixed input in its declared type; one element fits any shape of one element. */
function fixedValue(name: string, value: Tensor, type: TensorType): Tensor {
  const cast = castTensor(value, type.dtype);
  if (sameShape(cast.shape, type.shape)) return cast;
  if (sizeOf(type.shape) === cast.data.length) return { dtype: cast.dtype, shape: type.shape, data: cast.data };
  throw new EigenError(
    'EW1001_USAGE',
    `input '${name}' is ${formatType(type)}; it cannot be set to ${formatType(value)}`,
    {
      hint: 'Give as many values as the input has elements.',
    },
  );
}

/** Graph outputs keep the names of the file, whatever value they turned out to be. */
function nameOutputs(importer: Importer, graph: GraphProto, scope: Scope): void {
  const { builder } = importer;
  if (graph.output.length === 0) throw invalidModel('the graph has no outputs');
  const seen = new Set<string>();
  for (const o of graph.output) {
    const value = scope.get(o.name);
    if (value === undefined) throw invalidModel(`nothing computes output '${o.name}'`);
    if (seen.has(o.name)) throw invalidModel(`output '${o.name}' is listed twice`);
    seen.add(o.name);
    if (value !== o.name) aliasOutput(importer, o.name, value);
    builder.outputs.push(o.name);
  }
}

function aliasOutput({ builder }: Importer, name: string, value: string): void {
  const v = builder.values.get(value)!;
  if (builder.values.has(name)) throw invalidModel(`output '${name}' has the name of another value`);
  if (v.data) builder.setValue({ ...v, name });
  else builder.node({ name: `output ${name}`, op: 'Identity', inputs: [value], outputs: [name], attrs: {} }, [v.type]);
}
