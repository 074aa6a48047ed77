/** Helpers for tests of software that builds on EigenWeights: fakes for its interfaces, named skips. */

export { type InjectedFailure, MemoryFileSystem } from './memory-fs.ts';
export {
  type OnnxAttribute,
  type OnnxGraphSpec,
  type OnnxModelSpec,
  type OnnxNodeSpec,
  type OnnxValueSpec,
  onnxModel,
  onnxTensor,
} from './onnx-builder.ts';
export { type SkipKind, skip } from './skip.ts';
