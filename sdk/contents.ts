import type { BundleSpec, Json } from './bundle/index.ts';
import type { CompiledProgram } from './compile/index.ts';
import type { Profile } from './compile/profile.ts';
import type { CalibrationData, CompressionReport } from './compress/index.ts';
import { type GoldenCases, makeGolden } from './data/golden.ts';
import { WasmEngine } from './device/engine/wasm.ts';
import type { Graph } from './ir/graph.ts';
import { graphToData } from './ir/serialize.ts';
import { residentBlock } from './runner.ts';
import { sha256 } from './util/hash.ts';
import { packageVersion } from './util/package.ts';
import { encodeWeights } from './wire/weights.ts';

/** Where a build comes from and what it is for. */
export interface Origin {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly profile: Profile;
  /** How the model's open ends were tied. */
  readonly bindings: { readonly [key: string]: Json };
  readonly seed: number;
}

/** What of a build goes into its bundle, but for the golden cases. */
export function contentsOf(
  origin: Origin,
  graph: Graph,
  compiled: CompiledProgram,
  report: CompressionReport | undefined,
): Omit<BundleSpec, 'golden'> {
  return {
    toolVersion: packageVersion(),
    model: origin.model,
    target: { id: origin.profile.id, profileSha256: profileDigest(origin.profile) },
    precision: report ? 'int8' : 'f32',
    settings: { ...(report?.settings as BundleSpec['settings'] | undefined), ...origin.bindings },
    seed: origin.seed,
    program: compiled.program,
    weights: weightStream(compiled),
    kernels: compiled.modules,
    graph: graphJson(graph, compiled),
    ...(report ? { report: report as unknown as Json } : {}),
  };
}

/** Runs a fresh program on its first samples, or seeded noise, and notes the hashes of what it gives. */
export async function provedOn(compiled: CompiledProgram, data: CalibrationData | undefined): Promise<GoldenCases> {
  const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled));
  const samples = data && { count: data.samples.length, at: (i: number) => ({ ...data.samples[i]! }) };
  try {
    return await makeGolden(compiled.program.inputs, samples, async (inputs) => engine.run(inputs));
  } finally {
    engine.close();
  }
}

function weightStream(compiled: CompiledProgram): Uint8Array {
  const items = compiled.weights.map(({ slot, tensor, packing }) => ({
    name: slot.name,
    tensor,
    ...(packing ? { encoding: packing } : {}),
  }));
  return encodeWeights(items).bytes;
}

/** The graph for the reference engine: constants that the program holds stay in the weight stream. */
function graphJson(graph: Graph, compiled: CompiledProgram): Json {
  const weightOf = new Map<string, string>();
  for (const w of compiled.weights) if (!weightOf.has(w.value)) weightOf.set(w.value, w.slot.name);
  return graphToData(graph, (value) => weightOf.get(value)) as unknown as Json;
}

/** What of a profile a build depends on: the probed numbers of a host change from hour to hour and decide nothing. */
function profileDigest({ id, weightBits, activationBits }: Profile): string {
  return sha256(JSON.stringify({ id, weightBits, activationBits }));
}
