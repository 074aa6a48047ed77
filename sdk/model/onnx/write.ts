import { create, toBinary } from '@bufbuild/protobuf';
import { bytesOf, type DType, type Tensor } from '../../util/tensor.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.ts';

/** Element types by number: https://github.com/onnx/onnx/blob/main/docs/IR.md. */
export const ELEM_TYPES: Readonly<Partial<Record<DType, number>>> = {
  f32: 1,
  u8: 2,
  i8: 3,
  u16: 4,
  i16: 5,
  i32: 6,
  i64: 7,
  bool: 9,
  f64: 11,
  u32: 12,
  u64: 13,
};

/** Integers become INT(S) and fractions FLOAT(S); `{ float }` and `{ floats }` say so where the number happens to be whole. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: Tensor }
  | { readonly graph: OnnxGraphSpec };

export interface OnnxValueSpec {
  readonly name: string;
  /** f32 by default. */
  readonly dtype?: DType;
  /** Sizes, or names of dynamic dimensions; absent for an output of any shape. */
  readonly shape?: readonly (number | string)[];
}

export interface OnnxNodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs?: Readonly<Record<string, OnnxAttribute>>;
  readonly name?: string;
  readonly domain?: string;
}

/** A tensor of an element type that host tensors do not have, e.g. 22 (int4, two a byte, the first in the low bits). */
export interface RawTensor {
  readonly elemType: number;
  readonly shape: readonly number[];
  readonly raw: Uint8Array;
}

export interface OnnxGraphSpec {
  readonly inputs?: readonly OnnxValueSpec[];
  readonly outputs: readonly (string | OnnxValueSpec)[];
  readonly initializers?: Readonly<Record<string, Tensor | RawTensor>>;
  readonly nodes: readonly OnnxNodeSpec[];
}

export interface OnnxFileSpec {
  readonly graph: OnnxGraphSpec;
  readonly name: string;
  readonly irVersion: number;
  /** Version of every operator set by domain; '' is the default one. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: { readonly name: string; readonly version: string };
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Bytes of an ONNX file; the same for the same content. */
export function writeOnnx(spec: OnnxFileSpec): Uint8Array<ArrayBuffer> {
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(spec.irVersion),
    producerName: spec.producer.name,
    producerVersion: spec.producer.version,
    opsetImport: Object.entries(spec.opsets).map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    metadataProps: Object.entries(spec.metadata ?? {}).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: graphProto(spec.graph, spec.name),
  });
  return toBinary(ModelProtoSchema, model);
}

/** A tensor in the file format, its data as raw bytes. */
export function onnxTensor(name: string, t: Tensor | RawTensor): TensorProto {
  const dims = t.shape.map(BigInt);
  if ('raw' in t) return create(TensorProtoSchema, { name, dataType: t.elemType, dims, rawData: t.raw });
  const dataType = ELEM_TYPES[t.dtype];
  if (dataType === undefined) throw new TypeError(`no ONNX element type for ${t.dtype}`);
  return create(TensorProtoSchema, { name, dataType, dims, rawData: bytesOf(t.data).slice() });
}

function graphProto(spec: OnnxGraphSpec, name: string): GraphProto {
  return create(GraphProtoSchema, {
    name,
    input: (spec.inputs ?? []).map(valueInfo),
    output: spec.outputs.map((o) => valueInfo(typeof o === 'string' ? { name: o } : o)),
    initializer: Object.entries(spec.initializers ?? {}).map(([n, t]) => onnxTensor(n, t)),
    node: spec.nodes.map(nodeProto),
  });
}

export function nodeProto(n: OnnxNodeSpec): NodeProto {
  return create(NodeProtoSchema, {
    opType: n.op,
    name: n.name ?? '',
    domain: n.domain ?? '',
    input: [...n.inputs],
    output: [...n.outputs],
    attribute: Object.entries(n.attrs ?? {}).map(([key, value]) => attribute(key, value)),
  });
}

export function valueInfo(v: OnnxValueSpec): ValueInfoProto {
  if (!v.shape && !v.dtype) return create(ValueInfoProtoSchema, { name: v.name });
  const dim = v.shape?.map((d) => ({
    value:
      typeof d === 'number' ? { case: 'dimValue' as const, value: BigInt(d) } : { case: 'dimParam' as const, value: d },
  }));
  return create(ValueInfoProtoSchema, {
    name: v.name,
    type: { tensorType: { elemType: ELEM_TYPES[v.dtype ?? 'f32'] ?? 0, ...(dim ? { shape: { dim } } : {}) } },
  });
}

function attribute(name: string, v: OnnxAttribute): AttributeProto {
  const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);
  const fields = (): Parameters<typeof create<typeof AttributeProtoSchema>>[1] => {
    if (typeof v === 'number') return Number.isInteger(v) ? { type: 2, i: BigInt(v) } : { type: 1, f: v };
    if (typeof v === 'string') return { type: 3, s: utf8(v) };
    if (isList(v)) return v.every(Number.isInteger) ? { type: 7, ints: v.map(BigInt) } : { type: 6, floats: [...v] };
    if ('float' in v) return { type: 1, f: v.float };
    if ('floats' in v) return { type: 6, floats: [...v.floats] };
    if ('strings' in v) return { type: 8, strings: v.strings.map(utf8) };
    if ('tensor' in v) return { type: 4, t: onnxTensor(name, v.tensor) };
    return { type: 5, g: graphProto(v.graph, name) };
  };
  return create(AttributeProtoSchema, { ...fields(), name } as Parameters<
    typeof create<typeof AttributeProtoSchema>
  >[1]);
}

function isList(v: OnnxAttribute): v is readonly number[] {
  return Array.isArray(v);
}
