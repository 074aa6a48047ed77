import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from '../../sdk/model/onnx/onnx_pb.ts';

/** An ONNX model with its weights moved to a file beside it, as exporters do with large ones. */
export function withExternalData(onnx: Uint8Array, location: string): { model: Uint8Array; data: Uint8Array } {
  const proto = fromBinary(ModelProtoSchema, onnx);
  const entry = (key: string, value: string) => ({ $typeName: 'onnx.StringStringEntryProto' as const, key, value });
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const t of proto.graph!.initializer) {
    const bytes = t.rawData;
    t.rawData = new Uint8Array();
    t.dataLocation = 1;
    t.externalData = [
      entry('location', location),
      entry('offset', String(offset)),
      entry('length', String(bytes.length)),
    ];
    parts.push(bytes);
    offset += bytes.length;
  }
  return { model: toBinary(ModelProtoSchema, proto), data: Buffer.concat(parts) };
}
