import { createCostModel, type Origin } from '../compile/cost.ts';
import type { Profile, RuntimeKind } from '../compile/profile.ts';
import { type CompressOptions, frontier, type MeasuredPoint, ramOf } from '../compress/index.ts';
import { allOf } from '../data/samples.ts';
import {
  engineRunner,
  type Model,
  type ModelRequest,
  openModel,
  openProfile,
  runtimeOn,
  type Work,
} from '../pipeline.ts';
import { EigenError, isEigenError } from '../util/errors.ts';
import { nodeFileSystem, readBytes, writeAtomic } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import { packageVersion } from '../util/package.ts';
import { budgetBytes, type Limits, optionsFor, STREAM_BYTES, type WireBudget } from './compress-options.ts';
import { readSamples } from './evaluation.ts';

export interface FrontierRequest extends Omit<Limits, 'budget'> {
  /** Board id or profile file. */
  readonly target: string;
  /** .npz with one array per model input, first axis = samples. */
  readonly calibration: string;
  /** Sizes, geometrically from one end to the other. */
  readonly points: number;
  readonly from: WireBudget;
  readonly to: WireBudget;
  readonly seed?: number;
  /** A file that keeps the points as they are found; a run with the same request goes on from it. */
  readonly resume?: string;
  readonly onPoint?: (point: FrontierRow) => void;
}

/** One size. Bytes are exact, quality measured on held-out calibration samples, latency as `latencyOrigin` says. */
export interface FrontierRow extends Omit<MeasuredPoint, 'footprint'> {
  /** How many times smaller than the fp32 weights. */
  readonly ratio: number;
  readonly ramBytes: number;
  /** One run in one thread on the board. */
  readonly latencyMs: number;
}

export interface FrontierReport {
  readonly model: string;
  readonly target: string;
  /** fp32 bytes of the weights. */
  readonly originalBytes: number;
  readonly minQuality: number;
  readonly latencyOrigin: Origin;
  /** Ascending in size. */
  readonly points: readonly FrontierRow[];
  /** The smallest of them that keeps `minQuality` with its whole interval. */
  readonly smallestPassing?: FrontierRow;
  /** Sizes that were asked for and not measured: the run was interrupted. */
  readonly missing: number;
}

/**
 * Sizes against quality, memory and time: several points from one survey. An interruption after the first point ends the run with
 * what was found. Throws EW1001_USAGE for a range that is none and for a file to resume from that belongs to another request.
 */
export async function measureFrontier(
  model: ModelRequest,
  request: FrontierRequest,
  work: Work = {},
): Promise<FrontierReport> {
  const profile = openProfile(request.target, true);
  const opened = await openModel(model);
  const runtime = await runtimeOn(profile, work.toolchain);
  const options = optionsFor(opened, profile, { ...request, budget: request.from }, runtime);
  const asked = sizesOf(opened, request);
  const store = await openStore(
    request,
    keyOf({ opened, profile, runtime, options }, await readBytes(request.calibration)),
  );
  const points = store.points.filter((p) => asked.includes(p.askedBytes));
  const toDo = asked.filter((size) => !points.some((p) => p.askedBytes === size));
  const found = async ({ footprint, ...point }: MeasuredPoint): Promise<void> => {
    const ratio = opened.originalBytes / point.wireBytes;
    const row = { ...point, ratio, ramBytes: ramOf(footprint!), latencyMs: footprint!.latencyMs };
    points.push(row);
    request.onPoint?.(row);
    await store.add(row);
  };
  const { progress = () => {}, signal } = work;
  const data = { samples: allOf(await readSamples(opened, request.calibration)) };
  const dampings = points[0] && [points[0].damping];
  try {
    if (toDo.length > 0)
      await frontier(
        opened.graph,
        data,
        { options, sizes: toDo, dampings, found },
        engineRunner(work),
        progress,
        signal,
      );
  } catch (e) {
    if (!isEigenError(e) || e.code !== 'EW1004_INTERRUPTED' || points.length === 0) throw e;
  }
  points.sort((a, b) => a.askedBytes - b.askedBytes);
  const passing = points.find((p) => p.low >= options.minQuality);
  return {
    model: opened.graph.name,
    target: profile.id,
    originalBytes: opened.originalBytes,
    minQuality: options.minQuality,
    latencyOrigin: createCostModel(profile, { runtime }).estimate([]).ms.origin,
    points,
    ...(passing ? { smallestPassing: passing } : {}),
    missing: asked.length - points.length,
  };
}

/** Bytes of the constants: what the compressor aims at, the stream's own header left out. */
function sizesOf(model: Model, { from, to, points }: FrontierRequest): number[] {
  const [low, high] = [budgetBytes(model, from), budgetBytes(model, to)].sort((a, b) => a - b) as [number, number];
  if (points < 2 || low === high || low <= STREAM_BYTES)
    throw new EigenError('EW1001_USAGE', `${points} points from ${low} to ${high} bytes are no range`, {
      hint: 'Give at least two points and two sizes, such as --from 4x --to 16x.',
    });
  return Array.from({ length: points }, (_, k) => Math.round(high * (low / high) ** (k / (points - 1))) - STREAM_BYTES);
}

interface Store {
  readonly points: readonly FrontierRow[];
  add(point: FrontierRow): Promise<void>;
}

interface About {
  readonly opened: Model;
  readonly profile: Profile;
  readonly runtime: RuntimeKind;
  readonly options: CompressOptions;
}

/** What a run is about; points of another one are no answer to it. The sizes are not part of it. */
function keyOf({ opened, profile, runtime, options }: About, calibration: Uint8Array): string {
  const { wireBudgetBytes: _, ...settings } = options;
  const { dims = {}, set = {} } = opened.request;
  const model = { model: opened.sha256, dims, set };
  const about = { version: packageVersion(), ...model, board: profile.id, runtime, settings };
  return sha256(JSON.stringify(about), calibration);
}

async function openStore({ resume }: FrontierRequest, key: string): Promise<Store> {
  if (resume === undefined) return { points: [], add: async () => {} };
  const kept: FrontierRow[] = [];
  if (await nodeFileSystem.exists(resume)) {
    const stored = parse(await readBytes(resume));
    if (stored?.key !== key) {
      throw new EigenError('EW1001_USAGE', `${resume} does not hold points of this model, data, board and version`, {
        hint: 'Name another file, or remove it to start again.',
      });
    }
    kept.push(...stored.points);
  }
  const add = async (point: FrontierRow): Promise<void> => {
    kept.push(point);
    await writeAtomic(resume, `${JSON.stringify({ key, points: kept }, null, 2)}\n`);
  };
  return { points: [...kept], add };
}

function parse(bytes: Uint8Array): { key: string; points: FrontierRow[] } | undefined {
  try {
    const stored = JSON.parse(new TextDecoder().decode(bytes));
    return typeof stored?.key === 'string' && Array.isArray(stored.points) ? stored : undefined;
  } catch {
    return undefined;
  }
}
