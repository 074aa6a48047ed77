import { cpus } from 'node:os';
import { type Bundle, graphOf } from '../bundle/index.ts';
import { fuse } from '../compile/fuse.ts';
import { measureGraph } from '../compile/graph-size.ts';
import { lowerGraph } from '../compile/lower.ts';
import { probeHost } from '../device/probe.ts';
import { repeated } from '../measure/benchmark.ts';
import { type Spread, type StepTimes, timeSteps } from '../measure/step-times.ts';
import type { Work } from '../pipeline.ts';
import { graphOfBundle } from './bundle-graph.ts';
import { boundOf, measureRoof, type Roof, roofOfThreads } from './roof.ts';
import { firstSample } from './sample.ts';
import { type BundleSession, type EngineName, openSession } from './session.ts';

export interface ProfileRequest {
  readonly bundle: string;
  /** .npz whose first sample is used; the bundle's golden inputs otherwise. */
  readonly input?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  /** As many as fit into two seconds by default. */
  readonly runs?: number;
}

/** A layer: a kernel of the program, a node of the graph with the reference engine. */
export interface ProfileRow {
  readonly node: string;
  readonly kind: string;
  /** Nodes computed in the same kernel, in order. */
  readonly fused: readonly string[];
  readonly seconds: Spread;
  /** Of the sum over all layers. */
  readonly share: number;
  readonly macs: number;
  /** Activations and weights read and written, each counted once. */
  readonly bytes: number;
  readonly GMACps: number;
  readonly GBps: number;
  /** What bounds it, and the share of that bound that it reaches; null where the engine has no roof. */
  readonly bound: 'compute' | 'memory' | null;
  readonly ofRoof: number | null;
}

export interface BundleProfile {
  readonly model: string;
  readonly engine: string;
  readonly threads: number;
  readonly runs: number;
  readonly rows: readonly ProfileRow[];
  /** One run that nobody watches, inputs and outputs copied: what a user waits for. */
  readonly whole: Spread;
  /** Null with the reference engine, whose interpreter nothing bounds. */
  readonly roof: Roof | null;
  /** Multiplications of native kernels are reckoned from those of WebAssembly. */
  readonly roofOrigin: 'measured' | 'estimated';
  readonly machine: { readonly processor: string; readonly cores: number; readonly node: string };
}

interface Layer {
  readonly node: string;
  readonly kind: string;
  readonly fused: readonly string[];
  readonly macs: number;
  readonly bytes: number;
}

/** Times every layer of a bundle on this machine, within whole runs, and compares each with what the machine could do. */
export async function profileBundle(request: ProfileRequest, work: Work = {}): Promise<BundleProfile> {
  const { engine, threads } = request;
  const session = await openSession(request.bundle, { engine, threads });
  try {
    const inputs = await firstSample(session, request.input);
    const { layers, rowOf } = layersOf(session, engine === 'reference');
    const times = await timeSteps(
      {
        rowOf,
        watched: (ended) => session.runSteps(inputs, ended),
        unwatched: repeated(session, inputs),
      },
      {
        ...(request.runs ? { runs: request.runs } : {}),
        ...(work.signal ? { signal: work.signal } : {}),
        onRun: (done, total) => work.progress?.({ stage: 'profile', done, total }),
      },
    );
    const roof =
      engine === 'reference' ? null : roofOfThreads(measureRoof(session.variant, session.native), session.threads);
    return {
      model: session.bundle.manifest.program.name,
      engine: session.engine,
      threads: session.threads,
      runs: times.runs,
      rows: rowsOf(layers, times, roof),
      whole: times.whole,
      roof,
      roofOrigin: session.native ? 'estimated' : 'measured',
      machine: { processor: cpus()[0]?.model ?? 'unknown', cores: probeHost().availableCores, node: process.version },
    };
  } finally {
    session.close();
  }
}

function rowsOf(layers: readonly Layer[], times: StepTimes, roof: Roof | null): ProfileRow[] {
  const total = times.rows.reduce((sum, t) => sum + t.median, 0);
  return layers.map((layer, i): ProfileRow => {
    const seconds = times.rows[i]!;
    const bound = roof && boundOf(roof, layer);
    return {
      ...layer,
      seconds,
      share: seconds.median / total,
      GMACps: layer.macs / seconds.median / 1e9,
      GBps: layer.bytes / seconds.median / 1e9,
      bound: bound?.by ?? null,
      ofRoof: bound && bound.seconds / seconds.median,
    };
  });
}

/** What is timed as one: the steps of a kernel that runs in several bands, or a node. */
function layersOf({ bundle }: BundleSession, nodes: boolean): { layers: Layer[]; rowOf: number[] } {
  if (nodes) {
    const { steps } = measureGraph(graphOfBundle(bundle));
    return { layers: steps.map((s) => ({ ...s, fused: [] })), rowOf: steps.map((_, i) => i) };
  }
  const fused = fusedNodes(bundle);
  const layers: Layer[] = [];
  const rowOf: number[] = [];
  for (const { node, kind, macs, bytes } of bundle.manifest.program.steps) {
    const last = layers.at(-1);
    if (last?.node === node && last.kind === kind) {
      layers[layers.length - 1] = { ...last, macs: last.macs + macs, bytes: last.bytes + bytes };
    } else layers.push({ node, kind, fused: fused.get(node) ?? [], macs, bytes });
    rowOf.push(layers.length - 1);
  }
  return { layers, rowOf };
}

/** Names of the nodes that a step computes besides the one that it is named after; empty for a bundle without a graph. */
function fusedNodes(bundle: Bundle): Map<string, string[]> {
  if (graphOf(bundle) === undefined) return new Map();
  const graph = graphOfBundle(bundle);
  return new Map(
    fuse(graph, lowerGraph(graph), new Set()).groups.map(({ root, tail, rowTail, turned, head }) => {
      const [lead, ...others] = [
        ...(root ? [root] : []),
        ...tail,
        ...(rowTail ? [rowTail] : []),
        ...(turned ? [turned] : []),
        ...(head ? [head] : []),
      ];
      return [lead!.node.name, others.map((l) => l.node.name)];
    }),
  );
}
