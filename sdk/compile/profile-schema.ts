import * as v from 'valibot';
import { nearest } from '../util/nearest.ts';

/**
 * The shape of profiles/*.json. Units are in the field names: Bytes, KB (1024 bytes), MHz, GBps (10^9 bytes/s),
 * GMACps (10^9 multiply-accumulates/s), W, Ms. profiles/schema.json is this schema as JSON Schema, kept equal by a test.
 */

/** An object without unknown keys; a misspelt key is answered with the nearest known one. */
function strict<const E extends v.ObjectEntries>(entries: E) {
  return v.strictObject(entries, (issue) => {
    const key = String(issue.path?.at(-1)?.key ?? '');
    if (issue.expected !== 'never') return `expected ${issue.expected}, got ${issue.received}`;
    const guess = nearest(key, Object.keys(entries));
    return `unknown key${guess === undefined ? `, known are ${Object.keys(entries).join(', ')}` : `, did you mean '${guess}'?`}`;
  });
}

const positive = v.pipe(v.number(), v.gtValue(0));
const bytes = v.pipe(v.number(), v.integer(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const text = v.pipe(v.string(), v.minLength(1));
const bits = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(32));
const unknownOr = <S extends v.GenericSchema>(s: S) => v.nullable(s);

export const CONFIDENCES = ['verified', 'datasheet', 'benchmark', 'measured', 'estimate', 'unverified'] as const;
export const PRECISIONS = ['fp32', 'fp16', 'int8'] as const;
export const RUNTIMES = ['wasm', 'native', 'firmware'] as const;
export const FAMILIES = ['jetson', 'raspberry-pi', 'coral', 'host'] as const;
export const FEATURES = [
  'neon',
  'crypto',
  'dotprod',
  'fp16',
  'bf16',
  'i8mm',
  'sve',
  'dsp',
  'mve',
  'fpu-sp',
  'fpu-dp',
  'sse4.1',
  'avx2',
  'fma',
  'avx-vnni',
  'avx512',
  'avx512-vnni',
] as const;

/** verified: read in the vendor's documentation; unverified: common knowledge, not checked; estimate: derived by us, see the note. */
const provenance = strict({ source: text, confidence: v.picklist(CONFIDENCES), note: v.optional(text) });

const cluster = strict({
  core: text,
  count,
  clockMHz: positive,
  l1iKB: unknownOr(bytes),
  l1dKB: unknownOr(bytes),
  l2KB: unknownOr(bytes),
  /** True when all cores of the cluster share the l2KB, false when l2KB is the sum of private caches. */
  l2Shared: v.boolean(),
  l3KB: unknownOr(bytes),
  vectorBits: v.pipe(v.number(), v.integer(), v.minValue(0)),
  vectorRegisters: v.pipe(v.number(), v.integer(), v.minValue(0)),
  features: v.array(v.picklist(FEATURES)),
});

const cpu = strict({
  arch: v.picklist(['aarch64', 'x86_64', 'thumb', 'other']),
  isa: text,
  clusters: v.pipe(v.array(cluster), v.minLength(1)),
});

const memory = strict({
  type: text,
  /** Sizes the board is sold with, ascending; the smallest counts unless the caller says otherwise. */
  totalBytes: v.pipe(v.array(count), v.minLength(1)),
  /** Operating system, stacks and drivers: not for the model and its runtime. */
  reservedBytes: bytes,
  peakGBps: unknownOr(positive),
  measuredGBps: unknownOr(positive),
  /** Slower memory outside the chip (microcontrollers). */
  external: v.optional(strict({ type: text, bytes: count })),
});

const storage = strict({
  kind: v.picklist(['microsd', 'emmc', 'nvme', 'qspi-nor', 'nand', 'filesystem']),
  /** Size of the medium; null when the owner chooses it (microSD, NVMe). */
  bytes: unknownOr(count),
  reservedBytes: bytes,
  /** Limit of a partition for models, when there is one. */
  modelPartitionBytes: unknownOr(count),
  /** True when constants are read in place and need no RAM. */
  executeInPlace: v.boolean(),
  readMBps: unknownOr(positive),
  note: v.optional(text),
});

const gpu = strict({
  kind: v.literal('gpu'),
  name: text,
  arch: v.optional(text),
  cudaCores: v.optional(count),
  tensorCores: v.optional(count),
  clockMHz: v.optional(positive),
  fp16Gflops: v.optional(positive),
  int8: v.boolean(),
  int8TopsSparse: v.optional(positive),
  int8TopsDense: v.optional(positive),
  sharedMemoryPerSmKB: v.optional(positive),
  l2KB: v.optional(positive),
  weightOnlyBits: v.optional(v.array(bits)),
  note: v.optional(text),
});

const dla = strict({ kind: v.literal('dla'), name: text, count, precisions: v.array(v.picklist(PRECISIONS)) });

const edgetpu = strict({
  kind: v.literal('edgetpu'),
  name: text,
  count,
  int8Tops: positive,
  powerW: positive,
  sramBytes: count,
  /** Weights beyond this are streamed over the link on every run. */
  weightCacheBytes: count,
  link: text,
  streamMBps: unknownOr(positive),
  constraints: v.array(text),
  operators: v.array(text),
  note: v.optional(text),
});

const mcu = strict({ kind: v.literal('mcu'), core: text, clockMHz: v.optional(positive) });

const weightBits = strict({
  /** Code widths a bundle for this board may carry. */
  storage: v.array(bits),
  /** Code widths its CPU kernels read. */
  kernels: v.array(bits),
  gpu: v.optional(v.array(bits)),
  edgetpu: v.optional(v.array(bits)),
});

const toolchain = strict({
  triple: text,
  compiler: text,
  flags: v.array(text),
  qemu: unknownOr(text),
  cuda: v.optional(text),
  note: v.optional(text),
});

const power = strict({ supply: text, minW: unknownOr(positive), maxW: unknownOr(positive) });

/** A faster mode the owner can switch on; only the fields it changes. */
const mode = strict({
  name: text,
  cpuClockMHz: v.optional(positive),
  gpuClockMHz: v.optional(positive),
  int8TopsSparse: v.optional(positive),
  peakGBps: v.optional(positive),
  minW: v.optional(positive),
  maxW: v.optional(positive),
});

const published = {
  tool: text,
  /** What computed: the cpu, the gpu, the edgetpu, or another board's cpu that is close (neighbour). */
  device: v.picklist(['cpu', 'gpu', 'edgetpu', 'neighbour']),
  precision: v.picklist(PRECISIONS),
  threads: unknownOr(count),
  source: text,
  confidence: v.picklist(CONFIDENCES),
  note: v.optional(text),
};

/** Published latencies, batch 1, by network name; rows with `calibrates` fit the cost model. */
const latency = strict({ ...published, calibrates: v.boolean(), ms: v.record(text, positive) });
/** Published speeds of other units, e.g. tokens/s. */
const throughput = strict({ ...published, unit: text, values: v.record(text, positive) });
/** Achieved rates that follow from the published latencies: 3x3-dominated networks and pointwise/depthwise mixes. */
const effectiveRate = strict({ ...published, GMACps: v.record(text, positive) });

const common = {
  $schema: v.optional(v.string()),
  schemaVersion: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]*$/, 'expected lower-case letters, digits and dashes')),
  name: text,
  family: v.picklist(FAMILIES),
  weightBits,
  activationBits: v.pipe(v.array(bits), v.minLength(1)),
  accelerators: v.array(v.variant('kind', [gpu, dla, edgetpu, mcu])),
  latencies: v.array(latency),
  throughputs: v.array(throughput),
  effectiveRates: v.array(effectiveRate),
  power: unknownOr(power),
  notes: v.array(text),
  /** Where numbers come from, by field path (`cpu.clusters`, `memory.peakGBps`); the longest path that covers a field holds. */
  provenance: v.record(text, provenance),
  /** Citations of the source ids. */
  sources: v.record(text, text),
};

/** A board that runs programs. */
export const boardSchema = strict({
  form: v.literal('board'),
  ...common,
  soc: text,
  cpu,
  memory,
  storage,
  toolchain,
  runtimes: v.pipe(v.array(v.picklist(RUNTIMES)), v.minLength(1)),
  modes: v.array(mode),
});

/** An accelerator without a CPU of its own: CPU, memory and storage come from the board that carries it. */
export const accessorySchema = strict({ form: v.literal('accessory'), ...common, carrier: text });

/** The machine at hand: policy here, numbers from a probe at run time. */
export const probedSchema = strict({
  form: v.literal('probed'),
  ...common,
  toolchain,
  runtimes: v.pipe(v.array(v.picklist(RUNTIMES)), v.minLength(1)),
  memoryReservedBytes: bytes,
  storageReservedBytes: bytes,
});

export const profileFileSchema = v.variant('form', [boardSchema, accessorySchema, probedSchema]);

export type ProfileFile = v.InferOutput<typeof profileFileSchema>;
export type AccessoryFile = v.InferOutput<typeof accessorySchema>;
export type ProbedFile = v.InferOutput<typeof probedSchema>;
/** A complete target description: what the compiler, the allocator, the cost model and `fit` read. */
export type Profile = Omit<v.InferOutput<typeof boardSchema>, '$schema' | 'form' | 'schemaVersion'>;
export type Provenance = v.InferOutput<typeof provenance>;
export type Confidence = Provenance['confidence'];
export type Precision = (typeof PRECISIONS)[number];
export type RuntimeKind = (typeof RUNTIMES)[number];
export type CpuCluster = Profile['cpu']['clusters'][number];
export type CpuFeature = CpuCluster['features'][number];
export type Accelerator = Profile['accelerators'][number];
