import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { byteLength } from '../util/tensor.ts';
import type { Program } from '../wire/program.ts';
import { type CostStep, createCostModel, type LatencyEstimate, type Sourced, worstOrigin } from './cost.ts';
import { codeBytes, STACK_BYTES } from './firmware/size.ts';
import { measureGraph } from './graph-size.ts';
import type { PlannedProgram } from './index.ts';
import { type Profile, provenanceOf, type RuntimeKind } from './profile.ts';

export interface FitOptions {
  /** How the program will run; the profile's first runtime when absent. */
  readonly runtime?: RuntimeKind;
  /** Memory of this very board where it is sold with several sizes; the smallest when absent. */
  readonly memoryBytes?: number;
  readonly threads?: number;
  /** Limit of one run, milliseconds; no verdict on latency when absent. */
  readonly maxLatencyMs?: number;
}

/** Sizes that a program does not know: the archive and its entropy-coded weights. */
export interface BundleSizes {
  readonly bundleBytes: number;
  readonly weightWireBytes: number;
}

/** What a program does not know of its steps: names of the nodes that multiply 16-bit activations. */
export type WideNodes = ReadonlySet<string>;

export type Limit = 'storage' | 'ram' | 'latency';

export interface LimitCheck {
  readonly limit: Limit;
  readonly ok: boolean;
  /** Bytes, or milliseconds for latency. */
  readonly need: Sourced;
  /** null when the board sets no limit. */
  readonly have: Sourced | null;
  /** The layer that decides: where memory peaks, where the weights pass the limit, the slowest step. */
  readonly at: { readonly layer: string; readonly step: number; readonly why: string } | null;
}

export interface FitReport {
  readonly model: string;
  readonly target: string;
  readonly runtime: RuntimeKind;
  readonly fits: boolean;
  readonly checks: readonly LimitCheck[];
  /** What the RAM is needed for. */
  readonly ram: readonly { readonly part: string; readonly bytes: Sourced }[];
  readonly latency: LatencyEstimate;
}

/** What a verdict is made of, from a program or from a graph that is not compiled yet. */
interface Measures {
  readonly name: string;
  readonly steps: readonly (CostStep & { readonly node: string })[];
  readonly weights: readonly { readonly layer: string; readonly bytes: number }[];
  readonly weightBytes: Sourced;
  readonly arenaBytes: Sourced;
  /** Live activations during each step, bytes. */
  readonly liveBytes: readonly number[];
  readonly bundleBytes: Sourced;
  /** Of a program that is firmware: kernels, and what they need in RAM beside the arena. */
  readonly firmware?: { readonly code: Sourced; readonly state: Sourced };
}

const KB = 1024;
const MB = 1024 * KB;

/** What runs the program, beside its weights and arena. */
const RUNTIME_BYTES: Readonly<Record<RuntimeKind, Sourced>> = {
  wasm: {
    value: 50 * MB,
    origin: 'estimated',
    why: 'bare Node.js took 41 MB on x86-64; engine, module and buffers the rest',
  },
  native: {
    value: 50 * MB,
    origin: 'estimated',
    why: 'bare Node.js took 41 MB on x86-64; engine, library and buffers the rest',
  },
  firmware: {
    value: 4 * KB,
    origin: 'estimated',
    why: 'state of the library; stacks and drivers are in what the board reserves',
  },
};
const FIRMWARE_CODE: Sourced = { value: 30 * KB, origin: 'estimated', why: 'kernels of a small network in Thumb-2' };

/** Verdict on a compiled program: storage, RAM and, with a limit, latency. Throws nothing; see `doesNotFit`. */
export function fitProgram(
  program: Program,
  sizes: BundleSizes,
  profile: Profile,
  { wide, ...options }: FitOptions & { readonly wide?: WideNodes } = {},
): FitReport {
  const threads = options.threads ?? 1;
  const exact = (value: number, why: string): Sourced => ({ value, origin: 'exact', why });
  return judge(
    {
      name: program.name,
      steps: program.steps.map((s) => ({ ...s, wide: wide?.has(s.node) === true })),
      weights: program.weights.map((w) => ({ layer: w.name, bytes: w.bytes })),
      weightBytes: exact(program.weightBytes, 'resident weights of the program'),
      arenaBytes: exact(
        program.arenaBytes + program.scratchBytes * threads,
        'arena and scratch as planned by the compiler',
      ),
      liveBytes: liveBytes(program),
      bundleBytes: exact(
        sizes.bundleBytes,
        `the bundle, ${formatBytes(sizes.weightWireBytes)} of it weights on the wire`,
      ),
    },
    profile,
    options,
  );
}

/**
 * Verdict on a program as firmware (planFirmware): constants, arena and scratch are exact, code and stack bounded. Constants and code
 * are one image; where it is not executed in place, the board holds it in RAM.
 */
export function fitFirmware(planned: PlannedProgram, profile: Profile, options: FitOptions = {}): FitReport {
  const { program } = planned;
  const exact = (value: number, why: string): Sourced => ({ value, origin: 'exact', why });
  const code: Sourced = { value: codeBytes(planned), origin: 'estimated', why: 'at most, for GCC with -Os in Thumb-2' };
  const weightBytes = exact(program.weightBytes, 'constants as the kernels read them');
  return judge(
    {
      name: program.name,
      steps: program.steps,
      weights: program.weights.map((w) => ({ layer: w.name, bytes: w.bytes })),
      weightBytes,
      arenaBytes: exact(program.arenaBytes + program.scratchBytes, 'the one static array of the library'),
      liveBytes: liveBytes(program),
      bundleBytes: sum([weightBytes, code], 'constants and kernels of the library'),
      firmware: { code, state: { value: STACK_BYTES, origin: 'estimated', why: 'stack of the library, at most' } },
    },
    profile,
    { ...options, runtime: 'firmware' },
  );
}

/** Estimate for a normalized graph that is not compiled yet. Throws EW3102_OP_UNSUPPORTED for a node without a kernel. */
export function fitGraph(graph: Graph, profile: Profile, options: FitOptions = {}): FitReport {
  const size = measureGraph(graph);
  const weightBytes = size.weights.reduce((n, w) => n + w.bytes, 0);
  const estimated = (value: number, why: string): Sourced => ({ value, origin: 'estimated', why });
  return judge(
    {
      ...size,
      name: graph.name,
      weightBytes: estimated(weightBytes, 'constants of the graph as they are now'),
      arenaBytes: estimated(Math.max(0, ...size.liveBytes), 'largest sum of live tensors: a lower bound of the arena'),
      bundleBytes: estimated(weightBytes, 'constants of the graph as they are now, before entropy coding'),
    },
    profile,
    options,
  );
}

/** The error that goes with a negative report: the first broken limit, by how much, and at which layer. */
export function doesNotFit(report: FitReport): EigenError {
  const broken = report.checks.filter((c) => !c.ok);
  const worst = broken[0];
  if (worst === undefined) throw new TypeError(`${report.model} fits ${report.target}`);
  return new EigenError(
    'EW2003_DOES_NOT_FIT',
    `${report.model} does not fit ${report.target}: ${broken.map(describe).join('; ')}`,
    {
      hint: HINTS[worst.limit],
      details: { target: report.target, runtime: report.runtime, checks: report.checks },
    },
  );
}

const HINTS: Readonly<Record<Limit, string>> = {
  storage: 'compress to a smaller --budget, or choose a board with more storage',
  ram: 'compress to fewer resident bytes (--max-ram), use a smaller input, or choose a board with more memory',
  latency: 'allow more threads, compress to fewer bits, or choose a faster board',
};

function describe(c: LimitCheck): string {
  const format = c.limit === 'latency' ? (v: number) => `${v.toPrecision(3)} ms` : formatBytes;
  const have = c.have?.value ?? 0;
  const where = c.at === null ? '' : `, ${c.at.why} '${c.at.layer}' (step ${c.at.step})`;
  return `${c.limit} needs ${format(c.need.value)}, limit ${format(have)}, ${format(c.need.value - have)} too much${where}`;
}

/** 1.50 MB, 30.0 KB, 12 bytes: units of 1024. */
function formatBytes(n: number): string {
  if (Math.abs(n) < KB) return `${n} bytes`;
  return Math.abs(n) < MB ? `${(n / KB).toPrecision(3)} KB` : `${(n / MB).toFixed(2)} MB`;
}

function judge(m: Measures, profile: Profile, options: FitOptions): FitReport {
  const runtime = options.runtime ?? profile.runtimes[0]!;
  const latency = createCostModel(profile, { runtime }).estimate(m.steps, { threads: options.threads ?? 1 });
  const inPlace = runtime === 'firmware' && profile.storage.executeInPlace;
  const ram = [
    ...(inPlace ? [] : [{ part: 'weights', bytes: m.weightBytes }]),
    { part: 'arena', bytes: m.arenaBytes },
    { part: m.firmware ? 'stack' : 'runtime', bytes: m.firmware?.state ?? RUNTIME_BYTES[runtime] },
  ];
  const checks = [
    checkStorage(m, profile, inPlace),
    checkRam(
      m,
      profile,
      ram.map((r) => r.bytes),
      inPlace,
      options.memoryBytes,
    ),
    checkLatency(latency, options.maxLatencyMs),
  ];
  return { model: m.name, target: profile.id, runtime, fits: checks.every((c) => c.ok), checks, ram, latency };
}

function checkStorage(m: Measures, profile: Profile, inPlace: boolean): LimitCheck {
  const { storage } = profile;
  const code = m.firmware?.code ?? FIRMWARE_CODE;
  const need = inPlace
    ? sum([m.weightBytes, code], 'weights as the kernels read them, and the kernels')
    : m.bundleBytes;
  const medium = storage.bytes === null ? null : storage.bytes - storage.reservedBytes;
  const limit = storage.modelPartitionBytes ?? medium;
  if (limit === null) return { limit: 'storage', ok: true, need, have: null, at: null };
  const path = storage.modelPartitionBytes !== null ? 'storage.modelPartitionBytes' : 'storage.bytes';
  const ok = need.value <= limit;
  const spare = inPlace ? limit - code.value : limit;
  return { limit: 'storage', ok, need, have: fromProfile(profile, path, limit), at: ok ? null : crossing(m, spare) };
}

function checkRam(
  m: Measures,
  profile: Profile,
  parts: readonly Sourced[],
  inPlace: boolean,
  memoryBytes: number | undefined,
): LimitCheck {
  const { memory } = profile;
  const total = memoryBytes ?? memory.totalBytes[0]!;
  const limit = total + (memory.external?.bytes ?? 0) - memory.reservedBytes;
  const need = sum(parts, parts.map((p) => p.why).join('; '));
  const weights = inPlace ? 0 : m.weightBytes.value;
  const others = need.value - m.arenaBytes.value - weights;
  const at = !inPlace && weights + others > limit ? crossing(m, limit - others) : peak(m);
  return { limit: 'ram', ok: need.value <= limit, need, have: fromProfile(profile, 'memory.totalBytes', limit), at };
}

function checkLatency(latency: LatencyEstimate, maxMs: number | undefined): LimitCheck {
  const slowest = latency.steps.reduce((best, s, i) => (s.ms > (latency.steps[best]?.ms ?? 0) ? i : best), 0);
  const step = latency.steps[slowest];
  const at =
    step === undefined ? null : { layer: step.node, step: slowest, why: `slowest, ${step.bound}-bound, is layer` };
  const have: Sourced | null =
    maxMs === undefined ? null : { value: maxMs, origin: 'exact', why: 'the limit you gave' };
  return { limit: 'latency', ok: maxMs === undefined || latency.ms.value <= maxMs, need: latency.ms, have, at };
}

/** The layer at which the weights, in order, pass a number of bytes. */
function crossing(m: Measures, limit: number): LimitCheck['at'] {
  let used = 0;
  for (const [step, w] of m.weights.entries()) {
    used += w.bytes;
    if (used > limit) return { layer: w.layer, step, why: 'the weights pass the limit at' };
  }
  return null;
}

function peak(m: Measures): LimitCheck['at'] {
  let step = 0;
  m.liveBytes.forEach((b, i) => {
    if (b > m.liveBytes[step]!) step = i;
  });
  const node = m.steps[step]?.node;
  return node === undefined ? null : { layer: node, step, why: 'activations peak at layer' };
}

/** Live bytes during each step: what exists before it or after it, bytes that two values share counted once. */
function liveBytes(program: Program): number[] {
  return program.steps.map((step, i) => {
    const after = program.steps[i + 1]?.live ?? program.outputs;
    const slots = [...step.live, ...after].sort((a, b) => a.offset - b.offset);
    let bytes = 0;
    let end = 0;
    for (const s of slots) {
      const last = s.offset + byteLength(s);
      bytes += Math.max(0, last - Math.max(end, s.offset));
      end = Math.max(end, last);
    }
    return bytes;
  });
}

function sum(parts: readonly Sourced[], why: string): Sourced {
  return { value: parts.reduce((n, p) => n + p.value, 0), origin: worstOrigin(...parts.map((p) => p.origin)), why };
}

/** A limit from the profile: exact when documented or probed, estimated otherwise. */
function fromProfile(profile: Profile, path: string, value: number): Sourced {
  const from = provenanceOf(profile, path);
  const sure = from !== undefined && ['verified', 'datasheet', 'measured'].includes(from.confidence);
  const note = from?.note === undefined ? '' : `: ${from.note}`;
  const why = `profile ${profile.id}, ${path} less what is reserved (${from?.source}, ${from?.confidence}${note})`;
  return { value, origin: sure ? 'exact' : 'estimated', why };
}
