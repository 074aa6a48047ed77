/** Float graph and calibration samples in, integer graph within the budgets and a report out. */
export { codeCaches } from './caches.ts';
export { compress } from './compress.ts';
export { type FrontierJob, frontier, type MeasuredPoint } from './frontier.ts';
export { type Constraint, type Footprint, type FootprintOf, memoryOf, ramOf } from './limits.ts';
export { planCompression } from './plan.ts';
export { stagesOf } from './report.ts';
export type { Runner, Session, SessionOptions, Snapshot } from './runner.ts';
export {
  type ConstantSize,
  constantSize,
  estimateInts,
  estimateResident,
  type GraphSize,
  graphSize,
  type IntSizer,
  type ResidentSizer,
} from './size.ts';
export {
  type CalibrationData,
  type CompressionEstimate,
  type CompressionReport,
  type CompressOptions,
  type CompressResult,
  DEFAULT_OPTIONS,
  type Divergence,
  type FrontierPoint,
  type GateResult,
  type LayerReport,
  type ProgressivePoint,
  ROUND_TO_NEAREST,
  type Sample,
  type SampleMetric,
} from './types.ts';
