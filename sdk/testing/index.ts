/** Helpers for tests of software that builds on EigenWeights: fakes for its interfaces, named skips. */

export { CrashFileSystem, type CrashOptions, type Fault, type FileOperation, PowerCut } from './crash-file-system.ts';
export { LOSS_MODELS, type LossModel } from './crash-image.ts';
export { type Allowed, MemoryBroker, MemoryTransport, type NetworkFaults } from './memory-broker.ts';
export { MemoryDeviceFileSystem } from './memory-device-fs.ts';
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
export { SimulatedClock } from './simulated-clock.ts';
export { type SkipKind, skip } from './skip.ts';
export { TcpProxy } from './tcp-proxy.ts';
