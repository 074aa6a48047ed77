import { Key, Metadata, MetadataKind } from '@tufjs/models';
import { EigenError } from '../../util/errors.ts';
import { formatTime } from '../../wire/metadata.ts';
import { type KeyJson, keyJson, type PublicKey, publicKey, type Signer } from './keys.ts';
import { readMetadata, type SignatureJson, type SignedJson, signMetadata } from './sign.ts';

/** Roles that the root names: TUF's, and the director, who assigns. */
export const ROLES = ['root', 'targets', 'snapshot', 'timestamp', 'director'] as const;
export type RoleName = (typeof ROLES)[number];

/** Who signs for a role: so many of these keys. */
export interface RoleKeys {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

export interface RootContent {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly issued: number;
  readonly expires: number;
  readonly roles: Readonly<Record<RoleName, RoleKeys>>;
}

/** A root file, signed by as many as have signed it so far. */
export interface RootFile {
  readonly content: RootContent;
  readonly bytes: Uint8Array;
  readonly signatures: readonly SignatureJson[];
}

/** @throws EigenError EW8103_ROLES_INVALID when a role has fewer keys than have to sign for it. */
export function makeRoot(content: RootContent, signers: readonly Signer[]): RootFile {
  checkRoles(content.roles);
  return readRoot(signMetadata(rootJson(content), signers));
}

/** Adds signatures to a root that others sign too. */
export function signRoot({ bytes }: RootFile, signers: readonly Signer[]): RootFile {
  const { signed, signatures } = readMetadata(bytes);
  return readRoot(signMetadata(signed, signers, signatures));
}

/** The signatures of several copies of one root that are right, by the keys that may sign it. */
export function mergeRoots(
  [first, ...others]: readonly [RootFile, ...RootFile[]],
  keys: readonly PublicKey[],
): RootFile {
  const { signed } = readMetadata(first.bytes);
  const once = new Map(keys.map((key) => [key.id, key]));
  const signatures = [...once.values()].flatMap((key) => {
    const from = [first, ...others].find((file) => hasSigned(key, file));
    return from?.signatures.filter((s) => s.keyid === key.id).slice(0, 1) ?? [];
  });
  return readRoot(signMetadata(signed, [], signatures));
}

/** Whether two files are of the same root, whoever has signed them. */
export function isSameRoot(one: RootFile, other: RootFile): boolean {
  return signedText(one) === signedText(other);
}

function signedText({ bytes }: RootFile): string {
  return JSON.stringify(
    Metadata.fromJSON(MetadataKind.Root, JSON.parse(new TextDecoder().decode(bytes))).signed.toJSON(),
  );
}

/**
 * A root file that somebody else may have written.
 * @throws EigenError EW8103_ROLES_INVALID.
 */
export function readForeignRoot(bytes: Uint8Array, where: string): RootFile {
  try {
    const root = readRoot(bytes);
    signedText(root);
    checkRoles(root.content.roles);
    return root;
  } catch (cause) {
    throw new EigenError('EW8103_ROLES_INVALID', `${where}: it is no root of a fleet`, {
      hint: 'The one that waits for signatures is staged/root.json in the data folder of the fleet.',
      details: { where },
      cause,
    });
  }
}

/** A root file of our own. */
export function readRoot(bytes: Uint8Array): RootFile {
  const { signed, signatures } = readMetadata(bytes);
  return { content: contentOf(signed as RootJson), bytes, signatures };
}

export interface Awaited {
  /** The keys may sign for the root that is valid, or for the new one. */
  readonly by: 'present' | 'next';
  readonly needed: number;
  readonly keys: readonly PublicKey[];
}

/** Whose signatures a root lacks to follow `present`, which is absent for the first; none when it is complete. */
export function awaitedSignatures(next: RootFile, present?: RootFile): Awaited[] {
  const roles: { by: Awaited['by']; role: RoleKeys }[] = [{ by: 'next', role: next.content.roles.root }];
  if (present) roles.unshift({ by: 'present', role: present.content.roles.root });
  return roles.flatMap(({ by, role: { keys, threshold } }) => {
    const unsigned = keys.filter((key) => !hasSigned(key, next));
    const needed = threshold - (keys.length - unsigned.length);
    return needed > 0 ? [{ by, needed, keys: unsigned }] : [];
  });
}

function hasSigned(key: PublicKey, { bytes }: RootFile): boolean {
  const metadata = Metadata.fromJSON(MetadataKind.Root, JSON.parse(new TextDecoder().decode(bytes)));
  try {
    Key.fromJSON(key.id, { ...keyJson(key), keyval: { public: key.hex } }).verifySignature(metadata);
    return true;
  } catch {
    return false;
  }
}

/** The roles with one of them changed. */
export function withRole(
  roles: Readonly<Record<RoleName, RoleKeys>>,
  name: RoleName,
  change: (role: RoleKeys) => RoleKeys,
): Record<RoleName, RoleKeys> {
  return { ...roles, [name]: change(roles[name]) };
}

function checkRoles(roles: Readonly<Record<RoleName, RoleKeys>>): void {
  for (const name of ROLES) {
    const { keys, threshold } = roles[name];
    if (new Set(keys.map((key) => key.id)).size < keys.length)
      throw new EigenError('EW8103_ROLES_INVALID', `${name}: a key is there twice`, {
        hint: 'Every person who signs needs a key of their own.',
        details: { role: name },
      });
    if (threshold >= 1 && keys.length >= threshold) continue;
    throw new EigenError('EW8103_ROLES_INVALID', `${name}: ${threshold} of ${keys.length} keys cannot sign`, {
      hint: 'Rotate the key instead of revoking it, or lower the threshold.',
      details: { role: name, keys: keys.length, threshold },
    });
  }
}

interface RootJson extends SignedJson {
  readonly issued: string;
  readonly keys: Readonly<Record<string, KeyJson>>;
  readonly roles: Readonly<Record<string, RoleJson>>;
  readonly director: RoleJson;
}

interface RoleJson {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

/**
 * The director is no role of TUF: it stands in a field of its own, so that other clients of TUF take the file for what it is.
 */
function rootJson({ version, issued, expires, roles }: RootContent): RootJson {
  const role = (name: RoleName): RoleJson => ({
    keyids: roles[name].keys.map((key) => key.id),
    threshold: roles[name].threshold,
  });
  const keys = ROLES.flatMap((name) => roles[name].keys.map((key) => [key.id, keyJson(key)] as const));
  const [root, targets, snapshot, timestamp] = [role('root'), role('targets'), role('snapshot'), role('timestamp')];
  return {
    _type: MetadataKind.Root,
    version,
    issued: formatTime(issued),
    expires: formatTime(expires),
    consistent_snapshot: true,
    keys: Object.fromEntries(keys),
    roles: { root, targets, snapshot, timestamp },
    director: role('director'),
  };
}

function contentOf({ version, issued, expires, keys, roles, director }: RootJson): RootContent {
  const role = ({ keyids, threshold }: RoleJson): RoleKeys => ({
    keys: keyids.map((id) => publicKey(keys[id]!.keyval.public)),
    threshold,
  });
  const named = ROLES.map((name) => [name, role(name === 'director' ? director : roles[name]!)] as const);
  return {
    version,
    issued: Date.parse(issued),
    expires: Date.parse(expires),
    roles: Object.fromEntries(named) as Record<RoleName, RoleKeys>,
  };
}
