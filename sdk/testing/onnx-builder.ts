import { create, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../model/onnx/onnx_pb.ts';
import { bytesOf, type DType, type Tensor } from '../util/tensor.ts';

const ELEM_TYPES: Partial<Record<DType, number>> = {
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

export interface OnnxGraphSpec {
  readonly inputs?: readonly OnnxValueSpec[];
  readonly outputs: readonly (string | OnnxValueSpec)[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly nodes: readonly OnnxNodeSpec[];
}

export interface OnnxModelSpec extends OnnxGraphSpec {
  /** 17 by default. */
  readonly opset?: number;
  readonly name?: string;
}

/** Bytes of an ONNX model written out in code, for tests. */
export function onnxModel(spec: OnnxModelSpec): Uint8Array<ArrayBuffer> {
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: 'eigenweights-testing',
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(spec.opset ?? 17) })],
    graph: graphProto(spec, spec.name ?? 'test'),
  });
  return toBinary(ModelProtoSchema, model);
}

/** A tensor in the file format, its data as raw bytes. */
export function onnxTensor(name: string, t: Tensor): TensorProto {
  const dataType = ELEM_TYPES[t.dtype];
  if (dataType === undefined) throw new TypeError(`no ONNX element type for ${t.dtype}`);
  return create(TensorProtoSchema, { name, dataType, dims: t.shape.map(BigInt), rawData: bytesOf(t.data).slice() });
}

function graphProto(spec: OnnxGraphSpec, name: string): GraphProto {
  return create(GraphProtoSchema, {
    name,
    input: (spec.inputs ?? []).map(valueInfo),
    output: spec.outputs.map((o) => valueInfo(typeof o === 'string' ? { name: o } : o)),
    initializer: Object.entries(spec.initializers ?? {}).map(([n, t]) => onnxTensor(n, t)),
    node: spec.nodes.map((n) =>
      create(NodeProtoSchema, {
        opType: n.op,
        name: n.name ?? '',
        domain: n.domain ?? '',
        input: [...n.inputs],
        output: [...n.outputs],
        attribute: Object.entries(n.attrs ?? {}).map(([key, value]) => attribute(key, value)),
      }),
    ),
  });
}

function valueInfo(v: OnnxValueSpec): ValueInfoProto {
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
