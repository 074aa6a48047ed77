/** EigenWeights: compress, compile and run neural networks for edge boards. This module is the public API. */
export { listProfiles, loadProfile, type Profile, type ProfileSummary } from './compile/profile.ts';
export { type HostProbe, probeHost } from './device/probe.ts';
export { diagnose, type Finding } from './doctor.ts';
export { type Comparison, type Judge, loadMetric, type MetricFunction } from './metrics/index.ts';
export * as report from './report/index.ts';
export { EigenError, type ErrorCode, isEigenError } from './util/errors.ts';
export type { Progress, ProgressEvent } from './util/progress.ts';
export type { DType, Tensor, TensorType } from './util/tensor.ts';
