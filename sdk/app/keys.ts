import { rm } from 'node:fs/promises';
import {
  awaitedSignatures,
  type Delegation,
  isSameRoot,
  Keyring,
  LIFETIMES,
  makeRoot,
  mergeRoots,
  type PublicKey,
  Repository,
  ROLES,
  type RoleKeys,
  type RoleName,
  type RootFile,
  readForeignRoot,
  readPublicKey,
  Signer,
  signRoot,
  withLock,
  writeKey,
} from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { readBytes, writeAtomic } from '../util/files.ts';
import {
  type KeysReport,
  type KeysRequest,
  keysIn,
  metadataIn,
  reportOf,
  repositoryOf,
  ringOf,
  stagedIn,
  stagedRoot,
  storeOf,
} from './key-files.ts';

/** Whose keys the root of a new fleet has: so many that are made here, or public ones of people who keep the secret halves. */
export interface RootOwners {
  readonly rootKeys: number;
  readonly threshold: number;
  /** Files; where there are any, no keys are made for the root. */
  readonly publicKeys?: readonly string[];
}

/**
 * Makes the keys of a fleet, one file each, and its first metadata. A root of other people's keys waits for their signatures.
 * @throws EigenError EW8103_ROLES_INVALID for a fleet that is there already, or a threshold above the keys.
 */
export async function initKeys(
  { folder }: Pick<KeysRequest, 'folder'>,
  { rootKeys, threshold, publicKeys = [] }: RootOwners,
): Promise<KeysReport> {
  const brought = await Promise.all(publicKeys.map(readPublicKey));
  const made = brought.length > 0 ? 0 : rootKeys;
  const signers = ROLES.flatMap((role) =>
    Array.from({ length: role === 'root' ? made : 1 }, () => ({ role, signer: Signer.generate() })),
  );
  const roles = ROLES.map((role): [RoleName, RoleKeys] => {
    const keys = signers.filter((s) => s.role === role).map((s) => s.signer.key);
    return [role, role === 'root' ? { keys: [...keys, ...brought], threshold } : { keys, threshold: 1 }];
  });
  const issued = Date.now();
  const content = { version: 1, issued, expires: issued + LIFETIMES.root };
  const root = makeRoot(
    { ...content, roles: Object.fromEntries(roles) as Record<RoleName, RoleKeys> },
    signers.filter((s) => s.role === 'root').map((s) => s.signer),
  );
  return withLock(metadataIn(folder), async () => {
    if ((await storeOf(folder).newest('root')) > 0) throw unknown('root', 'there is one already: rotate its keys');
    if (await stagedRoot(folder)) throw unknown('root', 'one waits for signatures already');
    // Keys first: metadata that nobody has the keys of is of no use.
    const wrote = [];
    for (const { role, signer } of signers) wrote.push(await writeKey(keysIn(folder), role, signer));
    const ring = new Keyring(signers.map((s) => s.signer));
    return reportOf({ folder }, await publishOrKeep({ folder }, undefined, ring, root), wrote);
  });
}

/** What there is. @throws EigenError EW1002_FILE_NOT_FOUND, as all that follow. */
export async function showKeys(request: KeysRequest): Promise<KeysReport> {
  return reportOf(request, await repositoryOf(request.folder), []);
}

/** Keys that a role gets in place of those it has. */
export interface RoleOwners {
  /** Files with public keys of people who keep the secret halves; as many new keys as it had, where there are none. */
  readonly publicKeys?: readonly string[];
  /** As it was, where it is absent. */
  readonly threshold?: number;
}

/**
 * Gives a role new keys: a role of the root with a new root, one that targets delegate to with new targets. The root waits for more
 * signatures where those at hand are too few.
 */
export async function rotateKeys(
  request: KeysRequest,
  role: string,
  { publicKeys = [], threshold }: RoleOwners = {},
): Promise<KeysReport> {
  const brought = await Promise.all(publicKeys.map(readPublicKey));
  return change(request, async (repository, ring) => {
    const { roles } = repository.root.content;
    const delegation = repository.targets()!.delegations.find((d) => d.name === role);
    const before = delegation ?? (isRole(role) ? roles[role] : undefined);
    if (!before) throw unknown(role, 'there is no such role');
    const signers = brought.length > 0 ? [] : before.keys.map(() => Signer.generate());
    const wrote: string[] = [];
    for (const signer of signers) {
      ring.add(signer);
      wrote.push(await writeKey(keysIn(request.folder), role, signer));
    }
    const keys = { keys: [...signers.map((s) => s.key), ...brought], threshold: threshold ?? before.threshold };
    if (delegation) await repository.delegate({ ...delegation, ...keys }, ring);
    else await stage(request, repository, ring, { ...roles, [role]: keys });
    return wrote;
  });
}

/** Takes a key from all roles that have it, or everything from a role that targets delegate to. @param what the first digits of its id, or a name. */
export async function revokeKey(request: KeysRequest, what: string): Promise<KeysReport> {
  return change(request, async (repository, ring) => {
    const { roles } = repository.root.content;
    const { delegations } = repository.targets()!;
    if (delegations.some((d) => d.name === what)) {
      await repository.undelegate(what, ring);
      return [];
    }
    const all = [...Object.values(roles), ...delegations].flatMap((role) => role.keys);
    const ids = new Set(all.map((key) => key.id).filter((id) => id.startsWith(what)));
    if (ids.size !== 1) throw unknown(what, ids.size === 0 ? 'there is no such key' : 'several keys begin like this');
    const without = <R extends RoleKeys>(role: R): R => ({
      ...role,
      keys: role.keys.filter((key) => !ids.has(key.id)),
    });
    for (const delegation of delegations.filter((d) => hasAny(d, ids)))
      await repository.delegate(without(delegation), ring);
    if (ROLES.some((role) => hasAny(roles[role], ids))) {
      const left = ROLES.map((role) => [role, without(roles[role])] as const);
      await stage(request, repository, ring, Object.fromEntries(left) as Record<RoleName, RoleKeys>);
    }
    return [];
  });
}

/** Lets a role sign for the targets under some paths; it gets a key of its own. */
export async function delegateTo(request: KeysRequest, name: string, paths: readonly string[]): Promise<KeysReport> {
  return change(request, async (repository, ring) => {
    const known = repository.targets()!.delegations.find((d) => d.name === name);
    const signer = Signer.generate();
    const delegation: Delegation = known ? { ...known, paths } : { name, paths, keys: [signer.key], threshold: 1 };
    if (!known) ring.add(signer);
    await repository.delegate(delegation, ring);
    return known ? [] : [await writeKey(keysIn(request.folder), name, signer)];
  });
}

/**
 * Signs the root that waits for signatures, with what is at hand; it becomes valid with the last one.
 * @param copies files of the same root that others have signed.
 */
export async function signStaged(request: KeysRequest, copies: readonly string[] = []): Promise<KeysReport> {
  const { folder } = request;
  return withLock(metadataIn(folder), async () => {
    const repository = await repositoryOf(folder);
    const staged = await stagedRoot(folder);
    if (!staged) throw unknown('root', 'none waits for signatures');
    const others = [];
    for (const path of copies) others.push(await copyOf(staged, path));
    const merged = mergeRoots([staged, ...others], signersOf(staged, repository));
    return reportOf(request, await publishOrKeep(request, repository, await ringOf(request), merged), []);
  });
}

async function copyOf(staged: RootFile, path: string): Promise<RootFile> {
  const copy = readForeignRoot(await readBytes(path), path);
  if (isSameRoot(copy, staged)) return copy;
  throw unknown('root', `${path} is another one than the one that waits for signatures`);
}

/** Those who may sign a root. */
function signersOf(next: RootFile, repository: Repository | undefined): PublicKey[] {
  return [...(repository?.root.content.roles.root.keys ?? []), ...next.content.roles.root.keys];
}

async function change(
  request: KeysRequest,
  work: (repository: Repository, ring: Keyring) => Promise<string[]>,
): Promise<KeysReport> {
  return withLock(metadataIn(request.folder), async () => {
    const repository = await repositoryOf(request.folder);
    if (!repository) throw unknown('root', 'the first one waits for signatures: eigenweights keys sign');
    const wrote = await work(repository, await ringOf(request));
    return reportOf(request, repository, wrote);
  });
}

/** The root after the present one, with these roles. One that waited is replaced. */
async function stage(
  request: KeysRequest,
  repository: Repository,
  ring: Keyring,
  roles: Readonly<Record<RoleName, RoleKeys>>,
): Promise<void> {
  const issued = Math.max(Date.now(), repository.root.content.issued);
  const version = repository.root.content.version + 1;
  const next = makeRoot({ version, issued, expires: issued + LIFETIMES.root, roles }, []);
  await publishOrKeep(request, repository, ring, next);
}

/** Signs a root with what is at hand, and makes it valid if that is enough. @param repository absent for the first one. */
async function publishOrKeep(
  { folder }: KeysRequest,
  repository: Repository | undefined,
  ring: Keyring,
  next: RootFile,
): Promise<Repository | undefined> {
  const signed = signRoot(next, ring.all(signersOf(next, repository)));
  const complete = awaitedSignatures(signed, repository?.root).length === 0;
  await writeAtomic(stagedIn(folder), signed.bytes);
  if (!complete) return repository;
  const published = repository ?? (await Repository.create(storeOf(folder), signed, ring));
  if (repository) await repository.publishRoot(signed, ring);
  await rm(stagedIn(folder), { force: true });
  return published;
}

function isRole(name: string): name is RoleName {
  return ROLES.some((role) => role === name);
}

function hasAny({ keys }: RoleKeys, ids: ReadonlySet<string>): boolean {
  return keys.some((key) => ids.has(key.id));
}

function unknown(name: string, what: string): EigenError {
  return new EigenError('EW8103_ROLES_INVALID', `'${name.slice(0, 80)}': ${what}`, {
    hint: 'eigenweights keys show prints roles, keys and what waits for signatures.',
    details: { name },
  });
}
