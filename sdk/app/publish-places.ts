import { access, constants } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BlobFolder, describeFile } from '../fleet/blobs/blob-folder.ts';
import { type Keyring, MetadataStore, Repository, withLock } from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { readBytes } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import type { BlobSpec } from '../wire/blob.ts';
import type { ListedBundle } from '../wire/metadata.ts';
import type { FleetClient } from './fleet-client.ts';
import { type KeysRequest, metadataIn, ringFrom, ringOf, storeOf } from './key-files.ts';
import { changeTargets, checkSigner, type RemoteSigner } from './remote-targets.ts';
import { type UploadOptions, uploadBlob } from './upload.ts';

/** A controller elsewhere, and what it takes to sign for it here. */
export interface ControllerPlace extends Pick<KeysRequest, 'keys' | 'pem'> {
  readonly client: FleetClient;
  /** File of the root that is trusted: what devices are delivered with. What was seen of the fleet last is kept beside it. */
  readonly root: string;
  readonly upload?: UploadOptions;
}

/** Where bundles are published: the data folder of a fleet, or a controller elsewhere. */
export type PublishWhere = KeysRequest | ControllerPlace;

/** What publishing does to it. */
export interface PublishPlace {
  /** Before anything is brought: throws what `list` would for want of keys, of a role or of a place to write. */
  check(path: string, role: string): Promise<void>;
  /** Puts a file where devices fetch from. */
  add(file: string): Promise<BlobSpec>;
  /** Lists bundles, in place of what their paths had. @returns the version of the role's metadata. */
  list(bundles: Readonly<Record<string, ListedBundle>>, role: string): Promise<number>;
  unlist(path: string, role: string): Promise<number>;
  close(): Promise<void>;
}

export function placeOf(where: PublishWhere): PublishPlace {
  return 'folder' in where ? folderPlace(where) : controllerPlace(where);
}

function folderPlace(request: KeysRequest): PublishPlace {
  const blobs = new BlobFolder(request.folder);
  const changed = (role: string, work: (repository: Repository, ring: Keyring) => Promise<void>): Promise<number> =>
    withLock(metadataIn(request.folder), async () => {
      const repository = await Repository.open(storeOf(request.folder));
      await work(repository, await ringOf(request));
      return repository.targets(role)!.version;
    });
  return {
    check: async (_, role) => (await Repository.open(storeOf(request.folder))).checkKeys(await ringOf(request), role),
    add: (file) => blobs.add(file),
    list: (bundles, role) => changed(role, (repository, ring) => repository.list(bundles, ring, role)),
    unlist: (path, role) => changed(role, (repository, ring) => repository.unlist([path], ring, role)),
    close: () => blobs.close(),
  };
}

function controllerPlace({ client, root, keys = [], pem, upload = {} }: ControllerPlace): PublishPlace {
  const seenBy = (trusted: Uint8Array): string => join(dirname(root), `seen-${sha256(trusted).slice(0, 16)}`);
  const signer = async (): Promise<RemoteSigner> => {
    const trusted = await readBytes(root);
    const seen = new MetadataStore(seenBy(trusted));
    return {
      ...{ client, root: trusted, seen, ring: await ringFrom(keys, pem), now: Date.now },
      ...(upload.signal ? { signal: upload.signal } : {}),
    };
  };
  return {
    async check(path, role) {
      const by = await signer();
      await checkSigner(by, role, path);
      // It is there by now, and what is seen after the upload is to be kept too.
      await access(seenBy(by.root), constants.W_OK).catch((e: Error) => {
        throw new EigenError('EW1003_WRITE_FAILED', `what was seen of the fleet cannot be kept: ${e.message}`, {
          hint: 'Have the root where files can be written beside it.',
          cause: e,
        });
      });
    },
    async add(file) {
      await uploadBlob(client, file, upload);
      return describeFile(file);
    },
    list: async (bundles, role) => changeTargets(await signer(), role, (targets) => ({ ...targets, ...bundles })),
    unlist: async (path, role) =>
      changeTargets(await signer(), role, (targets) => {
        if (!Object.hasOwn(targets, path)) throw notListed(path, role);
        return Object.fromEntries(Object.entries(targets).filter(([listed]) => listed !== path));
      }),
    close: async () => undefined,
  };
}

function notListed(path: string, role: string): EigenError {
  return new EigenError('EW8103_ROLES_INVALID', `'${path.slice(0, 128)}': ${role} does not list it`, {
    hint: 'GET /v1/bundles of the controller says what is listed.',
    details: { name: path },
  });
}
