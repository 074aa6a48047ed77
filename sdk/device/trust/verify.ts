import type { Metadata, MetaFile, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { sha256 } from '../../util/hash.ts';
import {
  type Dated,
  type Parsed,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
  type TrustAnchor,
} from './parse.ts';
import { refused } from './refusal.ts';

/**
 * The checks of TUF's client workflow (specification 1.0, section 5), each on bytes from anywhere. What they return was signed by
 * whoever may. All @throws EigenError EW7006_METADATA_REFUSED that names the attack. Expiry is checked apart, by `checkFresh`.
 */

/** 5.3: the root after `trusted`: signed by the threshold of both. */
export function verifyRoot(bytes: Uint8Array, trusted: TrustAnchor): TrustAnchor {
  const next = parseRoot(bytes);
  checkSigned(trusted.metadata, 'root', next.metadata);
  checkSigned(next.metadata, 'root', next.metadata);
  const [found, wanted] = [next.signed.version, trusted.signed.version + 1];
  if (found < wanted) throw refused('rollback', 'root', `version ${found} in place of ${wanted}`);
  if (found > wanted) throw refused('fast-forward', 'root', `version ${found} in place of ${wanted}`);
  if (next.issued < trusted.issued) throw refused('rollback', 'root', 'it was issued before the root that is trusted');
  return next;
}

/** 5.2: what a device was given, or kept: its own keys have signed it. */
export function verifyFirstRoot(bytes: Uint8Array): TrustAnchor {
  const root = parseRoot(bytes);
  checkSigned(root.metadata, 'root', root.metadata);
  return root;
}

/** 5.4. `known` is the timestamp that is trusted; undefined is returned where this is the same. */
export function verifyTimestamp(
  bytes: Uint8Array,
  root: TrustAnchor,
  known: Dated<Timestamp> | undefined,
): Dated<Timestamp> | undefined {
  const next = parseTimestamp(bytes);
  checkSigned(root.metadata, 'timestamp', next.metadata);
  // Who holds a key that is online cannot move the time past what keys that are not have signed.
  if (next.issued > root.expires) throw refused('time-jump', 'timestamp', 'it was issued after the root expires');
  if (!known) return next;
  const { version } = next.signed;
  if (version < known.signed.version)
    throw refused('rollback', 'timestamp', `version ${version} after ${known.signed.version}`);
  if (version === known.signed.version) return undefined;
  const [now, before] = [next.signed.snapshotMeta.version, known.signed.snapshotMeta.version];
  if (now < before) throw refused('rollback', 'timestamp', `snapshot ${now} after ${before}`);
  if (next.issued < known.issued)
    throw refused('rollback', 'timestamp', 'it was issued before the one that is trusted');
  return next;
}

/** 5.5, for what the timestamp says of it. `known` is the snapshot that is trusted. */
export function verifySnapshot(
  bytes: Uint8Array,
  { root, timestamp }: { readonly root: TrustAnchor; readonly timestamp: Dated<Timestamp> },
  known: Parsed<Snapshot> | undefined,
): Parsed<Snapshot> {
  const { snapshotMeta } = timestamp.signed;
  checkContent('snapshot', bytes, snapshotMeta);
  const next = parseSnapshot(bytes);
  checkSigned(root.metadata, 'snapshot', next.metadata);
  checkVersion('snapshot', next.signed.version, snapshotMeta.version);
  for (const [name, { version }] of Object.entries(known?.signed.meta ?? {})) {
    const now = metaOf(next, name);
    if (!now) throw refused('rollback', 'snapshot', `${name} is not listed any more`);
    if (now.version < version)
      throw refused('rollback', 'snapshot', `${name} has version ${now.version} after ${version}`);
  }
  return next;
}

/** A snapshot from the device's own files: signed by whoever may under this root, and good to compare others with. */
export function verifyKnownSnapshot(bytes: Uint8Array, root: TrustAnchor): Parsed<Snapshot> {
  const known = parseSnapshot(bytes);
  checkSigned(root.metadata, 'snapshot', known.metadata);
  return known;
}

/** 5.6: a role of targets, for what the snapshot says of it and for who delegates to it. */
export function verifyTargets(
  bytes: Uint8Array,
  role: string,
  delegator: Metadata<Root> | Metadata<Targets>,
  meta: MetaFile,
): Parsed<Targets> {
  checkContent(role, bytes, meta);
  const next = parseTargets(role, bytes);
  checkSigned(delegator, role, next.metadata);
  checkVersion(role, next.signed.version, meta.version);
  return next;
}

/** The assignment of a device: signed by the director that the root names. */
export function verifyAssignment(bytes: Uint8Array, root: TrustAnchor): Parsed<Targets> {
  const next = parseTargets('assignment', bytes);
  checkSigned(root.director, 'director', next.metadata);
  return next;
}

/** What a snapshot says of a role's file; names that JavaScript objects have on their own are none. */
export function metaOf({ signed }: Parsed<Snapshot>, name: string): MetaFile | undefined {
  return Object.hasOwn(signed.meta, name) ? signed.meta[name] : undefined;
}

/** @param time milliseconds since 1970. */
export function checkFresh(
  file: string,
  { expires, signed }: { expires: number; signed: { expires: string } },
  time: number,
): void {
  if (time >= expires) throw refused('freeze', file, `it has expired on ${signed.expires}`);
}

function checkSigned(
  by: Metadata<Root> | Metadata<Targets>,
  role: string,
  metadata: Parameters<Metadata<Root>['verifyDelegate']>[1],
): void {
  try {
    by.verifyDelegate(role, metadata);
  } catch (e) {
    throw refused('arbitrary-installation', role, e instanceof Error ? e.message.slice(0, 200) : 'it is not signed');
  }
}

/** Before anything of a file is looked at. Sizes and hashes are not optional here: they keep work on foreign bytes small. */
function checkContent(file: string, bytes: Uint8Array, { length, hashes }: MetaFile): void {
  if (length === undefined || hashes?.sha256 === undefined)
    throw refused('malformed-metadata', file, 'its size and SHA-256 are not signed');
  if (bytes.length > length) throw refused('endless-data', file, `${bytes.length} bytes, ${length} are signed`);
  if (bytes.length !== length || sha256(bytes) !== hashes.sha256)
    throw refused('mix-and-match', file, 'it is not the file that is signed for');
}

function checkVersion(file: string, found: number, signed: number): void {
  if (found !== signed) throw refused('mix-and-match', file, `version ${found}, ${signed} is signed for`);
}
