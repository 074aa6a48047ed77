import { TARGETS } from '../targets/index.ts';
import { type BundleSpec, packBundle } from './bundle/index.ts';
import { type FitReport, fitProgram } from './compile/fit.ts';
import { type CompiledProgram, compileGraph } from './compile/index.ts';
import { loadProfile, type Profile } from './compile/profile.ts';
import type { Target } from './compile/target.ts';
import { makeGolden } from './data/golden.ts';
import type { Samples } from './data/samples.ts';
import { WasmEngine } from './device/engine/wasm.ts';
import { probeHost } from './device/probe.ts';
import type { Graph } from './ir/graph.ts';
import { normalize } from './ir/passes/index.ts';
import { loadModel } from './model/sniff.ts';
import { residentBlock } from './runner.ts';
import { readBytes } from './util/files.ts';
import { sha256 } from './util/hash.ts';
import { packageVersion } from './util/package.ts';
import type { Progress } from './util/progress.ts';
import { byteLength, tensor } from './util/tensor.ts';
import { encodeWeights } from './wire/weights.ts';

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
}

/** A model read and normalized: what is compressed and compiled. */
export interface Model {
  readonly request: ModelRequest;
  readonly graph: Graph;
  readonly sha256: string;
  /** fp32 bytes of the weights as the file has them: the basis of `8x`. */
  readonly originalBytes: number;
}

/** Reads a model file and brings it into the form that is compressed and compiled. */
export async function openModel(request: ModelRequest): Promise<Model> {
  const fixed = Object.fromEntries(
    Object.entries(request.set ?? {}).map(([name, v]) => [name, tensor('f64', [], [v])]),
  );
  const imported = loadModel(request.path, { fixed, ...(request.dims ? { dims: request.dims } : {}) });
  const graph = normalize(imported);
  // Folding removes weights and can also expand them; the smaller count is the honest basis of a ratio.
  const originalBytes = Math.min(floatBytes(imported), floatBytes(graph));
  return { request, graph, sha256: sha256(await readBytes(request.path)), originalBytes };
}

export function openProfile(target: string): Profile {
  return loadProfile(target, { probe: () => probeHost() });
}

/** What a bundle is built with beside the graph; all of it ends in the manifest. */
export interface BuildRequest extends Pick<BundleSpec, 'precision' | 'report' | 'seed'> {
  readonly settings?: BundleSpec['settings'];
  readonly profile: Profile;
  /** Whose first samples become the golden inputs; seeded noise when absent. */
  readonly samples?: Samples;
}

export interface Built {
  readonly bytes: Uint8Array;
  readonly compiled: CompiledProgram;
  /** The weight stream in the bundle. */
  readonly weightWireBytes: number;
  readonly fit: FitReport;
}

/** Graph -> program -> bundle, proved on golden inputs by running it. */
export async function buildBundle(model: Model, graph: Graph, request: BuildRequest, work: Work = {}): Promise<Built> {
  const { profile, settings = {}, samples, ...rest } = request;
  work.progress?.({ stage: 'compile', done: 0, total: 1 });
  const compiled = await compileGraph(graph, runtimeTarget());
  work.progress?.({ stage: 'compile', done: 1, total: 1 });
  work.signal?.throwIfAborted();
  const { program, modules } = compiled;
  const engine = await WasmEngine.load(program, modules, residentBlock(compiled));
  const golden = await makeGolden(program.inputs, samples, async (inputs) => engine.run(inputs));
  engine.close();
  const weights = encodeWeights(
    compiled.weights.map((w) => ({
      name: w.slot.name,
      tensor: w.tensor,
      ...(w.packing ? { encoding: w.packing } : {}),
    })),
  );
  work.progress?.({ stage: 'pack', done: 0, total: 1 });
  const { dims = {}, set = {} } = model.request;
  const bytes = packBundle({
    ...rest,
    toolVersion: packageVersion(),
    model: { name: graph.name, sha256: model.sha256 },
    target: { id: profile.id, profileSha256: profileDigest(profile) },
    settings: { ...settings, dims, set },
    program,
    weights: weights.bytes,
    kernels: modules.map((m) => ({ variant: m.variant, wasm: m.bytes })),
    golden,
  });
  work.progress?.({ stage: 'pack', done: 1, total: 1 });
  const sizes = { bundleBytes: bytes.length, weightWireBytes: weights.bytes.length };
  return { bytes, compiled, weightWireBytes: weights.bytes.length, fit: fitProgram(program, sizes, profile) };
}

/** Every board has Node, and so WebAssembly; the one target there is. */
export function runtimeTarget(): Target {
  return TARGETS[0]!;
}

/** What of a profile a build depends on: the probed numbers of a host change from hour to hour and decide nothing. */
function profileDigest({ id, weightBits, activationBits }: Profile): string {
  return sha256(new TextEncoder().encode(JSON.stringify({ id, weightBits, activationBits })));
}

function floatBytes(graph: Graph): number {
  let bytes = 0;
  for (const v of graph.values.values()) if (v.data && v.type.dtype === 'f32') bytes += byteLength(v.type);
  return bytes;
}
