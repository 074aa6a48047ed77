import type { TrustAnchor } from '../device/trust/parse.ts';
import { isRefusal, refused } from '../device/trust/refusal.ts';
import { fetchFile, type MetadataSource } from '../device/trust/source.ts';
import {
  checkFresh,
  metaOf,
  verifyFirstRoot,
  verifyKnownSnapshot,
  verifyRoot,
  verifySnapshot,
  verifyTargets,
  verifyTimestamp,
} from '../device/trust/verify.ts';
import { type MetadataStore, type RoleKeys, readRoot, readTargets, type TargetsContent } from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { MOST_BYTES, MOST_ROTATIONS } from '../wire/metadata.ts';

/** Where the metadata of a fleet elsewhere comes from, and what it is believed by. */
export interface RemoteFleet {
  /** Nothing of it is trusted. */
  readonly source: MetadataSource;
  /** The root that is trusted: what devices were delivered with, or a later one. */
  readonly root: Uint8Array;
  /** What was believed last: a controller that shows something older is not. */
  readonly seen: MetadataStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What a role of targets lists, and who signs for it. */
export interface PresentTargets {
  readonly content: TargetsContent;
  readonly keys: RoleKeys;
  /** Whether it may list a path. */
  covers(path: string): boolean;
}

const SEEN = ['root', 'timestamp', 'snapshot'] as const;
type Seen = Readonly<
  Record<(typeof SEEN)[number], { readonly bytes: Uint8Array; readonly signed: { version: number } }>
>;

/**
 * What a role of targets lists now, by the checks of devices: signed by whom the trusted root leads to, fresh, and not older than what was
 * seen before.
 * @throws EigenError EW7006_METADATA_REFUSED that names the attack, EW8103_ROLES_INVALID for a role that there is not.
 */
export async function presentTargets(fleet: RemoteFleet, role: string): Promise<PresentTargets> {
  const { source, seen, now } = fleet;
  // Before anything is fetched: others may see something newer meanwhile.
  const [before, ...known] = await Promise.all(SEEN.map(async (name) => (await seen.read(name))?.bytes));
  const root = await newestRoot(before ?? fleet.root, source);
  const [timestampBefore, snapshotBefore] = [
    ifBelieved(() => known[0] && verifyTimestamp(known[0], root, undefined)),
    ifBelieved(() => known[1] && verifyKnownSnapshot(known[1], root)),
  ];
  const timestamp =
    verifyTimestamp(await fetched(source, 'timestamp', undefined), root, timestampBefore) ?? timestampBefore!;
  const { version } = timestamp.signed.snapshotMeta;
  const snapshot = verifySnapshot(await fetched(source, 'snapshot', version), { root, timestamp }, snapshotBefore);
  for (const [name, file] of Object.entries({ root, timestamp, snapshot })) checkFresh(name, file, now());
  const targetsOf = async (name: string, by: Parameters<typeof verifyTargets>[2]) => {
    const meta = metaOf(snapshot, `${name}.json`);
    if (!meta) throw unknownRole(name);
    return verifyTargets(await fetched(source, 'targets', meta.version, name), name, by, meta);
  };
  const targets = await targetsOf('targets', root.metadata);
  await remember(seen, { root, timestamp, snapshot }, root);
  const content = readTargets(targets.bytes);
  if (role === 'targets') return { content, keys: readRoot(root.bytes).content.roles.targets, covers: () => true };
  const delegation = content.delegations.find((d) => d.name === role);
  if (!delegation) throw unknownRole(role);
  return {
    content: readTargets((await targetsOf(role, targets.metadata)).bytes),
    keys: delegation,
    covers: (path) => [...(targets.signed.delegations?.rolesForTarget(path) ?? [])].some((d) => d.role === role),
  };
}

/** Keeps what is newer than what is kept: others may have seen more meanwhile, by a later root too. What is not believed any more does not count. */
async function remember(seen: MetadataStore, found: Seen, root: TrustAnchor): Promise<void> {
  const read: Record<keyof Seen, (bytes: Uint8Array) => Seen[keyof Seen] | undefined> = {
    root: verifyFirstRoot,
    timestamp: (bytes) => verifyTimestamp(bytes, root, undefined),
    snapshot: (bytes) => verifyKnownSnapshot(bytes, root),
  };
  for (const name of SEEN) {
    const bytes = (await seen.read(name))?.bytes;
    const kept = bytes && ifBelieved(() => read[name](bytes));
    if (name === 'root' && kept && kept.signed.version > found.root.signed.version) return;
    if (!kept || kept.signed.version < found[name].signed.version) await seen.write(name, found[name].bytes);
  }
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

/** Undefined for what keys have signed that are void now. */
function ifBelieved<T>(verify: () => T): T | undefined {
  try {
    return verify();
  } catch (e) {
    if (isRefusal(e)) return undefined;
    throw e;
  }
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
