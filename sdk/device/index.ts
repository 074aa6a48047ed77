/**
 * What runs on a device: the engine, its start-up probe, the probe of the machine; the store of models and the agent that updates them.
 * No compiler, no ONNX.
 */

export type { Assignment, Delta, Limits } from '../wire/assignment.ts';
export type { BlobSpec, Piece } from '../wire/blob.ts';
export type { KernelFile, KernelId, KernelModule, Platform } from '../wire/kernels.ts';
export { Agent, type AgentParts, type Taken } from './agent/agent.ts';
export { bundleLoader } from './agent/bundle-loader.ts';
export type { PieceSource } from './agent/fetch.ts';
export { folderSource } from './agent/folder-source.ts';
export type { Answered, ModelHost, Serving } from './agent/host.ts';
export type { Failure, Outcome } from './agent/ledger.ts';
export type { LoadedModel, ModelLoader, NamedTensorType, Signature, Tensors } from './agent/model.ts';
export { type DeviceState, describePlan, plan, type Step, type StepName } from './agent/planner.ts';
export type { ModelClient } from './client/model-client.ts';
export { connectModel } from './client/socket-client.ts';
export { Engine, type EngineOptions } from './engine/engine.ts';
export { NativeEngine, type NativeKernels, type ResidentWeights } from './engine/native.ts';
export { type DotProbe, probeDot7 } from './engine/probe.ts';
export { WasmEngine } from './engine/wasm.ts';
export { preferredVariant, wasmKernels } from './engine/wasm-kernels.ts';
export type { DeviceFileSystem, OpenFile } from './fs/file-system.ts';
export { NodeDeviceFileSystem } from './fs/node.ts';
export { type HostProbe, type ProbeOptions, probeHost } from './probe.ts';
export { type AgentConfig, parseConfig } from './service/config.ts';
export { jsonLog, type Log } from './service/log.ts';
export { type Device, openDevice, type Surroundings } from './service/service.ts';
export { type SlotContent, type SlotState, Slots } from './store/slots.ts';
export type { MetadataSource } from './trust/source.ts';
export { type MetadataVersions, Trust, type TrustOptions } from './trust/trust.ts';
