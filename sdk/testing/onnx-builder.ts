import { type OnnxGraphSpec, writeOnnx } from '../model/onnx/write.ts';

export {
  type OnnxAttribute,
  type OnnxGraphSpec,
  type OnnxNodeSpec,
  type OnnxValueSpec,
  onnxTensor,
} from '../model/onnx/write.ts';

export interface OnnxModelSpec extends OnnxGraphSpec {
  /** 17 by default. */
  readonly opset?: number;
  readonly name?: string;
}

/** Bytes of an ONNX model written out in code, for tests. */
export function onnxModel(spec: OnnxModelSpec): Uint8Array<ArrayBuffer> {
  return writeOnnx({
    graph: spec,
    name: spec.name ?? 'test',
    irVersion: 8,
    opsets: { '': spec.opset ?? 17, 'com.microsoft': 1 },
    producer: { name: 'eigenweights-testing', version: '' },
  });
}
