import * as v from 'valibot';
import { EigenError, isEigenError } from '../util/errors.ts';
import {
  byteLength,
  bytesOf,
  DTYPE_BYTES,
  type DType,
  sameShape,
  type Tensor,
  tensor,
  viewBytes,
} from '../util/tensor.ts';
import type { Attr, Attrs, Graph, Value } from './graph.ts';
import { verifyGraph } from './verify.ts';

/** A graph as plain JSON data: what its numbers are made from, its nodes in order; weights by the name they have elsewhere. */
export interface GraphData {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly values: readonly ValueData[];
  readonly nodes: readonly NodeData[];
}

export interface ValueData {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Constants only: the weight that holds the data, or the little-endian bytes in base64. */
  readonly weight?: string | undefined;
  readonly data?: string | undefined;
}

export interface NodeData {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: { readonly [key: string]: AttrData };
}

/** JSON has no infinities, NaN or negative zero: such numbers are written as `{ number: '-Infinity' }`. */
type NumberData = number | { readonly number: 'Infinity' | '-Infinity' | 'NaN' | '-0' };
type AttrData = NumberData | string | boolean | readonly NumberData[] | readonly string[];

const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const number: v.GenericSchema<unknown, NumberData> = v.union([
  v.number(),
  v.strictObject({ number: v.picklist(['Infinity', '-Infinity', 'NaN', '-0']) }),
]);
const attr: v.GenericSchema<unknown, AttrData> = v.union([
  number,
  v.string(),
  v.boolean(),
  v.array(number),
  v.array(v.string()),
]);
const names = v.array(v.string());

const graphSchema: v.GenericSchema<unknown, GraphData> = v.strictObject({
  name: v.string(),
  inputs: names,
  outputs: names,
  values: v.array(
    v.strictObject({
      name: v.string(),
      dtype: v.picklist(Object.keys(DTYPE_BYTES) as DType[]),
      shape: v.array(natural),
      weight: v.optional(v.string()),
      data: v.optional(v.string()),
    }),
  ),
  nodes: v.array(
    v.strictObject({
      name: v.string(),
      op: v.string(),
      inputs: names,
      outputs: names,
      attrs: v.record(v.string(), attr),
    }),
  ),
});

/** The JSON form of a graph; `weightOf` names the weight that holds a constant's data, others are embedded. */
export function graphToData(graph: Graph, weightOf: (value: string) => string | undefined): GraphData {
  const values = [...graph.values.values()].map(({ name, type, data }): ValueData => {
    const head = { name, dtype: type.dtype, shape: type.shape };
    if (!data) return head;
    const weight = weightOf(name);
    return weight === undefined
      ? { ...head, data: Buffer.from(bytesOf(data.data)).toString('base64') }
      : { ...head, weight };
  });
  const nodes = graph.nodes.map(
    (n): NodeData => ({
      ...n,
      attrs: Object.fromEntries(Object.entries(n.attrs).map(([key, a]) => [key, attrToData(a)])),
    }),
  );
  return { name: graph.name, inputs: graph.inputs, outputs: graph.outputs, values, nodes };
}

/**
 * The graph of graphToData's result, read back from anywhere, its weights taken from `weights`, and verified.
 * Throws EW6001_BUNDLE_UNREADABLE naming what is wrong.
 */
export function graphFromData(data: unknown, weights: (name: string) => Tensor | undefined): Graph {
  const parsed = v.safeParse(graphSchema, data, { abortPipeEarly: true });
  if (!parsed.success)
    throw unreadable(`${v.getDotPath(parsed.issues[0]) ?? 'top level'}: ${parsed.issues[0].message}`);
  const { name, inputs, outputs, values, nodes } = parsed.output;
  const graph: Graph = {
    name,
    inputs,
    outputs,
    values: new Map(values.map((value) => [value.name, valueFromData(value, weights)])),
    nodes: nodes.map((n) => ({ ...n, attrs: attrsFromData(n.attrs) })),
  };
  try {
    verifyGraph(graph);
  } catch (e) {
    throw isEigenError(e) ? unreadable(e.message) : e;
  }
  return graph;
}

function valueFromData(
  { name, dtype, shape, weight, data }: ValueData,
  weights: (name: string) => Tensor | undefined,
): Value {
  const type = { dtype, shape };
  if (weight !== undefined) {
    const found = weights(weight);
    if (!found || found.dtype !== dtype || !sameShape(found.shape, shape))
      throw unreadable(`value '${name}': there is no weight '${weight}' of its type`);
    return { name, type, data: found };
  }
  if (data === undefined) return { name, type };
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  if (bytes.length !== byteLength(type)) throw unreadable(`value '${name}' has ${bytes.length} bytes of data`);
  return { name, type, data: tensor(dtype, shape, viewBytes(dtype, bytes)) };
}

function attrToData(a: Attr): AttrData {
  if (typeof a === 'number') return numberToData(a);
  if (typeof a === 'string' || typeof a === 'boolean') return a;
  return a.map((x: number | string) => (typeof x === 'number' ? numberToData(x) : x)) as AttrData;
}

function numberToData(x: number): NumberData {
  if (Number.isFinite(x) && !Object.is(x, -0)) return x;
  return { number: (Object.is(x, -0) ? '-0' : String(x)) as 'Infinity' | '-Infinity' | 'NaN' | '-0' };
}

function attrsFromData(attrs: NodeData['attrs']): Attrs {
  const plain = (x: NumberData | string): number | string => (typeof x === 'object' ? Number(x.number) : x);
  const entries = Object.entries(attrs).map(([key, a]): [string, Attr] => {
    if (typeof a === 'boolean') return [key, a];
    return [key, (Array.isArray(a) ? a.map(plain) : plain(a as NumberData | string)) as Attr];
  });
  return Object.fromEntries(entries);
}

function unreadable(reason: string): EigenError {
  return new EigenError('EW6001_BUNDLE_UNREADABLE', `the graph of the bundle: ${reason}`, {
    hint: 'Build the bundle again with this version.',
  });
}
