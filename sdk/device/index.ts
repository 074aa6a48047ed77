/** What runs on a device: the engine, its start-up probe, the probe of the machine. No compiler, no ONNX. */

export type { KernelId, KernelModule, Platform } from '../wire/kernels.ts';
export { Engine, type EngineOptions } from './engine/engine.ts';
export { NativeEngine, type ResidentWeights } from './engine/native.ts';
export { type DotProbe, probeDot7 } from './engine/probe.ts';
export { chooseModule, preferredVariant, WasmEngine } from './engine/wasm.ts';
export { type HostProbe, type ProbeOptions, probeHost } from './probe.ts';
