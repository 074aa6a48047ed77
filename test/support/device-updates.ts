import * as assert from 'uvu/assert';
import { makeDelta } from '../../sdk/bundle/index.ts';
import { Agent, type AgentParts, type Taken } from '../../sdk/device/agent/agent.ts';
import type { PieceSource } from '../../sdk/device/agent/fetch.ts';
import type { Outcome } from '../../sdk/device/agent/ledger.ts';
import { CrashFileSystem, type Fault } from '../../sdk/testing/crash-file-system.ts';
import type { LossModel } from '../../sdk/testing/crash-image.ts';
import { EigenError } from '../../sdk/util/errors.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';
import { openState, stateBundle } from './trained-bundles.ts';

/** A file of noise that stands for the bundle of a version; its size is no multiple of a sector or a piece. */
export function versionBytes(version: number, size = 5000): Uint8Array {
  const rng = new Rng(version);
  return Uint8Array.from({ length: size + 7 * version }, () => rng.below(256));
}

export function specOf(bytes: Uint8Array, pieceBytes = 700): BlobSpec {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) => {
    const piece = bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes);
    return { bytes: piece.length, sha256: sha256(piece) };
  });
  return { sha256: sha256(bytes), bytes: bytes.length, pieces };
}

/** Where a piece of a blob lies. */
export function pieceOf(bytes: Uint8Array, spec: BlobSpec, index: number): Uint8Array {
  const at = spec.pieces.slice(0, index).reduce((sum, p) => sum + p.bytes, 0);
  return bytes.subarray(at, at + spec.pieces[index]!.bytes);
}

interface Version {
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly specs: Map<number, BlobSpec>;
}

function versionOfBytes(version: number, bytes: Uint8Array): Version {
  return { version, bytes, sha256: sha256(bytes), specs: new Map() };
}

/** Versions 4 and 5 are bundles, and 0 no version but the delta between them: the others are noise. */
const VERSIONS = [
  versionOfBytes(0, makeDelta(openState(0, 16), openState(3, 16)).bytes),
  ...[1, 2, 3].map((version) => versionOfBytes(version, versionBytes(version))),
  versionOfBytes(4, stateBundle(0, 16)),
  versionOfBytes(5, stateBundle(3, 16)),
];
const DELTA = 0;

export function blobOf(version: number, pieceBytes = 700): BlobSpec {
  const { bytes, specs } = VERSIONS[version]!;
  const spec = specs.get(pieceBytes) ?? specOf(bytes, pieceBytes);
  specs.set(pieceBytes, spec);
  return spec;
}

export function assign(version: number, change: Partial<Assignment> = {}): Assignment {
  return {
    release: version,
    expires: Number.MAX_SAFE_INTEGER,
    board: 'board',
    blob: blobOf(version),
    limits: {},
    shadowInputs: 0,
    probation: { milliseconds: 1000 },
    ...change,
  };
}

/** Everything an agent needs but a file system, in the hands of a test. */
export class Bench {
  now = 1_000_000;
  /** What the device finds wrong, by the version that runs. */
  unhealthy = new Set<number>();
  condition: string | undefined;
  outcomes: Outcome[] = [];
  fetched = 0;
  source: PieceSource = {
    fetch: async function* (this: void, blob: BlobSpec, pieces: readonly number[]) {
      const { bytes } = VERSIONS.find((v) => v.sha256 === blob.sha256)!;
      for (const index of pieces) yield { index, bytes: pieceOf(bytes, blob, index) };
    },
  };
  agent: Agent | undefined;

  parts(fs: AgentParts['fs'], change: Partial<AgentParts> = {}): AgentParts {
    return {
      device: 'device',
      board: 'board',
      fs,
      clock: { now: () => this.now, monotonic: () => this.now },
      source: {
        fetch: (blob, pieces) => {
          this.fetched += pieces.length;
          return this.source.fetch(blob, pieces);
        },
      },
      loader: {
        load: async (bytes) => {
          const hit = VERSIONS.find((v) => v.sha256 === sha256(bytes));
          if (!hit) throw new EigenError('EW6002_BUNDLE_TAMPERED', 'a mix of versions');
          return {
            signature: { inputs: [], outputs: [] },
            modelBytes: bytes.length,
            run: async () => ({ version: tensor('i32', [1], [hit.version]) }),
            runGolden: async () => [1],
            close: () => undefined,
          };
        },
      },
      conditions: async () => this.condition,
      health: async () => {
        const version = this.agent && (await versionOf(this.agent));
        return version !== undefined && this.unhealthy.has(version) ? 'it answers nonsense' : undefined;
      },
      report: async (outcome) => {
        this.outcomes.push(outcome);
      },
      ...change,
    };
  }

  async start(fs: AgentParts['fs'], change: Partial<AgentParts> = {}): Promise<Agent> {
    this.agent = undefined;
    this.agent = await Agent.start(this.parts(fs, change));
    return this.agent;
  }

  /** Steps, with the time passing that they wait for, until there is nothing left to do; `each` looks at the device after each. */
  async drive(
    agent: Agent,
    assignment: Assignment | undefined,
    fs: CrashFileSystem,
    each: (taken: Taken) => Promise<void> = async () => undefined,
  ): Promise<Taken[]> {
    const all: Taken[] = [];
    for (let steps = 0; steps < 600 && fs.powered; steps++) {
      const taken = await agent.step(assignment);
      all.push(taken);
      await each(taken);
      if (taken.step.name === 'IDLE') {
        if (taken.step.until === undefined) return all;
        this.now = Math.max(this.now, taken.step.until);
      } else if (taken.ended !== 'done' && taken.step.name !== 'REPORT') this.now += 60_001;
    }
    assert.not(fs.powered, `no end: ${all.slice(-3).map((t) => `${t.step.name} ${t.ended} ${t.reason}`)}`);
    return all;
  }
}

/** Version of the model that answers; undefined while none does. */
export async function versionOf(agent: Agent): Promise<number | undefined> {
  if (agent.host.serving === undefined) return undefined;
  const { version } = await agent.host.run({});
  return Number(version!.data[0]);
}

function target({ to, before, delta, pieceBytes }: Update, change: Partial<Assignment> = {}): Assignment {
  const deltas = [{ from: blobOf(before.at(-1) ?? to).sha256, blob: blobOf(DELTA, pieceBytes) }];
  return assign(to, { release: 10, blob: blobOf(to, pieceBytes), ...(delta ? { deltas } : {}), ...change });
}

/** A kind of update: what is on the device before it, what it is told, and what may be there in the end. */
export interface Update {
  readonly name: string;
  /** Versions that were installed and committed before, in this order. */
  readonly before: readonly number[];
  readonly to: number;
  /** There is a delta from the last one before. */
  readonly delta?: boolean;
  readonly unhealthy?: readonly number[];
  readonly pieceBytes?: number;
  /** Room for so many bundles. */
  readonly bundles?: number;
  /** Starts over again in the middle of the probation, so often. */
  readonly starts?: number;
  /** Pieces that come before the first attempt ends. */
  readonly breaksAfter?: number;
  readonly ends: number | undefined;
}

/** Points that are tried of an update: all, or so many, drawn from all of it. */
export function sampled(points: readonly number[], count: number, seed: number): number[] {
  return [...new Rng(seed).strata(points.length, Math.min(count, points.length))].map((i) => points[i]!);
}

export const UPDATES: readonly Update[] = [
  { name: 'first install', before: [], to: 1, ends: 1 },
  { name: 'hot swap', before: [1], to: 2, ends: 2 },
  { name: 'hot swap, garbage collected', before: [1, 2], to: 3, ends: 3 },
  { name: 'room for two bundles only', before: [1, 2], to: 3, bundles: 3.7, ends: 3 },
  { name: 'download in two parts', before: [1], to: 2, breaksAfter: 4, ends: 2 },
  { name: 'by a delta', before: [4], to: 5, delta: true, pieceBytes: 300, ends: 5 },
  { name: 'back to the version before', before: [1, 2], to: 1, ends: 1 },
  { name: 'rollback of an unhealthy model', before: [1], to: 2, unhealthy: [2], ends: 1 },
  { name: 'rollback with nothing to go back to', before: [], to: 1, unhealthy: [1], ends: undefined },
  { name: 'rollback of a model that stops the device', before: [1], to: 2, starts: 4, ends: 1 },
];

/** A device as it is before an update, everything on the medium. */
export async function deviceBefore(update: Update): Promise<CrashFileSystem> {
  const capacity = update.bundles === undefined ? undefined : update.bundles * 5100 + (64 << 10);
  let fs = new CrashFileSystem(capacity === undefined ? {} : { capacity });
  const bench = new Bench();
  for (const version of update.before) {
    await bench.drive(await bench.start(fs), assign(version), fs);
    // What is reported as done is done: nothing of it needs luck.
    fs = fs.crash('lost');
  }
  return fs;
}

/** What the test of an update looks at while it runs. */
export interface Watch {
  /** Versions that ran. */
  readonly ran: ReadonlySet<number | undefined>;
  /** There was a model, and then there was none. */
  readonly lost: boolean;
  readonly bench: Bench;
}

/**
 * Runs an update to its end, or until power goes.
 * @param repairAfter steps after which a medium that does not work is mended.
 */
export async function runUpdate(update: Update, fs: CrashFileSystem, repairAfter = 40): Promise<Watch> {
  const bench = new Bench();
  const ran = new Set<number | undefined>();
  bench.unhealthy = new Set(update.unhealthy);
  if (update.breaksAfter !== undefined) bench.source = breaking(bench.source, update.breaksAfter);
  let [steps, lost] = [0, false];
  let last: number | undefined;
  const look = async (agent: Agent): Promise<void> => {
    const version = await versionOf(agent);
    lost ||= last !== undefined && version === undefined;
    last = version;
    ran.add(version);
  };
  for (let starts = 0; starts <= (update.starts ?? 0) && fs.powered; starts++) {
    const agent = await startAgain(bench, fs);
    if (!agent) break;
    if (fs.powered) await look(agent);
    const stopsInTrial = update.starts !== undefined && starts < update.starts;
    const assignment = target(update, stopsInTrial ? { probation: { milliseconds: 1e12 } } : {});
    const each = async (taken: Taken): Promise<void> => {
      await look(agent);
      if (++steps === repairAfter) fs.repair();
      if (stopsInTrial && taken.step.name === 'PROBATION') throw new Stop();
    };
    await bench.drive(agent, assignment, fs, each).catch((e) => {
      if (!(e instanceof Stop)) throw e;
    });
    fs.repair();
    if (fs.powered && !stopsInTrial) await bench.drive(agent, assignment, fs, each);
  }
  return { ran, lost, bench };
}

class Stop extends Error {}

/** Starts, as a service manager does: again where it fails, until somebody mends the medium. */
async function startAgain(bench: Bench, fs: CrashFileSystem): Promise<Agent | undefined> {
  for (let tries = 0; fs.powered; tries++) {
    try {
      return await bench.start(fs);
    } catch (e) {
      if (tries === 3 && fs.powered) throw e;
      if (tries === 2) fs.repair();
    }
  }
  return undefined;
}

/** A source that stops once, after so many pieces. */
function breaking(source: PieceSource, pieces: number): PieceSource {
  let broken = false;
  return {
    fetch: async function* (blob, wanted) {
      let left = pieces;
      for await (const piece of source.fetch(blob, wanted)) {
        if (!broken && left-- === 0) {
          broken = true;
          throw new Error('the connection is gone');
        }
        yield piece;
      }
    },
  };
}

/** What may run after a power cut in an update: what ran before it, or what it installs. */
export function allowed({ before, to }: Update): Set<number | undefined> {
  return new Set([before.at(-1), to]);
}

/** Operations that the longest recovery may take. */
const MOST_RECOVERY = 60;

/**
 * What must hold after power went during an update: the old model or the new one starts, soon and whole; and the update then comes to
 * where it would have come. `label` names the case.
 */
export async function checkAfterCut(update: Update, fs: CrashFileSystem, label: string): Promise<void> {
  const bench = new Bench();
  bench.unhealthy = new Set(update.unhealthy);
  const agent = await bench.start(fs);
  assert.ok(fs.operations.length <= MOST_RECOVERY, `${label}: ${fs.operations.length} operations to recover`);
  const version = await versionOf(agent);
  assert.ok(allowed(update).has(version), `${label}: version ${version} starts`);
  if (update.starts !== undefined) return;
  await bench.drive(agent, target(update), fs, async () => {
    const running = await versionOf(agent);
    assert.ok(allowed(update).has(running), `${label}: version ${running} runs`);
  });
  const ended = await versionOf(agent);
  assert.is(ended, update.ends, `${label}: version ${ended} in the end`);
  const [plan] = await agent.plan(undefined);
  assert.is(plan!.name, 'IDLE', label);
  // What ended is durable, and no more than one bundle too many lies around.
  const later = fs.crash('lost');
  assert.is(await versionOf(await bench.start(later)), update.ends, `${label}: after another cut`);
  const most = 3 * VERSIONS[update.to]!.bytes.length + 8192;
  assert.ok(later.usedBytes() < most, `${label}: ${later.usedBytes()} bytes lie around`);
}

/** Power cuts at these operations of an update, each under every one of the loss models. Returns how many cases that were. */
export async function cutAt(
  update: Update,
  points: readonly number[],
  models: readonly LossModel[],
  second?: { readonly seed: number; readonly cuts: number },
): Promise<number> {
  const before = await deviceBefore(update);
  let cases = 0;
  for (const point of points) {
    const fs = before.crash('kept');
    fs.cutPowerAt(point);
    const { ran } = await runUpdate(update, fs);
    for (const version of ran) assert.ok(allowed(update).has(version), `${update.name}: version ${version} ran`);
    for (const model of models) {
      const label = `${update.name}, cut at ${point}, ${model}`;
      if (!second) {
        await checkAfterCut(update, fs.crash(model, point + 1), label);
        cases++;
        continue;
      }
      cases += await cutAgain(update, () => fs.crash(model, point + 1), {
        ...second,
        seed: second.seed + point,
        label,
      });
    }
  }
  return cases;
}

/** Errors at these operations of an update, each once and for a while. Returns how many cases that were. */
export async function failAt(update: Update, points: readonly number[], faults: readonly Fault[]): Promise<number> {
  const before = await deviceBefore(update);
  let cases = 0;
  for (const point of points)
    for (const fault of faults)
      for (const times of [1, Number.POSITIVE_INFINITY]) {
        const label = `${update.name}, ${fault} at ${point}${times > 1 ? ' and after' : ''}`;
        const fs = before.crash('kept');
        fs.failAt(point, fault, times);
        const { ran, lost, bench } = await runUpdate(update, fs);
        // Where the last model cannot be read, the one before it is better than none.
        const lastResort = fault === 'EIO' && times > 1 ? [update.before.at(-2)] : [];
        const may = new Set([...allowed(update), ...lastResort, undefined]);
        for (const version of ran) assert.ok(may.has(version), `${label}: version ${version} ran`);
        if (update.before.length > 0) assert.not(lost, `${label}: nothing ran any more`);
        const ended = await versionOf(bench.agent!);
        const ends = times === 1 && update.starts === undefined ? [update.ends] : [...allowed(update)];
        assert.ok(ends.includes(ended), `${label}: version ${ended} in the end`);
        const started = await versionOf(await bench.start(fs.crash('lost')));
        assert.ok(allowed(update).has(started), `${label}: version ${started} after a power cut`);
        cases++;
      }
  return cases;
}

/** Power goes a second time while a device recovers and goes on. */
async function cutAgain(
  update: Update,
  start: () => CrashFileSystem,
  { seed, cuts, label }: { readonly seed: number; readonly cuts: number; readonly label: string },
): Promise<number> {
  const dry = start();
  await runUpdate(update, dry);
  const lasting = dry.lastingOperations();
  const rng = new Rng(seed);
  for (let i = 0; i < cuts; i++) {
    const fs = start();
    const point = lasting[rng.below(lasting.length)]!;
    fs.cutPowerAt(point);
    await runUpdate(update, fs);
    const model = (['kept', 'lost', 'torn', 'reordered'] as const)[rng.below(4)]!;
    await checkAfterCut(update, fs.crash(model, seed + i), `${label}, then at ${point}, ${model}`);
  }
  return cuts;
}

/** Operations of an update that runs through, and those of them that change what a power cut leaves. */
export async function operationsOf(update: Update): Promise<{ readonly all: number; readonly lasting: number[] }> {
  const fs = (await deviceBefore(update)).crash('kept');
  const { bench } = await runUpdate(update, fs);
  assert.is(await versionOf(bench.agent!), update.ends, `${update.name}: without any cut`);
  return { all: fs.operations.length, lasting: fs.lastingOperations() };
}

/** Numbers of so many operations. */
export function allOperations(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
