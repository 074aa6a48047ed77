/** Deltas between bundles: make one on the host, apply it on a device. */
export { applyDelta, type DeltaRequest, type DeltaResult } from './apply.ts';
export { type DeltaReport, makeDelta } from './make.ts';
