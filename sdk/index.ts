/** EigenWeights: compress, compile and run neural networks for edge boards. This module is the public API. */

export { type BenchReport, type BenchRequest, type BenchRow, benchBundle } from './app/bench-bundle.ts';
export {
  BROKER_KINDS,
  type BrokerKind,
  type BrokerRulesRequest,
  brokerRules,
  enrolledDevices,
} from './app/broker-rules.ts';
export {
  buildCompressed,
  buildFloat,
  type CompressedBuild,
  type CompressionPlan,
  type CompressRequest,
  type FloatBuild,
  type FloatRequest,
} from './app/build.ts';
export type { Limits, WireBudget } from './app/compress-options.ts';
export type { InputRange } from './app/data-free.ts';
export { type AppliedDelta, applyDeltaFile, type DeltaFileReport, writeDelta } from './app/delta.ts';
export {
  type DeviceFilter,
  type DeviceReport,
  type FleetDevice,
  listDevices,
  removeDevice,
  revokeDevice,
  showDevice,
  tagDevice,
} from './app/devices.ts';
export { diagnose, type Finding } from './app/doctor.ts';
export { type ExportReport, type ExportRequest, exportBundle } from './app/export.ts';
export { type FirmwareReport, type FirmwareRequest, writeFirmware } from './app/firmware.ts';
export { type FleetAccess, FleetClient } from './app/fleet-client.ts';
export { type FrontierReport, type FrontierRequest, type FrontierRow, measureFrontier } from './app/frontier.ts';
export { type BundleInspection, fitPath, inspectPath, type ModelInspection } from './app/inspect.ts';
export type { KeysReport, KeysRequest, RoleReport } from './app/key-files.ts';
export { type NewKey, newKey, type SignedRoot, signRootFile } from './app/key-holders.ts';
export {
  delegateTo,
  initKeys,
  type RoleOwners,
  type RootOwners,
  revokeKey,
  rotateKeys,
  showKeys,
  signStaged,
} from './app/keys.ts';
export { type BundleProfile, type ProfileRequest, type ProfileRow, profileBundle } from './app/profile-bundle.ts';
export {
  type PublishContent,
  type PublishReport,
  type PublishRequest,
  publishBundle,
  withdrawBundle,
} from './app/publish.ts';
export type { ControllerPlace, PublishWhere } from './app/publish-places.ts';
export {
  type ActionOptions as RolloutActionOptions,
  actOnRollout,
  createRollout,
  describeRollout,
  listRollouts,
  type Preview as RolloutPreview,
  planRollout,
  publishedVersion,
  type RolloutEvent,
  type RolloutInput,
  type RolloutListing,
  type RolloutRequest,
  reportRollout,
  rolloutVerdict,
  type Size as RolloutSize,
  type Summary as RolloutSummary,
  type WatchOptions as RolloutWatchOptions,
  watchRollout,
} from './app/rollouts.ts';
export type { Roof } from './app/roof.ts';
export type { SelfTest } from './app/self-test.ts';
export { type Served, type ServeRequest, serveFleet } from './app/serve.ts';
export {
  type BundleSession,
  ENGINES,
  type EngineName,
  type OpenRequest,
  openSession,
  type SessionRequest,
} from './app/session.ts';
export { type UploadOptions, type UploadReport, uploadBlob } from './app/upload.ts';
export type { Received } from './bundle/index.ts';
export type { LatencyEstimate, Origin, Sourced } from './compile/cost.ts';
export { doesNotFit, type FitOptions, type FitReport, type LimitCheck } from './compile/fit.ts';
export { listProfiles, loadProfile, type Profile, type ProfileSummary } from './compile/profile.ts';
export type {
  CompressionEstimate,
  CompressionReport,
  CompressOptions,
  Constraint,
  FrontierPoint,
  GateResult,
  LayerReport,
  ProgressivePoint,
} from './compress/index.ts';
export { DEFAULT_OPTIONS, ROUND_TO_NEAREST, stagesOf } from './compress/index.ts';
export { readArrays, writeArrays } from './data/arrays.ts';
export { type NamedType, OutputCollector, type SampleArrays, type Samples, samplesOf } from './data/samples.ts';
export { type HostProbe, probeHost } from './device/probe.ts';
export { enrolDevice } from './device/service/enrol.ts';
export { readAgentConfig, runAgent } from './device/service/main.ts';
export { agentUnit } from './device/service/unit.ts';
export {
  type BenchOptions,
  type Contestant,
  compareSpeed,
  type SpeedComparison,
  type Timing,
} from './measure/benchmark.ts';
export {
  type Comparison as MetricComparison,
  type Judge,
  loadMetric,
  type MetricFunction,
} from './measure/metrics/index.ts';
export { type Oracle, type OracleName, openOracle } from './measure/oracle/ort.ts';
export { MATMUL_FORMS, type MatmulForm, WEIGHT_FORMS, type WeightForm } from './model/onnx/export/index.ts';
export {
  type KernelChoice,
  type KernelEffort,
  type Model,
  type ModelRequest,
  type NativeBuild,
  openModel,
  type Work,
} from './pipeline.ts';
export * as report from './report/index.ts';
export { EigenError, type ErrorCode, isEigenError } from './util/errors.ts';
export type { Progress, ProgressEvent } from './util/progress.ts';
export type { DType, Tensor, TensorType } from './util/tensor.ts';
