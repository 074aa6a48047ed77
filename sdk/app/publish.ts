import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { bytesSource, describeBlob, readBundle } from '../bundle/index.ts';
import { BlobFolder } from '../fleet/blobs/blob-folder.ts';
import { Repository, targetPath, withLock } from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { readBytes } from '../util/files.ts';
import { AGENT_FAMILY, type Delta } from '../wire/assignment.ts';
import { writeDelta } from './delta.ts';
import { type KeysRequest, metadataIn, ringOf, storeOf } from './key-files.ts';

export interface PublishRequest extends KeysRequest {
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
 * Puts a bundle where devices fetch from, and lists it as one that they may run.
 * @throws EigenError EW6001 to EW6003 for what is no bundle, EW8102_SIGNATURES_MISSING, EW8103_ROLES_INVALID.
 */
export async function publishBundle(request: PublishRequest): Promise<PublishReport> {
  const { folder, bundle, family, role = 'targets' } = request;
  const board = await boardOf(request);
  const path = targetPath(family, board, request.name ?? basename(bundle));
  const blobs = new BlobFolder(folder);
  try {
    const blob = await blobs.add(bundle);
    const deltas: Delta[] = [];
    for (const old of request.from ?? []) deltas.push(await addDelta(blobs, old, bundle));
    const version = await withRepository(request, async (repository, ring) => {
      await repository.list({ [path]: { family, board, blob, ...(deltas.length ? { deltas } : {}) } }, ring, role);
      return repository.targets(role)!.version;
    });
    const offered = deltas.map(({ from, blob: d }) => ({ from, sha256: d.sha256, bytes: d.bytes }));
    return { path, sha256: blob.sha256, bytes: blob.bytes, deltas: offered, version };
  } finally {
    await blobs.close();
  }
}

async function boardOf({ bundle, family, board }: PublishRequest): Promise<string> {
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
  request: KeysRequest,
  path: string,
  role = 'targets',
): Promise<{ version: number }> {
  return withRepository(request, async (repository, ring) => {
    await repository.unlist([path], ring, role);
    return { version: repository.targets(role)!.version };
  });
}

async function addDelta(blobs: BlobFolder, old: string, bundle: string): Promise<Delta> {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-'));
  try {
    const file = join(folder, 'delta');
    await writeDelta(old, bundle, file);
    const { sha256 } = await describeBlob(bytesSource(await readBytes(old)));
    return { from: sha256, blob: await blobs.add(file) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withRepository<T>(
  request: KeysRequest,
  work: (repository: Repository, ring: Awaited<ReturnType<typeof ringOf>>) => Promise<T>,
): Promise<T> {
  return withLock(metadataIn(request.folder), async () =>
    work(await Repository.open(storeOf(request.folder)), await ringOf(request)),
  );
}
