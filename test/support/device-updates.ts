import type { Agent, Taken } from '../../sdk/device/agent/agent.ts';
import type { PieceSource } from '../../sdk/device/agent/fetch.ts';
import { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { Rng } from '../../sdk/util/rng.ts';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import { Bench, versionOf } from './agent-bench.ts';
import { assign, blobOf, DELTA } from './versions.ts';

/** What an update tells its device. */
export function target({ to, before, delta, pieceBytes }: Update, change: Partial<Assignment> = {}): Assignment {
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
  /** The agent itself: see Bench.self. */
  readonly self?: true;
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
  { name: 'the agent itself', before: [1], to: 2, self: true, ends: 2 },
  { name: 'rollback of a model that stops the device', before: [1], to: 2, starts: 4, ends: 1 },
];

/** What an update needs but a file system. */
export function benchFor({ unhealthy, self }: Update): Bench {
  const bench = new Bench();
  bench.unhealthy = new Set(unhealthy);
  bench.self = self ?? false;
  return bench;
}

/** A device as it is before an update, everything on the medium. */
export async function deviceBefore(update: Update): Promise<CrashFileSystem> {
  const capacity = update.bundles === undefined ? undefined : update.bundles * 5100 + (64 << 10);
  let fs = new CrashFileSystem(capacity === undefined ? {} : { capacity });
  const bench = benchFor(update);
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
  const bench = benchFor(update);
  const ran = new Set<number | undefined>();
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
    const agent = await bench.startAgain(fs);
    if (!agent) break;
    if (fs.powered) await look(agent);
    const stopsInTrial = update.starts !== undefined && starts < update.starts;
    const assignment = target(update, stopsInTrial ? { probation: { milliseconds: 1e12 } } : {});
    const each = async (taken: Taken): Promise<void> => {
      await look(bench.agent!);
      if (++steps === repairAfter) fs.repair();
      if (stopsInTrial && taken.step.name === 'PROBATION') throw new Stop();
    };
    await bench.drive(agent, assignment, fs, each).catch((e) => {
      if (!(e instanceof Stop)) throw e;
    });
    fs.repair();
    if (fs.powered && !stopsInTrial) await bench.drive(bench.agent!, assignment, fs, each);
  }
  return { ran, lost, bench };
}

class Stop extends Error {}

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
