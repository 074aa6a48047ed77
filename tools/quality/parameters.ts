import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type TensorProto } from '../../sdk/model/onnx/onnx_pb.ts';

const FLOAT = 1;

/**
 * Number of fp32 parameters in an ONNX file, before any folding: initializers, and constants of more than one element (some exporters
 * write weights as constant nodes). Four times it is what a compression ratio is relative to.
 */
export function originalParameters(file: Uint8Array): number {
  const graph = fromBinary(ModelProtoSchema, file).graph;
  const constants = graph?.node
    .filter((n) => n.opType === 'Constant')
    .flatMap((n) => n.attribute.flatMap((a) => (a.t ? [a.t] : [])));
  const sizes = [...(graph?.initializer ?? []), ...(constants ?? []).filter((t) => sizeOf(t) > 1)];
  return sizes.filter((t) => t.dataType === FLOAT).reduce((sum, t) => sum + sizeOf(t), 0);
}

function sizeOf(t: TensorProto): number {
  return t.dims.reduce((n, d) => n * Number(d), 1);
}
