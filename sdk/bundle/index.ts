/** Bundles (.ewb): pack, verify, describe, install; chunks and deltas for updates. */
export { type ByteSource, type ByteTarget, bytesSource, verifyArchive } from './archive.ts';
export { BundleAssembly } from './assembly.ts';
export { type Chunk, type ChunkIndex, decodeIndex, encodeIndex, indexBundle, newChunks } from './chunks.ts';
export { applyDelta, type DeltaReport, type DeltaRequest, type DeltaResult, makeDelta } from './delta/index.ts';
export { type BundleDescription, breakdownOf, describeBundle, type WeightBreakdown } from './describe.ts';
export { type InstalledBundle, installBundle, openInstalled } from './install.ts';
export {
  FORMAT_VERSION,
  type Golden,
  type Json,
  type Manifest,
  manifestSchema,
  type Part,
  type Segment,
} from './manifest.ts';
export type { PartRole } from './names.ts';
export {
  type Bundle,
  goldenInputsOf,
  graphOf,
  installWeights,
  kernelIds,
  kernelSourceOf,
  kernelsFor,
  type OpenOptions,
  openBundle,
  type Received,
  readBundle,
  reportOf,
  weightTensorsOf,
} from './open.ts';
export { type BundleSpec, packBundle, writeBundle } from './pack.ts';
export { describeBlob } from './pieces.ts';
