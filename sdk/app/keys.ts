import { rm } from 'node:fs/promises';
import {
  awaitedSignatures,
  type Delegation,
  Keyring,
  LIFETIMES,
  makeRoot,
  Repository,
  ROLES,
  type RoleKeys,
  type RoleName,
  type RootFile,
  Signer,
  signRoot,
  withLock,
  writeKey,
} from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { writeAtomic } from '../util/files.ts';
import {
  type KeysReport,
  type KeysRequest,
  keysIn,
  metadataIn,
  reportOf,
  ringOf,
  stagedIn,
  stagedRoot,
  storeOf,
} from './key-files.ts';

/**
 * Makes the keys of a fleet, one file each, and its first metadata.
 * @throws EigenError EW8103_ROLES_INVALID for a fleet that is there already, or a threshold above the keys.
 */
export async function initKeys(
  { folder }: Pick<KeysRequest, 'folder'>,
  { rootKeys, threshold }: { readonly rootKeys: number; readonly threshold: number },
): Promise<KeysReport> {
  const signers = ROLES.flatMap((role) =>
    Array.from({ length: role === 'root' ? rootKeys : 1 }, () => ({ role, signer: Signer.generate() })),
  );
  const roles = ROLES.map((role): [RoleName, RoleKeys] => {
    const keys = signers.filter((s) => s.role === role).map((s) => s.signer.key);
    return [role, { keys, threshold: role === 'root' ? threshold : 1 }];
  });
  const issued = Date.now();
  const content = { version: 1, issued, expires: issued + LIFETIMES.root };
  const root = makeRoot(
    { ...content, roles: Object.fromEntries(roles) as Record<RoleName, RoleKeys> },
    signers.filter((s) => s.role === 'root').map((s) => s.signer),
  );
  return withLock(metadataIn(folder), async () => {
    if ((await storeOf(folder).newest('root')) > 0) throw unknown('root', 'there is one already: rotate its keys');
    // Keys first: metadata that nobody has the keys of is of no use.
    const wrote = [];
    for (const { role, signer } of signers) wrote.push(await writeKey(keysIn(folder), role, signer));
    const repository = await Repository.create(storeOf(folder), root, new Keyring(signers.map((s) => s.signer)));
    return reportOf({ folder }, repository, wrote);
  });
}

/** What there is. @throws EigenError EW1002_FILE_NOT_FOUND, as all that follow. */
export async function showKeys(request: KeysRequest): Promise<KeysReport> {
  return reportOf(request, await Repository.open(storeOf(request.folder)), []);
}

/**
 * Gives a role new keys, as many as it had: a role of the root with a new root, one that targets delegate to with new targets. The root
 * waits for more signatures where those at hand are too few.
 */
export async function rotateKeys(request: KeysRequest, role: string): Promise<KeysReport> {
  return change(request, async (repository, ring) => {
    const { roles } = repository.root.content;
    const delegation = repository.targets()!.delegations.find((d) => d.name === role);
    const before = delegation ?? (isRole(role) ? roles[role] : undefined);
    if (!before) throw unknown(role, 'there is no such role');
    const signers = before.keys.map(() => Signer.generate());
    const wrote: string[] = [];
    for (const signer of signers) {
      ring.add(signer);
      wrote.push(await writeKey(keysIn(request.folder), role, signer));
    }
    const keys = signers.map((s) => s.key);
    if (delegation) await repository.delegate({ ...delegation, keys }, ring);
    else await stage(request, repository, ring, { ...roles, [role]: { ...before, keys } });
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

/** Signs the root that waits for signatures, with what is at hand; it becomes valid with the last one. */
export async function signStaged(request: KeysRequest): Promise<KeysReport> {
  return change(request, async (repository, ring) => {
    const staged = await stagedRoot(request.folder);
    if (!staged) throw unknown('root', 'none waits for signatures');
    await publishOrKeep(request, repository, ring, staged);
    return [];
  });
}

async function change(
  request: KeysRequest,
  work: (repository: Repository, ring: Keyring) => Promise<string[]>,
): Promise<KeysReport> {
  return withLock(metadataIn(request.folder), async () => {
    const repository = await Repository.open(storeOf(request.folder));
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

async function publishOrKeep(
  { folder }: KeysRequest,
  repository: Repository,
  ring: Keyring,
  next: RootFile,
): Promise<void> {
  const root = { present: repository.root.content.roles.root.keys, next: next.content.roles.root.keys };
  const signed = signRoot(next, ring.all([...root.present, ...root.next]));
  await writeAtomic(stagedIn(folder), signed.bytes);
  if (awaitedSignatures(signed, repository.root).length > 0) return;
  await repository.publishRoot(signed, ring);
  await rm(stagedIn(folder), { force: true });
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
