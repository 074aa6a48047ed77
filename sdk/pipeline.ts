import { TARGETS } from '../targets/index.ts';
import { packBundle } from './bundle/index.ts';
import { blockBytesOf } from './compile/blocks.ts';
import { createCostModel } from './compile/cost.ts';
import { type FitReport, fitFirmware, fitProgram } from './compile/fit.ts';
import { wideNodesOf } from './compile/graph-size.ts';
import { type CompiledProgram, compileGraph, planFirmware, planProgram, samePlan } from './compile/index.ts';
import { loadProfile, type Profile, type RuntimeKind } from './compile/profile.ts';
import type { Target } from './compile/target.ts';
import { COMPILER_SETTING } from './compile/toolchains/compiler.ts';
import {
  type CalibrationData,
  type CompressOptions,
  type CompressResult,
  codeCaches,
  compress,
  type FootprintOf,
  type Runner,
} from './compress/index.ts';
import { contentsOf, provedOn } from './contents.ts';
import { probeHost } from './device/probe.ts';
import type { Graph } from './ir/graph.ts';
import { normalize } from './ir/passes/index.ts';
import { loadModel, modelDigest } from './model/sniff.ts';
import { wasmRunner } from './runner.ts';
import { nativeBlocks, wasmBlocks } from './tune-here.ts';
import { EigenError } from './util/errors.ts';
import { collectGarbage } from './util/garbage.ts';
import type { Progress } from './util/progress.ts';
import { byteLength, tensor } from './util/tensor.ts';
import type { KernelModule } from './wire/kernels.ts';

/** Every board has Node, and so WebAssembly. */
const RUNTIME: Target = TARGETS[0]!;

/** A model file and how its open ends are tied. */
export interface ModelRequest {
  readonly path: string;
  /** Sizes of dynamic dimensions by name; the batch is 1 unless given. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that become constants. */
  readonly set?: Readonly<Record<string, number>>;
}

/** How work reports and stops. */
export interface Work {
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  readonly threads?: number;
  /** The user's own compiler for native kernels, with its arguments. */
  readonly toolchain?: string | undefined;
}

/** A model read and normalized: what is compressed and compiled. */
export interface Model {
  readonly request: ModelRequest;
  readonly graph: Graph;
  readonly sha256: string;
  /** fp32 bytes of the weights as the file has them: the basis of `8x`. */
  readonly originalBytes: number;
}

/** How a graph is compressed on the way; a float bundle has none. */
export interface Compression {
  readonly data: CalibrationData;
  readonly options: CompressOptions;
}

export interface Built {
  readonly bytes: Uint8Array;
  readonly compiled: CompiledProgram;
  /** What compression did; absent without it. */
  readonly compressed?: CompressResult;
  /** The weight stream in the bundle. */
  readonly weightWireBytes: number;
  readonly fit: FitReport;
  readonly native: NativeBuild;
}

/** How WebAssembly kernels are compiled. What they compute is the same. */
export const KERNEL_EFFORTS = ['auto', 'quick', 'optimized'] as const;

/** `quick` ones are there at once; `optimized` ones run faster and take seconds; `auto`: quick for the smallest networks. */
export type KernelEffort = (typeof KERNEL_EFFORTS)[number];

/** How kernels are made. */
export interface KernelChoice {
  /** Sizes of blocks are timed on this machine: the bundle's outputs stay the same, its kernels depend on what was found. */
  readonly tune?: boolean | undefined;
  /** `auto` by default. */
  readonly kernels?: KernelEffort | undefined;
}

/** What became of the native kernels. */
export interface NativeBuild {
  /** Variants in the bundle, `platform variant`. */
  readonly kernels: readonly string[];
  /** The compiler that made them, or why there are none. */
  readonly note: string;
}

/** Model file -> graph: read, normalized. */
export async function openModel(request: ModelRequest): Promise<Model> {
  const set = Object.entries(request.set ?? {}).map(([name, value]) => [name, tensor('f64', [], [value])]);
  const imported = loadModel(request.path, { fixed: Object.fromEntries(set), dims: request.dims ?? {} });
  const graph = normalize(imported);
  // Folding removes weights and can also expand them; the smaller count is the honest basis of a ratio.
  const originalBytes = Math.min(floatBytes(imported), floatBytes(graph));
  return { request, graph, sha256: modelDigest(request.path), originalBytes };
}

/** A model whose caches of keys and values are int8 codes, and the data that fits it. Throws EW1001_USAGE when it has none. */
export async function withCodedCaches(
  model: Model,
  data: CalibrationData,
  work: Work,
): Promise<{ readonly model: Model; readonly data: CalibrationData }> {
  work.progress?.({ stage: 'caches', done: 0, total: 1 });
  const coded = await codeCaches(model.graph, data, engineRunner(work));
  work.progress?.({ stage: 'caches', done: 1, total: 1 });
  return { model: { ...model, graph: coded.graph }, data: coded.data };
}

/** Graph -> bundle: compressed where asked for, compiled, proved on golden inputs by running it, packed. */
export async function buildBundle(
  model: Model,
  profile: Profile,
  compression: Compression | undefined,
  work: Work = {},
  choice: KernelChoice = {},
): Promise<Built> {
  const { progress = () => {}, signal } = work;
  const compressed =
    compression &&
    (await compress(model.graph, compression.data, compression.options, engineRunner(work), progress, signal));
  const graph = compressed?.graph ?? model.graph;
  progress({ stage: 'compile', done: 0, total: 1 });
  const [portable, { modules, ...native }] = await kernelsOfAll(graph, profile, {
    tune: choice.tune === true,
    quick: isQuick(model, choice.kernels),
    compact: isLimited(compression?.options),
    toolchain: work.toolchain,
  });
  const compiled = { ...portable, modules: [...portable.modules, ...modules] };
  progress({ stage: 'compile', done: 1, total: 1 });
  signal?.throwIfAborted();
  const golden = await provedOn(compiled, compression?.data);
  progress({ stage: 'pack', done: 0, total: 1 });
  const { dims = {}, set = {} } = model.request;
  const seed = compression?.options.seed ?? 0;
  const origin = { model: { name: graph.name, sha256: model.sha256 }, profile, bindings: { dims, set }, seed };
  const contents = contentsOf(origin, graph, compiled, compressed?.report);
  const bytes = packBundle({ ...contents, golden });
  progress({ stage: 'pack', done: 1, total: 1 });
  const weightWireBytes = contents.weights.length;
  const runtime = runtimeWith(profile, native.kernels.length > 0);
  const fit = isFirmware(profile)
    ? fitFirmware(planFirmware(graph), profile)
    : fitProgram(compiled.program, { bundleBytes: bytes.length, weightWireBytes }, profile, {
        runtime,
        wide: wideNodesOf(graph),
      });
  return { bytes, compiled, ...(compressed ? { compressed } : {}), weightWireBytes, fit, native };
}

/** Whether memory is limited: then none of it is for speed. */
function isLimited(options: CompressOptions | undefined): boolean {
  return options?.maxRamBytes !== undefined || options?.residentBudgetBytes !== undefined;
}

/** Below so many weights a compression is over before its kernels are optimized, which takes some seconds for a network of any size. */
const TINY_WEIGHTS = 100_000;

function isQuick({ originalBytes }: Model, kernels: KernelEffort = 'auto'): boolean {
  return kernels === 'auto' ? originalBytes < 4 * TINY_WEIGHTS : kernels === 'quick';
}

interface KernelRequest {
  readonly tune: boolean;
  readonly quick: boolean;
  readonly compact: boolean;
  readonly toolchain: string | undefined;
}

/** The compiler for WebAssembly takes 300 MB, the one beside it 100: both at one time where this process has no more than so many bytes. What is timed has the machine to itself. */
const ROOM_FOR_BOTH = 125e6;

type NativeKernels = NativeBuild & { readonly modules: readonly KernelModule[] };

/** The program with its portable kernels, and the native ones. */
async function kernelsOfAll(
  graph: Graph,
  profile: Profile,
  request: KernelRequest,
): Promise<[CompiledProgram, NativeKernels]> {
  const { tune, quick, compact } = request;
  const together = !tune && process.memoryUsage.rss() < ROOM_FOR_BOTH;
  const portable = compileGraph(graph, RUNTIME, {
    blockBytes: blockBytesOf(profile),
    compact,
    quick,
    ...(tune ? { blocks: await wasmBlocks(graph, RUNTIME) } : {}),
  });
  if (!together) {
    await portable;
    RUNTIME.rest?.();
  }
  return Promise.all([portable, nativeKernels(graph, profile, request, portable)]);
}

/** Kernels for the board's own processor, where there is a target for it and a compiler. */
async function nativeKernels(
  graph: Graph,
  profile: Profile,
  { tune, compact, toolchain }: KernelRequest,
  portable: Promise<CompiledProgram>,
): Promise<NativeKernels> {
  const target = nativeTarget(profile);
  const none = { modules: [], kernels: [] };
  if (isFirmware(profile)) return { ...none, note: 'its kernels are C, which eigenweights firmware writes' };
  if (!target) return { ...none, note: `no native kernels are made for ${profile.id}` };
  await checkToolchain(profile, toolchain);
  const compiler = await target.toolchain(toolchain);
  if (compiler === undefined) return { ...none, note: `${missing(target)}, eigenweights doctor says what to do` };
  const variants = target.variantsFor?.(profile);
  const { modules, program } = await compileGraph(graph, target, {
    blockBytes: blockBytesOf(profile),
    compact,
    toolchain,
    ...(variants ? { variants } : {}),
    ...(tune ? { blocks: await nativeBlocks(graph, target) } : {}),
  });
  if (!samePlan(program, (await portable).program)) throw new Error(`target ${target.id} has a program of its own`);
  return { modules, kernels: modules.map((m) => `${m.platform} ${m.variant}`), note: compiler };
}

/** Why there is no compiler: one that the user named counts alone. */
function missing({ platform }: Target): string {
  const own = process.env[COMPILER_SETTING]?.trim();
  return own ? `'${own}', which ${COMPILER_SETTING} names, does not answer` : `no compiler for ${platform} was found`;
}

/** Throws EW5001_TOOL_MISSING where native kernels are to be made by a compiler that is not there. */
export async function checkToolchain(profile: Profile, toolchain: string | undefined): Promise<void> {
  const target = toolchain === undefined || isFirmware(profile) ? undefined : nativeTarget(profile);
  if (!target || (await target.toolchain(toolchain)) !== undefined) return;
  throw new EigenError('EW5001_TOOL_MISSING', `the compiler '${toolchain}' does not answer`, {
    hint: 'Check the name and that it is in the PATH.',
  });
}

/** What compiles kernels for a board's own processor. */
export function nativeTarget(profile: Profile): Target | undefined {
  return TARGETS.find((t) => t !== RUNTIME && t.serves(profile));
}

/** Whether a board's programs are C that is linked into its firmware. */
function isFirmware(profile: Profile): boolean {
  return profile.runtimes[0] === 'firmware';
}

/** Runs graphs as devices will: for compression and evaluation. */
export function engineRunner({ threads }: Work): Runner {
  return wasmRunner({ target: RUNTIME, ...(threads ? { threads } : {}) });
}

/** How a bundle made here will run on a board. */
export async function runtimeOn(profile: Profile, toolchain: string | undefined): Promise<RuntimeKind> {
  const target = isFirmware(profile) ? undefined : nativeTarget(profile);
  return runtimeWith(profile, (await target?.toolchain(toolchain)) !== undefined);
}

/** How a bundle runs on a board when nobody says how. */
export function runtimeWith(profile: Profile, nativeKernels: boolean): RuntimeKind {
  return nativeKernels && profile.runtimes.includes('native') ? 'native' : profile.runtimes[0]!;
}

/** Memory and time of graphs on a board, one thread, planned without building their kernels. */
export function footprintOn(profile: Profile, runtime: RuntimeKind): FootprintOf {
  const model = createCostModel(profile, { runtime });
  return (graph) => {
    const { program } = isFirmware(profile)
      ? planFirmware(graph)
      : planProgram(graph, RUNTIME.vectors, { blockBytes: blockBytesOf(profile), compact: true });
    const { weightBytes, arenaBytes, scratchBytes } = program;
    const wide = wideNodesOf(graph);
    const steps = program.steps.map((s) => ({ ...s, wide: wide.has(s.node) }));
    const latencyMs = model.estimate(steps).ms.value;
    return { weightBytes, arenaBytes, scratchBytes, latencyMs, msPerByte: 1e-6 / model.constants.bandwidthGBps.value };
  };
}

/** A board's profile; `timed` also times the machine when it is the board. */
export function openProfile(target: string, timed = false): Profile {
  return loadProfile(target, {
    probe: () => {
      const found = probeHost({ measure: timed });
      // What was copied to time the memory is larger than all that follows.
      if (timed) collectGarbage();
      return found;
    },
  });
}

function floatBytes(graph: Graph): number {
  const floats = [...graph.values.values()].filter((v) => v.data && v.type.dtype === 'f32');
  return floats.reduce((bytes, v) => bytes + byteLength(v.type), 0);
}
