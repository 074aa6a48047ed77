import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import type { TrustAnchor } from '../device/trust/parse.ts';
import { refused } from '../device/trust/refusal.ts';
import { fetchFile, type MetadataSource } from '../device/trust/source.ts';
import {
  checkFresh,
  metaOf,
  verifyFirstRoot,
  verifyRoot,
  verifySnapshot,
  verifyTargets,
  verifyTimestamp,
} from '../device/trust/verify.ts';
import {
  type Keyring,
  LIFETIMES,
  type RoleKeys,
  readRoot,
  readTargets,
  signTargets,
  type TargetsContent,
} from '../fleet/trust/index.ts';
import { EigenError, isEigenError } from '../util/errors.ts';
import { MOST_BYTES, MOST_ROTATIONS } from '../wire/metadata.ts';
import type { FleetClient } from './fleet-client.ts';

/** Others that may publish while this does. */
const TRIES = 5;

export interface RemoteSigner {
  readonly client: FleetClient;
  /** The root that is trusted: what devices were delivered with, or a later one. */
  readonly root: Uint8Array;
  readonly ring: Keyring;
  readonly now: () => number;
  readonly signal?: AbortSignal;
}

/**
 * Changes what a role of targets lists on a controller elsewhere. What it lists now is verified as devices do, changed and signed here,
 * with keys that stay here, and put online by the controller, which verifies it in turn. What is listed already is not signed again.
 * @returns the version that lists it.
 * @throws EigenError EW7006_METADATA_REFUSED for what the controller sends, EW8102_SIGNATURES_MISSING, EW8103_ROLES_INVALID,
 * EW8105_TARGETS_REFUSED, EW8106_TARGETS_OUTDATED, EW5205_CONTROLLER_UNREACHABLE.
 */
export async function changeTargets(
  signer: RemoteSigner,
  role: string,
  change: (targets: TargetsContent['targets']) => TargetsContent['targets'],
): Promise<number> {
  const { client, ring, now, signal } = signer;
  for (let tries = 1; ; tries++) {
    const { content, keys } = await presentTargets(signer, role);
    const targets = change(content.targets);
    if (isDeepStrictEqual(targets, content.targets)) return content.version;
    const version = content.version + 1;
    const next = { ...content, version, targets, expires: now() + LIFETIMES.targets };
    const bytes = signTargets(next, ring.allFor(role, keys));
    try {
      await client.put(`/v1/metadata/${role}`, bytes.length, Readable.from([bytes]), signal);
      return version;
    } catch (e) {
      if (!isEigenError(e) || e.code !== 'EW8106_TARGETS_OUTDATED' || tries >= TRIES) throw e;
    }
  }
}

interface Present {
  readonly content: TargetsContent;
  /** Who signs for it. */
  readonly keys: RoleKeys;
}

/** What a role lists now: signed by whom the trusted root leads to, and fresh. */
async function presentTargets({ client, root: first, now, signal }: RemoteSigner, role: string): Promise<Present> {
  const source: MetadataSource = {
    fetch: (name, version, most) =>
      client.file(`/metadata/${version === undefined ? '' : `${version}.`}${name}.json`, most, signal),
  };
  const root = await newestRoot(first, source);
  checkFresh('root', root, now());
  const timestamp = verifyTimestamp(await fetched(source, 'timestamp', undefined), root, undefined)!;
  checkFresh('timestamp', timestamp, now());
  const { version } = timestamp.signed.snapshotMeta;
  const snapshot = verifySnapshot(await fetched(source, 'snapshot', version), { root, timestamp }, undefined);
  checkFresh('snapshot', snapshot, now());
  const targetsOf = async (name: string, by: Parameters<typeof verifyTargets>[2]) => {
    const meta = metaOf(snapshot, `${name}.json`);
    if (!meta) throw unknownRole(name);
    return verifyTargets(await fetched(source, 'targets', meta.version, name), name, by, meta);
  };
  const targets = await targetsOf('targets', root.metadata);
  const content = readTargets(targets.bytes);
  if (role === 'targets') return { content, keys: readRoot(root.bytes).content.roles.targets };
  const delegation = content.delegations.find((d) => d.name === role);
  if (!delegation) throw unknownRole(role);
  return { content: readTargets((await targetsOf(role, targets.metadata)).bytes), keys: delegation };
}

/** TUF 5.3: every root from the one that is trusted. */
async function newestRoot(first: Uint8Array, source: MetadataSource): Promise<TrustAnchor> {
  let root = verifyFirstRoot(first);
  for (let i = 0; i < MOST_ROTATIONS; i++) {
    const bytes = await fetchFile(source, 'root', root.signed.version + 1, MOST_BYTES.root);
    if (!bytes) break;
    root = verifyRoot(bytes, root);
  }
  return root;
}

/** @param kind what it is limited as. */
async function fetched(
  source: MetadataSource,
  kind: 'timestamp' | 'snapshot' | 'targets',
  version: number | undefined,
  role: string = kind,
): Promise<Uint8Array> {
  const bytes = await fetchFile(source, role, version, MOST_BYTES[kind]);
  if (!bytes) throw refused('withheld', role, 'the controller does not have it');
  return bytes;
}

function unknownRole(name: string): EigenError {
  return new EigenError('EW8103_ROLES_INVALID', `'${name.slice(0, 80)}': there is no such role`, {
    hint: 'eigenweights keys show, where the data folder is, prints what there is.',
    details: { name },
  });
}
