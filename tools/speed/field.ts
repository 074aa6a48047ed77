import { join } from 'node:path';
import { relativeError } from '../../sdk/app/reference-test.ts';
import { readArrays, type Tensor } from '../../sdk/index.ts';
import { type Avx2Host, openAvx2Host } from './avx2/host.ts';
import { type Contestant, PAIRS, REFERENCE } from './contestants.ts';
import { COMPETITORS, installCompetitors, installedVersion, type NodeBinary, nodeOf } from './packages.ts';
import type { Prepared } from './prepare.ts';
import { bundled, Child } from './process.ts';
import type { Gauge, Opened, OpenMessage } from './protocol.ts';
import {
  type Absence,
  type Comparison,
  type ModelSpeed,
  type SlowProfile,
  type SpeedRow,
  spreadOf,
} from './results.ts';
import { type RoundOptions, type Rounds, takeRounds } from './rounds.ts';

/** An fp32 runtime that differs more than this from another has computed something else. */
const FP32_TOLERANCE = 1e-3;

/** A contestant that opened the model. */
interface Entrant {
  readonly contestant: Contestant;
  readonly child: Child;
  readonly opened: Opened;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** The contestants' processes, for all models of a run. */
export class Field {
  /** What else takes part in the times: Nodes and runtimes with their versions. */
  readonly versions: readonly string[];
  private readonly children: ReadonlyMap<Contestant, Child>;
  private readonly absent: readonly Absence[];
  private readonly avx2: Avx2Host | undefined;

  private constructor(
    children: ReadonlyMap<Contestant, Child>,
    absent: readonly Absence[],
    versions: readonly string[],
    avx2: Avx2Host | undefined,
  ) {
    this.children = children;
    this.absent = absent;
    this.versions = versions;
    this.avx2 = avx2;
  }

  /** Installs competitors where they are missing, and finds the Nodes. */
  static async open(root: string, contestants: readonly Contestant[], tell: (text: string) => void): Promise<Field> {
    const problem = await installCompetitors(tell);
    const script = await bundled(root, 'tools/speed/child.ts', join(root, 'out/speed/child.mjs'));
    const host = await openAvx2Host(tell);
    const [avx2, noAvx2] = typeof host === 'string' ? [undefined, host] : [host, ''];
    const nodes = new Map<number, NodeBinary | undefined>();
    for (const { node } of contestants) if (!nodes.has(node)) nodes.set(node, await nodeOf(node));
    const children = new Map<Contestant, Child>();
    const absent: Absence[] = [];
    for (const c of contestants) {
      const node = nodes.get(c.node);
      const reason = node === undefined ? `there is no Node ${c.node}` : await missing(c, problem, noAvx2);
      if (node === undefined || reason !== '') absent.push({ contestant: c.id, reason });
      else children.set(c, new Child(node.path, script, c.processor ? avx2?.env : {}));
    }
    for (const a of absent) tell(`${a.contestant} is left out: ${a.reason}`);
    const versions = [...nodes.values()].flatMap((node) => (node ? [`Node ${node.version}`] : []));
    for (const name of ['onnxruntime-node', '@tensorflow/tfjs-core']) {
      const version = await installedVersion(name);
      if (version !== undefined) versions.push(`${name} ${version}`);
    }
    return new Field(children, absent, versions, avx2);
  }

  /** Throws when the reference does not run, or when ours do not give the same outputs. */
  async measure(prepared: Prepared, folder: string, options: RoundOptions): Promise<ModelSpeed> {
    const entered = await this.enter(prepared, folder);
    const reference = entered.entrants.find((e) => e.contestant.id === REFERENCE);
    if (!reference) throw new Error(`${REFERENCE}: ${entered.absent.find((a) => a.contestant === REFERENCE)?.reason}`);
    const errors = new Map(entered.entrants.map((e) => [e, largestError(e.outputs, reference.outputs)]));
    const wrong = wrongOf(errors);
    const entrants = entered.entrants.filter((e) => !wrong.has(e));
    const absent = [...entered.absent, ...[...wrong].map(([e, reason]) => ({ contestant: e.contestant.id, reason }))];
    const takers = entrants.map(({ contestant: { id }, child }) => ({
      id,
      turn: (ms: number, processor?: number) => child.ask({ type: 'turn', ms, processor }),
    }));
    const gauge = entrants[0]!.child;
    const placeOf = async (): Promise<number | undefined> => quickest(await gauge.ask({ type: 'gauge' }));
    const rounds = await takeRounds(takers, { ...options, placeOf });
    const comparisons = compared(prepared, rounds);
    const profiles = await profilesOf(entrants, comparisons);
    await Promise.all(entered.entrants.map((e) => e.child.ask({ type: 'close' })));
    const { kept, dropped, repeated } = rounds;
    return {
      model: prepared.model.id,
      work: prepared.model.work,
      macs: prepared.macs,
      rows: entrants.map((e): SpeedRow => {
        const { id } = e.contestant;
        const { detail, digest } = e.opened;
        return { contestant: id, detail, ...spreadOf(rounds.seconds[id]!), error: errors.get(e)!, digest };
      }),
      absent,
      comparisons,
      rounds: { kept, dropped, repeated },
      profiles,
    };
  }

  close(): void {
    for (const child of this.children.values()) child.stop();
  }

  /** Opens the model in every process. One that cannot is absent, and no reason not to time the others. */
  private async enter(prepared: Prepared, folder: string): Promise<{ entrants: Entrant[]; absent: Absence[] }> {
    const entrants: Entrant[] = [];
    const absent: Absence[] = [...this.absent];
    for (const [contestant, child] of this.children) {
      const message = openMessage(contestant, prepared, join(folder, `outputs-${contestant.id}.npz`), this.avx2);
      try {
        const opened = await child.ask(message);
        entrants.push({ contestant, child, opened, outputs: await readArrays(message.outputs) });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
        absent.push({ contestant: contestant.id, reason });
      }
    }
    return { entrants, absent };
  }
}

/** The processor that had the least to do beside; undefined where they cannot be chosen. */
function quickest(gauges: readonly Gauge[]): number | undefined {
  return [...gauges].sort((a, b) => a.seconds - b.seconds)[0]?.processor;
}

/** Why a contestant cannot take part, or ''; `problem` kept competitors from being installed, `noAvx2` a processor from being restrained. */
async function missing({ runtime, processor }: Contestant, problem: string, noAvx2: string): Promise<string> {
  if (runtime === 'ours' || runtime === 'onnxruntime-web') return '';
  const name = runtime === 'tfjs' ? '@tensorflow/tfjs-backend-wasm' : runtime;
  if ((await installedVersion(name)) === undefined) return problem || `${name} is not installed`;
  return processor ? noAvx2 : '';
}

function openMessage(c: Contestant, p: Prepared, outputs: string, avx2: Avx2Host | undefined): OpenMessage {
  const ours = c.runtime === 'ours';
  const host = c.processor ? avx2 : undefined;
  return {
    type: 'open',
    runtime: c.runtime,
    paths: ours ? [p.bundle] : c.model === 'int8' ? p.int8 : [p.model.path],
    ...(c.runtime === 'tfjs' ? { dims: p.model.dims ?? {}, set: p.model.set ?? {} } : {}),
    inputs: ours || c.model === 'int8' || c.runtime === 'tfjs' ? p.inputs : p.originalInputs,
    outputs,
    ...(c.engine === undefined ? {} : { engine: c.engine }),
    ...(ours || c.runtime === 'onnxruntime-web' ? {} : { from: host?.from ?? COMPETITORS }),
    ...(host ? { shim: host.shim } : {}),
  };
}

/** Of all outputs; infinite when one is missing. */
function largestError(got: Readonly<Record<string, Tensor>>, reference: Readonly<Record<string, Tensor>>): number {
  const errors = Object.entries(reference).map(([name, expected]) => {
    const tensor = got[name];
    return tensor ? relativeError(tensor, expected) : Number.POSITIVE_INFINITY;
  });
  return Math.max(0, ...errors);
}

/**
 * Those whose outputs are not what they must be: fp32 runtimes have to agree nearly, nothing may be missing or NaN.
 * Throws when ours do not agree to the bit with each other.
 */
function wrongOf(errors: ReadonlyMap<Entrant, number>): Map<Entrant, string> {
  const ours = [...errors.keys()].filter((e) => e.contestant.runtime === 'ours');
  for (const e of ours) {
    if (e.opened.digest === ours[0]!.opened.digest) continue;
    throw new Error(`${e.contestant.title} gives other outputs than ${ours[0]!.contestant.title}`);
  }
  const wrong = new Map<Entrant, string>();
  for (const [e, error] of errors) {
    const limit = e.contestant.model === 'fp32' ? FP32_TOLERANCE : Number.MAX_VALUE;
    if (!(error <= limit)) wrong.set(e, `its outputs differ by ${error.toExponential(1)}`);
  }
  return wrong;
}

function compared({ model }: Prepared, { seconds }: Rounds): Comparison[] {
  return PAIRS.flatMap(({ ours, over, goal }) => {
    const [mine, theirs] = [seconds[ours], seconds[over]];
    if (!mine || !theirs) return [];
    const ratio = spreadOf(theirs.map((t, r) => t / mine[r]!));
    return [{ ours, over, ratio, ...(goal ? { goal: goal[model.work] } : {}) }];
  });
}

/** Where the time goes, of ours that are slower than promised. */
async function profilesOf(entrants: readonly Entrant[], comparisons: readonly Comparison[]): Promise<SlowProfile[]> {
  const slow = new Set(comparisons.filter((c) => c.ratio.median < (c.goal ?? 0)).map((c) => c.ours));
  const profiles: SlowProfile[] = [];
  for (const { contestant, child } of entrants) {
    if (slow.has(contestant.id))
      profiles.push({ contestant: contestant.id, rows: await child.ask({ type: 'profile' }) });
  }
  return profiles;
}
