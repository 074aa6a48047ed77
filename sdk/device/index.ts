/** What runs on a device: the engine, its start-up probe, the probe of the machine. No compiler, no ONNX. */

export { type DotProbe, probeDot7 } from './engine/probe.ts';
export { chooseModule, type EngineOptions, type KernelModule, preferredVariant, WasmEngine } from './engine/wasm.ts';
export { type HostProbe, type ProbeOptions, probeHost } from './probe.ts';
