import {
  type Bundle,
  type BundleDescription,
  describeBundle,
  graphOf,
  kernelIds,
  openBundle,
  reportOf,
} from '../bundle/index.ts';
import { type FitOptions, type FitReport, fitFirmware, fitGraph, fitProgram, type WideNodes } from '../compile/fit.ts';
import { wideNodes } from '../compile/graph-size.ts';
import { planFirmware } from '../compile/index.ts';
import type { Profile, RuntimeKind } from '../compile/profile.ts';
import type { NamedType } from '../data/samples.ts';
import { valueNamed } from '../ir/graph.ts';
import type { GraphData } from '../ir/serialize.ts';
import { modelFile } from '../model/files.ts';
import { sniff } from '../model/sniff.ts';
import { type ModelRequest, nativeTarget, openModel, openProfile } from '../pipeline.ts';
import { readBytes } from '../util/files.ts';
import { byteLength, sizeOf } from '../util/tensor.ts';
import { graphOfBundle } from './bundle-graph.ts';

export interface ModelInspection {
  readonly kind: 'model';
  readonly name: string;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Operators after normalization, with how often each occurs. */
  readonly operators: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly weightBytes: number;
  /** Constants, largest first. */
  readonly weights: readonly (NamedType & { readonly bytes: number })[];
}

export interface BundleInspection {
  readonly kind: 'bundle';
  readonly name: string;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly target: string;
  readonly precision: string;
  readonly madeBy: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly steps: readonly {
    readonly node: string;
    readonly kind: string;
    readonly macs: number;
    readonly bytes: number;
  }[];
  readonly size: BundleDescription;
  /** The compression report, where the bundle was compressed. */
  readonly report: unknown;
}

/** What a model or bundle file holds. */
export async function inspectPath(request: ModelRequest): Promise<ModelInspection | BundleInspection> {
  const bytes = await readBytes(modelFile(request.path));
  return sniff(bytes) === 'ewb' ? inspectBundle(bytes) : inspectModel(request);
}

/** Whether a model (estimated) or bundle (as compiled) fits a board. */
export async function fitPath(request: ModelRequest, target: string, options: FitOptions = {}): Promise<FitReport> {
  const profile = openProfile(target, true);
  const bytes = await readBytes(modelFile(request.path));
  if (sniff(bytes) !== 'ewb') return fitGraph((await openModel(request)).graph, profile, options);
  const bundle = openBundle(bytes);
  const runtime = options.runtime ?? runtimeOf(bundle, profile);
  if (runtime === 'firmware') return fitFirmware(planFirmware(graphOfBundle(bundle)), profile, options);
  const weights = bundle.manifest.parts.find((p) => p.role === 'weights');
  return fitProgram(
    bundle.manifest.program,
    { bundleBytes: bytes.length, weightWireBytes: weights?.bytes ?? 0 },
    profile,
    { ...options, runtime, ...wideOf(bundle) },
  );
}

/** Nodes of 16-bit activations, where the bundle has its graph. */
function wideOf(bundle: Bundle): { readonly wide?: WideNodes } {
  const graph = graphOf(bundle) as GraphData | undefined;
  if (!graph) return {};
  const types = new Map(graph.values.map((v) => [v.name, v.dtype]));
  return { wide: wideNodes(graph.nodes, (v) => types.get(v)) };
}

/** How a bundle runs on a board when nobody says how: natively where it has kernels for it. */
function runtimeOf(bundle: Bundle, profile: Profile): RuntimeKind {
  const native = nativeTarget(profile)?.platform;
  const has = native !== undefined && kernelIds(bundle).some((k) => k.platform === native);
  return has && profile.runtimes.includes('native') ? 'native' : profile.runtimes[0]!;
}

async function inspectModel(request: ModelRequest): Promise<ModelInspection> {
  const { graph } = await openModel(request);
  const named = (name: string): NamedType => ({ name, ...valueNamed(graph, name).type });
  const operators: Record<string, number> = {};
  for (const n of graph.nodes) operators[n.op] = (operators[n.op] ?? 0) + 1;
  const weights = [...graph.values.values()]
    .filter((v) => v.data && v.type.dtype === 'f32')
    .map((v) => ({ name: v.name, ...v.type, bytes: byteLength(v.type) }))
    .sort((a, b) => b.bytes - a.bytes);
  return {
    kind: 'model',
    name: graph.name,
    inputs: graph.inputs.map(named),
    outputs: graph.outputs.map(named),
    operators,
    parameters: weights.reduce((n, w) => n + sizeOf(w.shape), 0),
    weightBytes: weights.reduce((n, w) => n + w.bytes, 0),
    weights,
  };
}

function inspectBundle(bytes: Uint8Array): BundleInspection {
  const bundle = openBundle(bytes);
  const { program, target, precision, tool, settings } = bundle.manifest;
  const typed = ({ name, dtype, shape, scale }: NamedType): NamedType => ({
    ...{ name, dtype, shape },
    ...(scale === undefined ? {} : { scale }),
  });
  return {
    kind: 'bundle',
    name: program.name,
    inputs: program.inputs.map(typed),
    outputs: program.outputs.map(typed),
    target: target.id,
    precision,
    madeBy: `${tool.name} ${tool.version}`,
    settings,
    steps: program.steps.map(({ node, kind, macs, bytes: moved }) => ({ node, kind, macs, bytes: moved })),
    size: describeBundle(bundle),
    report: reportOf(bundle) ?? null,
  };
}
