import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { readBundle } from '../bundle/index.ts';
import { targetPath } from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { hashOf } from '../util/files.ts';
import { AGENT_FAMILY, type Delta } from '../wire/assignment.ts';
import { writeDelta } from './delta.ts';
import { type PublishPlace, type PublishWhere, placeOf } from './publish-places.ts';

export type PublishRequest = PublishContent & PublishWhere;

/** What is published, and under which path. */
export interface PublishContent {
  /** A .ewb file, or an agent's. */
  readonly bundle: string;
  /** Of models: bundles of one are versions of each other. `AGENT_FAMILY` for agents. */
  readonly family: string;
  /** Of devices that an agent is for; bundles say theirs themselves. */
  readonly board?: string;
  /** The name it is listed under; that of the file where it is absent. */
  readonly name?: string;
  /** Who lists it: 'targets', or a role that they delegate to. */
  readonly role?: string;
  /** Bundles that devices have, to which a delta is offered. */
  readonly from?: readonly string[];
}

export interface PublishReport {
  /** FAMILY/BOARD/NAME. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly deltas: readonly { readonly from: string; readonly sha256: string; readonly bytes: number }[];
  /** Of the role's metadata. */
  readonly version: number;
}

/**
 * Puts a bundle where devices fetch from, and lists it as one that they may run. On a controller elsewhere it goes on where it stopped.
 * @throws EigenError EW6001 to EW6003 for what is no bundle, EW8102_SIGNATURES_MISSING, EW8103_ROLES_INVALID; of a controller also what
 * `changeTargets` throws.
 */
export async function publishBundle(request: PublishRequest): Promise<PublishReport> {
  const { bundle, family, role = 'targets' } = request;
  const board = await boardOf(request);
  const path = targetPath(family, board, request.name ?? basename(bundle));
  const place = placeOf(request);
  try {
    await place.check(path, role);
    const blob = await place.add(bundle);
    const deltas: Delta[] = [];
    for (const old of request.from ?? []) deltas.push(await addDelta(place, old, bundle));
    const version = await place.list({ [path]: { family, board, blob, ...(deltas.length ? { deltas } : {}) } }, role);
    const offered = deltas.map(({ from, blob: d }) => ({ from, sha256: d.sha256, bytes: d.bytes }));
    return { path, sha256: blob.sha256, bytes: blob.bytes, deltas: offered, version };
  } finally {
    await place.close();
  }
}

async function boardOf({ bundle, family, board }: PublishContent): Promise<string> {
  const isAgent = family === AGENT_FAMILY;
  if (isAgent && board !== undefined) return board;
  if (isAgent || board !== undefined)
    throw new EigenError('EW1001_USAGE', `a board is said for ${AGENT_FAMILY}, and for nothing else`, {
      hint: `Use --board with --family ${AGENT_FAMILY}; a bundle is for the board it was compiled for.`,
    });
  return (await readBundle(bundle)).manifest.target.id;
}

/** Takes a bundle from the list: devices that do not have it will not install it. The file stays for those that have begun. */
export async function withdrawBundle(
  where: PublishWhere,
  path: string,
  role = 'targets',
): Promise<{ version: number }> {
  const place = placeOf(where);
  try {
    return { version: await place.unlist(path, role) };
  } finally {
    await place.close();
  }
}

async function addDelta(place: PublishPlace, old: string, bundle: string): Promise<Delta> {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-'));
  try {
    const file = join(folder, 'delta');
    await writeDelta(old, bundle, file);
    return { from: await hashOf(old), blob: await place.add(file) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
