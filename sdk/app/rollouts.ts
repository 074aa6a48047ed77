import { readFile } from 'node:fs/promises';
import { describeBundle, openBundle } from '../bundle/index.ts';
import { endingOf } from '../fleet/rollout/ending.ts';
import type { Preview } from '../fleet/rollout/preview.ts';
import type { Action, RolloutEvent } from '../fleet/rollout/service.ts';
import type { RolloutInput, Size, Variant } from '../fleet/rollout/spec.ts';
import { isOver, type Phase } from '../fleet/rollout/state.ts';
import type { Summary } from '../fleet/rollout/summary.ts';
import { timelineOf } from '../fleet/rollout/timeline.ts';
import type { RolloutReport } from '../report/index.ts';
import { type Clock, pause, systemClock } from '../util/clock.ts';
import { EigenError } from '../util/errors.ts';
import { sha256 } from '../util/hash.ts';
import { AGENT_FAMILY } from '../wire/assignment.ts';
import type { FleetClient } from './fleet-client.ts';

export type { Preview, RolloutEvent, RolloutInput, Size, Summary };

export interface RolloutListing {
  readonly id: string;
  readonly phase: Phase;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly createdBy: string;
}

/** What a description is made of: a JSON file, bundle files, and single fields that count more. */
export interface RolloutRequest {
  readonly file?: string;
  /** One for each board, or several of which the first is the best. */
  readonly bundles?: readonly string[];
  readonly fields?: Partial<RolloutInput>;
}

/** Reads a description. @throws EigenError EW1002_FILE_NOT_FOUND, EW1012_ROLLOUT_INVALID, EW6001_BUNDLE_UNREADABLE. */
export async function describeRollout({ file, bundles = [], fields = {} }: RolloutRequest): Promise<unknown> {
  const described: Record<string, unknown> = file === undefined ? {} : parse(await read(file), file);
  const variants = await Promise.all(bundles.map(variantOf));
  const gate = { ...(described.gate as object | undefined), ...fields.gate };
  const whole = { ...described, ...(variants.length > 0 ? { variants } : {}), ...fields, gate };
  for (const [field, hint] of Object.entries(NEEDED)) if (!(field in whole)) throw missingField(field, hint);
  return whole;
}

/** What a description must have, and how to say it. */
const NEEDED = {
  name: 'Name the rollout, e.g. kws@2.',
  query: "Say which devices: --query 'tag.site = lab', or all.",
  variants: 'Name bundles with --bundle, or a published version as FAMILY@VERSION.',
  waves: 'Say in which steps: --waves 5,25%,100%.',
};

function missingField(field: string, hint: string): EigenError {
  return new EigenError('EW1012_ROLLOUT_INVALID', `${field} is missing`, { hint, details: { field } });
}

interface Published {
  readonly path: string;
  readonly family: string;
  readonly board: string;
  readonly sha256: string;
}

/**
 * The bundles of a published version, one a board: FAMILY@VERSION is what is listed as FAMILY/BOARD/VERSION, or as FAMILY-VERSION, with
 * or without an ending of files.
 * @throws EigenError EW2102_NOT_FOUND.
 */
export async function publishedVersion(
  client: Pick<FleetClient, 'ask'>,
  version: string,
  signal?: AbortSignal,
): Promise<Pick<RolloutInput, 'kind' | 'variants'>> {
  const { bundles } = await client.ask<{ bundles: Published[] }>('GET', '/v1/bundles', undefined, signal);
  const named = ({ path, family }: Published): boolean => {
    const name = path
      .split('/')
      .at(-1)!
      .replace(/\.ewb$/, '');
    return [
      `${family}@${name}`,
      name.startsWith(`${family}-`) ? `${family}@${name.slice(family.length + 1)}` : '',
    ].includes(version);
  };
  const variants = bundles.filter(named).map(({ sha256: digest, board }) => ({ sha256: digest, board }));
  const kind = version.startsWith(`${AGENT_FAMILY}@`) ? 'agent' : 'model';
  if (variants.length > 0) return { kind, variants };
  throw new EigenError('EW2102_NOT_FOUND', `no bundle is published as ${version}`, {
    hint: 'Publish it with --family and --name, or name bundle files with --bundle.',
    details: { version },
  });
}

function parse(bytes: Uint8Array, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below, as for JSON that is no object.
  }
  throw new EigenError('EW1012_ROLLOUT_INVALID', `${file}: it is no JSON object`, {
    hint: 'The README, "Rollouts", has an example.',
  });
}

/** A bundle as one to choose from; of its time nothing is known before a device has measured it. */
async function variantOf(path: string): Promise<Variant> {
  const bytes = await read(path);
  const bundle = openBundle(bytes);
  const { residentWeightBytes, arenaBytes, scratchBytes } = describeBundle(bundle);
  return {
    sha256: sha256(bytes),
    board: bundle.manifest.target.id,
    modelBytes: residentWeightBytes + arenaBytes + scratchBytes,
  };
}

async function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: Error) => {
    throw new EigenError('EW1002_FILE_NOT_FOUND', `${path} cannot be read: ${cause.message}`, { cause });
  });
}

const pathOf = (id: string): string => `/v1/rollouts/${encodeURIComponent(id)}`;

/** Who would get what when, if it was started now. */
export function planRollout(client: FleetClient, description: unknown, signal?: AbortSignal): Promise<Preview> {
  return client.ask('POST', '/v1/rollouts/plan', description, signal);
}

/** Writes it down; it begins with the action `start`. */
export function createRollout(client: FleetClient, description: unknown, signal?: AbortSignal): Promise<Summary> {
  return client.ask('POST', '/v1/rollouts', description, signal);
}

export interface ActionOptions {
  readonly reason?: string;
  /** Of abort: devices that have the bundle keep it. */
  readonly leave?: boolean;
  readonly signal?: AbortSignal;
}

/** @throws EigenError EW7301_ROLLOUT_STATE, EW2102_NOT_FOUND. */
export function actOnRollout(
  client: FleetClient,
  id: string,
  action: Action,
  { signal, ...options }: ActionOptions = {},
): Promise<Summary> {
  if (action === 'approve') return client.ask('POST', `${pathOf(id)}/approve`, {}, signal);
  return client.ask('POST', `${pathOf(id)}/actions`, { action, ...options }, signal);
}

export async function listRollouts(client: FleetClient, signal?: AbortSignal): Promise<readonly RolloutListing[]> {
  const { rollouts } = await client.ask<{ rollouts: RolloutListing[] }>('GET', '/v1/rollouts', undefined, signal);
  return rollouts;
}

/** Events after one, in pages. */
async function eventsAfter(
  client: FleetClient,
  id: string,
  after: number,
  signal?: AbortSignal,
): Promise<RolloutEvent[]> {
  const all: RolloutEvent[] = [];
  for (;;) {
    const path = `${pathOf(id)}/events?after=${all.at(-1)?.n ?? after}&limit=10000`;
    const { events } = await client.ask<{ events: RolloutEvent[] }>('GET', path, undefined, signal);
    if (events.length === 0) return all;
    all.push(...events);
  }
}

/** Between two looks, milliseconds. */
const LOOK = 1000;

export interface WatchOptions {
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Told how it stands and what happened since the last time; first of all that happened before. */
  onChange(summary: Summary, events: readonly RolloutEvent[]): void;
}

/** Follows a rollout until it has ended, or the signal aborts. @returns how it stands then. */
export async function watchRollout(client: FleetClient, id: string, options: WatchOptions): Promise<Summary> {
  const { signal = new AbortController().signal, clock = systemClock, onChange } = options;
  for (let last = 0; ; await pause(clock, LOOK, signal)) {
    signal.throwIfAborted();
    // The events are not older than the summary: with one that has ended all of them have come.
    const summary = await client.ask<Summary>('GET', pathOf(id), undefined, signal);
    const events = await eventsAfter(client, id, last, signal);
    if (events.length > 0 || last === 0) onChange(summary, events);
    last = events.at(-1)?.n ?? last;
    if (isOver(summary.phase)) return summary;
  }
}

/** What `report.rolloutPage` shows. */
export async function reportRollout(client: FleetClient, id: string, signal?: AbortSignal): Promise<RolloutReport> {
  const events = await eventsAfter(client, id, 0, signal);
  const summary = await client.ask<Summary>('GET', pathOf(id), undefined, signal);
  return { ...summary, timeline: timelineOf(events) };
}

/** What is wrong with how a rollout ended; undefined of one that ended well or goes on. */
export function rolloutVerdict(summary: Summary): EigenError | undefined {
  return endingOf(summary);
}
