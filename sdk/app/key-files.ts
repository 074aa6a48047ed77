import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Awaited,
  awaitedSignatures,
  type Keyring,
  MetadataStore,
  type PublicKey,
  Repository,
  ROLES,
  type RootFile,
  readKeys,
  readRoot,
  signersIn,
} from '../fleet/trust/index.ts';

/** Where the metadata of a fleet is, and the secret keys that are at hand. */
export interface KeysRequest {
  /** Data folder: metadata/, keys/ and staged/ are in it. */
  readonly folder: string;
  /** Files and folders with secret keys, besides keys/. */
  readonly keys?: readonly string[];
  /** Secret keys as PEM, from the environment. */
  readonly pem?: string;
}

export interface KeysReport {
  readonly roles: readonly RoleReport[];
  /** What is signed, and until when. */
  readonly files: readonly { readonly role: string; readonly version: number; readonly expires: string }[];
  /** A root that is not valid yet. */
  readonly staged?: { readonly version: number; readonly awaited: readonly Awaited[] };
  /** Key files that were written. */
  readonly wrote: readonly string[];
}

export interface RoleReport {
  readonly role: string;
  readonly threshold: number;
  readonly paths?: readonly string[];
  readonly keys: readonly { readonly id: string; readonly here: boolean }[];
}

/** What there is, read from the files. @param repository absent while a first root waits for signatures. */
export async function reportOf(
  request: KeysRequest,
  repository: Repository | undefined,
  wrote: readonly string[],
): Promise<KeysReport> {
  const ring = await ringOf(request);
  const staged = await stagedRoot(request.folder);
  const { roles } = (repository?.root ?? staged!).content;
  const delegations = repository?.targets()?.delegations ?? [];
  const keysOf = (keys: readonly PublicKey[]): RoleReport['keys'] => keys.map((k) => ({ id: k.id, here: ring.has(k) }));
  const file = (role: string, f: { version: number; expires: number }): KeysReport['files'][number] => ({
    role,
    version: f.version,
    expires: new Date(f.expires).toISOString(),
  });
  return {
    roles: [
      ...ROLES.map((role) => ({ role, threshold: roles[role].threshold, keys: keysOf(roles[role].keys) })),
      ...delegations.map((d) => ({
        role: d.name,
        threshold: d.threshold,
        paths: d.paths,
        keys: keysOf(d.keys),
      })),
    ],
    files: repository
      ? [
          file('root', repository.root.content),
          ...['targets', ...delegations.map((d) => d.name)].map((role) => file(role, repository.targets(role)!)),
          file('snapshot', repository.online.snapshot),
          file('timestamp', repository.online.timestamp),
        ]
      : [],
    ...(staged
      ? { staged: { version: staged.content.version, awaited: awaitedSignatures(staged, repository?.root) } }
      : {}),
    wrote,
  };
}

/**
 * The signed metadata; undefined while only a first root is there, which waits for signatures.
 * @throws EigenError EW1002_FILE_NOT_FOUND.
 */
export async function repositoryOf(folder: string): Promise<Repository | undefined> {
  const store = storeOf(folder);
  if ((await store.newest('root')) === 0 && (await stagedRoot(folder))) return undefined;
  return Repository.open(store);
}

/** The root that waits for signatures. */
export async function stagedRoot(folder: string): Promise<RootFile | undefined> {
  const bytes = await readFile(stagedIn(folder)).catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return undefined;
    throw e;
  });
  return bytes && readRoot(bytes);
}

export function ringOf({ folder, keys = [], pem }: KeysRequest): Promise<Keyring> {
  return ringFrom([keysIn(folder), ...keys], pem);
}

/** Secret keys of files and folders, and of a text from the environment. */
export async function ringFrom(paths: readonly string[], pem = ''): Promise<Keyring> {
  const ring = await readKeys(paths);
  for (const signer of signersIn(pem, 'the environment')) ring.add(signer);
  return ring;
}

export function storeOf(folder: string): MetadataStore {
  return new MetadataStore(metadataIn(folder));
}

export const metadataIn = (folder: string): string => join(folder, 'metadata');
export const keysIn = (folder: string): string => join(folder, 'keys');
export const stagedIn = (folder: string): string => join(folder, 'staged', 'root.json');
