import { MetadataKind } from '@tufjs/models';
import { EigenError } from '../../util/errors.ts';
import { decodeListed, encodeListed, formatTime, isDelegatedRoleName, type ListedBundle } from '../../wire/metadata.ts';
import { type KeyJson, keyJson, publicKey, type Signer } from './keys.ts';
import type { RoleKeys } from './root.ts';
import { readMetadata, type SignedJson, signMetadata } from './sign.ts';

/** A role that signs for the targets under some paths, in place of the role 'targets'. */
export interface Delegation extends RoleKeys {
  readonly name: string;
  /** Patterns for paths, part by part; * in a part stands for anything there: a family, a board, or one of both. */
  readonly paths: readonly string[];
}

/** What a role of targets lists, and whom it trusts with more. */
export interface TargetsContent {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** By path, see `targetPath`. */
  readonly targets: Readonly<Record<string, ListedBundle>>;
  readonly delegations: readonly Delegation[];
}

const PART = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;

/** FAMILY/BOARD/NAME: what delegations by family and by hardware class go by. @throws EigenError EW8103_ROLES_INVALID. */
export function targetPath(family: string, board: string, name: string): string {
  for (const part of [family, board, name])
    if (!PART.test(part)) throw invalidName(part, 'a family, a board and a name have letters, digits, -, _ and dots');
  return `${family}/${board}/${name}`;
}

/** @throws EigenError EW8103_ROLES_INVALID for a delegation that devices would not accept. */
export function checkDelegation({ name, paths, keys, threshold }: Delegation): void {
  if (!isDelegatedRoleName(name)) throw invalidName(name, 'a role is named by 1 to 64 letters, digits, - and _');
  if (paths.length === 0 || threshold < 1 || keys.length < threshold)
    throw invalidName(name, `${paths.length} paths, ${keys.length} keys of which ${threshold} sign: no role has that`);
}

export function invalidName(name: string, what: string): EigenError {
  return new EigenError('EW8103_ROLES_INVALID', `'${name.slice(0, 128)}': ${what}`, {
    hint: 'Choose another name; eigenweights keys show prints what there is.',
    details: { name },
  });
}

interface TargetsJson extends SignedJson {
  readonly targets: Readonly<Record<string, { length: number; hashes: Record<string, string>; custom: unknown }>>;
  readonly delegations?: {
    readonly keys: Readonly<Record<string, KeyJson>>;
    readonly roles: readonly { name: string; paths: string[]; keyids: string[]; threshold: number }[];
  };
}

/** The file of a role of targets. @param signers as many as its threshold. */
export function signTargets(content: TargetsContent, signers: readonly Signer[]): Uint8Array {
  return signMetadata(targetsJson(content), signers);
}

function targetsJson({ version, expires, targets, delegations }: TargetsContent): SignedJson {
  const keys = delegations.flatMap((d) => d.keys.map((key) => [key.id, keyJson(key)] as const));
  const roles = delegations.map(({ name, paths, keys: own, threshold }) => ({
    name,
    paths,
    keyids: own.map((key) => key.id),
    threshold,
    terminating: false,
  }));
  const listed = Object.entries(targets).map(([path, bundle]) => [path, encodeListed(bundle)] as const);
  return {
    _type: MetadataKind.Targets,
    version,
    expires: formatTime(expires),
    targets: Object.fromEntries(listed),
    ...(delegations.length ? { delegations: { keys: Object.fromEntries(keys), roles } } : {}),
  };
}

/** A targets file of our own. */
export function readTargets(bytes: Uint8Array): TargetsContent {
  const { version, expires, targets, delegations } = readMetadata(bytes).signed as TargetsJson;
  const listed = Object.entries(targets).map(([path, target]) => [path, decodeListed(target)] as const);
  return {
    version,
    expires: Date.parse(expires),
    targets: Object.fromEntries(listed),
    delegations: (delegations?.roles ?? []).map(({ name, paths, keyids, threshold }) => ({
      name,
      paths,
      keys: keyids.map((id) => publicKey(delegations!.keys[id]!.keyval.public)),
      threshold,
    })),
  };
}
