import type { DType } from '../../../util/tensor.ts';
import type { OnnxValueSpec } from '../../onnx/write.ts';
import {
  entryOf,
  invalidJson,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  objectAt,
  shown,
  textAt,
} from '../json.ts';
import { NodeAttributes } from './attributes.ts';

/** One output of a node. */
export interface Endpoint {
  readonly node: string;
  readonly index: number;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Without those that only order execution. */
  readonly inputs: readonly Endpoint[];
  readonly attrs: NodeAttributes;
}

export interface Topology {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  /** What the model takes: name, type, shape, and the node that stands for it. */
  readonly inputs: readonly (OnnxValueSpec & { readonly node: string })[];
  readonly outputs: readonly { readonly name: string; readonly from: Endpoint }[];
}

/** Element types of inputs and casts; TensorFlow.js knows no others. */
export const TF_TYPES: Readonly<Record<string, DType>> = {
  DT_FLOAT: 'f32',
  DT_HALF: 'f32',
  DT_DOUBLE: 'f32',
  DT_INT8: 'i32',
  DT_INT16: 'i32',
  DT_INT32: 'i32',
  DT_INT64: 'i32',
  DT_UINT8: 'i32',
  DT_BOOL: 'bool',
};

/** The nodes, inputs and outputs of a graph model: a GraphDef as JSON, and the signature beside it. */
export function readTopology(graphDef: JsonObject, signature: Json | undefined): Topology {
  const nodes = new Map<string, GraphNode>();
  for (const json of listAt(graphDef.node, 'modelTopology.node')) {
    const node = readNode(json);
    if (nodes.has(node.name)) throw invalidJson(`two nodes are named '${node.name}'`);
    nodes.set(node.name, node);
  }
  const named = isObject(signature) ? signature : {};
  return { nodes, inputs: readInputs(nodes, named.inputs), outputs: readOutputs(nodes, named.outputs) };
}

function readNode(json: Json): GraphNode {
  const node = objectAt(json, 'a node of modelTopology');
  const name = textAt(node.name, "a node's name");
  const inputs = listAt(node.input ?? [], `the inputs of node '${name}'`)
    .map((v) => textAt(v, `an input of node '${name}'`))
    .filter((v) => !v.startsWith('^'))
    .map(endpointOf);
  const attrs = isObject(node.attr) ? node.attr : {};
  return {
    name,
    op: textAt(node.op, `the operator of node '${name}'`),
    inputs,
    attrs: new NodeAttributes(attrs, name),
  };
}

/** `name` is the first output of a node, `name:2` its third. */
function endpointOf(text: string): Endpoint {
  const [, node, index] = /^(.*?)(?::(\d+))?$/s.exec(text)!;
  return { node: node!, index: Number(index ?? 0) };
}

/** What the signature calls an input or output, without the number of a first output. */
const publicName = (key: string): string => key.replace(/:0$/, '');

function readInputs(nodes: ReadonlyMap<string, GraphNode>, signed: Json | undefined): Topology['inputs'] {
  if (isObject(signed) && Object.keys(signed).length > 0)
    return Object.entries(signed).map(([key, info]) => {
      const { name, dtype, tensorShape } = objectAt(info, `input '${key}' of the signature`);
      const { node } = endpointOf(typeof name === 'string' ? name : key);
      const placeholder = nodes.get(node);
      if (!placeholder) throw invalidJson(`input '${key}' of the signature is node '${node}', which is not there`);
      const shape = shapeOf(tensorShape) ?? shapeOf(placeholder.attrs.shape('shape'));
      const type = typeof dtype === 'string' ? dtype : placeholder.attrs.type('dtype');
      return inputSpec(publicName(key), node, type, shape);
    });
  return [...nodes.values()]
    .filter((n) => n.op === 'Placeholder')
    .map((n) => inputSpec(n.name, n.name, n.attrs.type('dtype'), shapeOf(n.attrs.shape('shape'))));
}

function inputSpec(
  name: string,
  node: string,
  type: string | undefined,
  shape: OnnxValueSpec['shape'],
): Topology['inputs'][number] {
  const dtype = entryOf(TF_TYPES, type ?? 'DT_FLOAT');
  if (!dtype) throw invalidJson(`input '${name}' is of type ${shown(type)}; numbers and booleans are read`);
  return { name, node, dtype, ...(shape ? { shape } : {}) };
}

/** Sizes; '' for one that is not fixed. Undefined for a shape of unknown rank. */
function shapeOf(json: Json | undefined): (number | string)[] | undefined {
  if (!isObject(json) || json.unknownRank === true) return undefined;
  return listAt(json.dim ?? [], 'the dimensions of an input').map((d) => {
    const size = Number(isObject(d) ? (d.size ?? 0) : d);
    if (!Number.isSafeInteger(size)) throw invalidJson(`an input has the size ${shown(d)}`);
    return size > 0 ? size : '';
  });
}

/** The outputs that the signature lists, else what no node reads. */
function readOutputs(nodes: ReadonlyMap<string, GraphNode>, signed: Json | undefined): Topology['outputs'] {
  if (isObject(signed) && Object.keys(signed).length > 0)
    return Object.entries(signed).map(([key, info]) => {
      const { name } = objectAt(info, `output '${key}' of the signature`);
      return { name: publicName(key), from: endpointOf(typeof name === 'string' ? name : key) };
    });
  const read = new Set([...nodes.values()].flatMap((n) => n.inputs.map((i) => i.node)));
  return [...nodes.values()]
    .filter((n) => !read.has(n.name) && !['Const', 'NoOp', 'Placeholder', 'Assert'].includes(n.op))
    .map((n) => ({ name: n.name, from: { node: n.name, index: 0 } }));
}

/** The nodes that the outputs need, in no order. Throws EW3002 for nodes that are not there. */
export function neededNodes({ nodes, outputs }: Topology): GraphNode[] {
  const found = new Map<string, GraphNode>();
  const visit = (name: string, by: string): void => {
    if (found.has(name)) return;
    const node = nodes.get(name);
    if (!node) throw invalidJson(`${by} reads node '${name}', which is not there`);
    found.set(name, node);
  };
  for (const o of outputs) visit(o.from.node, `output '${o.name}'`);
  // A Map's iteration sees what is added on the way.
  for (const node of found.values()) for (const i of node.inputs) visit(i.node, `node '${node.name}'`);
  return [...found.values()];
}

/** Nodes so that every one comes after those it reads. Throws EW3002 for cycles. */
export function inOrder(nodes: readonly GraphNode[]): GraphNode[] {
  const byName = new Map(nodes.map((n) => [n.name, n]));
  const out: GraphNode[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const stack = [...nodes];
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    if (state.has(node.name)) {
      stack.pop();
      if (state.get(node.name) === 'open') out.push(node);
      state.set(node.name, 'done');
      continue;
    }
    state.set(node.name, 'open');
    for (const i of node.inputs.toReversed()) {
      if (state.get(i.node) === 'open') throw invalidJson(`the nodes '${i.node}' and '${node.name}' form a cycle`);
      if (!state.has(i.node)) stack.push(byName.get(i.node)!);
    }
  }
  return out;
}
