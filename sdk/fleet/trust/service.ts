import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ListedBundle, Terms } from '../../wire/metadata.ts';
import { MetadataFolder } from '../blobs/metadata-folder.ts';
import type { BlobSource, MetadataFiles } from '../blobs/source.ts';
import type { FleetTask } from '../controller/controller.ts';
import type { Database } from '../database/index.ts';
import type { Logger } from '../log.ts';
import { Director } from './director.ts';
import { type Keyring, readKeys } from './keyring.ts';
import { withLock } from './lock.ts';
import { Repository, type SignedRole } from './repository.ts';
import { MetadataStore } from './store.ts';
import { targetsRefused } from './submitted.ts';

/** How long a look at the files counts, and between two looks at what has to be signed again; milliseconds. */
const LOOK_AGAIN = 1000;
const RENEW_EVERY = 3_600_000;

/** Until somebody says otherwise: nothing is limited, and a model is watched for ten minutes. */
export const DEFAULT_TERMS: Terms = { limits: {}, shadowInputs: 0, probation: { milliseconds: 600_000 } };

export interface TrustParts {
  /** Data folder: metadata/ and keys/ are in it, as eigenweights keys makes them. */
  readonly folder: string;
  readonly database: Database;
  /** What devices can fetch. */
  readonly blobs: Pick<BlobSource, 'spec'>;
  readonly terms?: Terms;
  readonly now: () => number;
  readonly log: Logger;
}

/** What a controller does about trust: serves metadata, signs assignments as the director, and renews what is signed online. */
export interface FleetTrust {
  readonly metadata: MetadataFiles;
  readonly renewal: FleetTask;
  /** Bundles that are listed now, by FAMILY/BOARD/NAME. */
  listed(): Promise<ReadonlyMap<string, ListedBundle>>;
  /**
   * Puts a file of targets online that was signed elsewhere. Throws as `Repository.readSubmitted`, and EW8104_METADATA_IN_USE.
   * @param record writes down what is about to be: what it throws keeps it from being. Not called for the file that is valid already.
   */
  publish(
    role: string,
    bytes: Uint8Array,
    record: (published: PublishedTargets) => Promise<void>,
  ): Promise<PublishedTargets>;
}

/** What became of a file of targets: paths that list something else than before, and those that list nothing any more. */
export interface PublishedTargets {
  readonly version: number;
  readonly listed: readonly string[];
  readonly withdrawn: readonly string[];
}

export function fleetTrust({ folder, database, blobs, terms = DEFAULT_TERMS, now, log }: TrustParts): FleetTrust {
  const store = new MetadataStore(join(folder, 'metadata'));
  const present = new Present(store, join(folder, 'keys'), now);
  const metadata = new Director({
    database,
    files: new MetadataFolder(join(folder, 'metadata')),
    present: (afresh) => present.look(afresh),
    terms,
    now,
    onUnlisted: (device, sha256) => log.warn('bundle-unlisted', { device, sha256 }),
  });
  const renewal: FleetTask = {
    name: 'metadata-renewal',
    every: RENEW_EVERY,
    run: async () => {
      if (!(await store.read('timestamp'))) return;
      const renewed = await withLock(join(folder, 'metadata'), async () => {
        const repository = await Repository.open(store, now);
        return repository.renew(await readKeys([join(folder, 'keys')]));
      });
      if (renewed) log.info('metadata-renewed');
      for (const { role, expires } of expiring(await Repository.open(store, now), now()))
        log.warn('metadata-expires', { role, expires: new Date(expires).toISOString() });
    },
  };
  const listed = async (): Promise<ReadonlyMap<string, ListedBundle>> =>
    (await present.look(true))?.repository.bundles() ?? new Map();
  const publish: FleetTrust['publish'] = async (role, bytes, record) => {
    // A blob may have to be hashed whole: not while others wait for the lock.
    const first = await readSubmission(await Repository.open(store, now), role, bytes);
    for (const path of first.published.listed) await checkThere(role, first.next!.content.targets[path]!, blobs);
    return withLock(join(folder, 'metadata'), async () => {
      const repository = await Repository.open(store, now);
      const { next, published } = await readSubmission(repository, role, bytes);
      if (!next) return published;
      const ring = await readKeys([join(folder, 'keys')]);
      await record(published);
      await repository.accept(next, ring);
      return published;
    });
  };
  return { metadata, renewal, listed, publish };
}

/** A file that was signed elsewhere, and what becomes of the role with it; `next` is absent where it is the one that is valid. */
async function readSubmission(
  repository: Repository,
  role: string,
  bytes: Uint8Array,
): Promise<{ readonly next?: SignedRole; readonly published: PublishedTargets }> {
  const next = await repository.readSubmitted(role, bytes);
  const before = repository.targets(role)!;
  if (!next) return { published: { version: before.version, listed: [], withdrawn: [] } };
  const { targets, version } = next.content;
  const listed = Object.keys(targets).filter((path) => !isDeepStrictEqual(targets[path], before.targets[path]));
  const withdrawn = Object.keys(before.targets).filter((path) => !Object.hasOwn(targets, path));
  return { next, published: { version, listed, withdrawn } };
}

/** Devices are not led to what they cannot fetch, or not in these pieces. */
async function checkThere(
  role: string,
  { blob, deltas = [] }: ListedBundle,
  blobs: Pick<BlobSource, 'spec'>,
): Promise<void> {
  for (const wanted of [blob, ...deltas.map((delta) => delta.blob)])
    if (!isDeepStrictEqual(await blobs.spec(wanted.sha256), wanted))
      throw targetsRefused(
        role,
        `blob ${wanted.sha256} is not here in these pieces`,
        'Upload it first, and list it as it is.',
      );
}

/** When people are told that they have to sign, milliseconds before. */
const WARN_BEFORE = 30 * 86_400_000;

/** What is signed offline and expires soon. */
function expiring(repository: Repository, now: number): { role: string; expires: number }[] {
  const delegated = repository.targets()!.delegations.map((d) => d.name);
  const targets = ['targets', ...delegated].map((role) => ({ role, expires: repository.targets(role)!.expires }));
  const all = [{ role: 'root', expires: repository.root.content.expires }, ...targets];
  return all.filter(({ expires }) => expires - now < WARN_BEFORE);
}

/** The repository and the keys as the files have them, read again when the timestamp has changed. */
class Present {
  private readonly store: MetadataStore;
  private readonly keys: string;
  private readonly now: () => number;
  private looked = Number.NEGATIVE_INFINITY;
  private seen = '';
  private found: Promise<{ repository: Repository; ring: Keyring } | undefined> = Promise.resolve(undefined);

  constructor(store: MetadataStore, keys: string, now: () => number) {
    this.store = store;
    this.keys = keys;
    this.now = now;
  }

  async look(afresh = false): Promise<{ repository: Repository; ring: Keyring } | undefined> {
    if (!afresh && Math.abs(this.now() - this.looked) < LOOK_AGAIN) return this.found;
    this.looked = this.now();
    const timestamp = await this.store.read('timestamp');
    const state = `${timestamp?.version} ${await this.store.newest('root')}`;
    if (state === this.seen) return this.found;
    this.seen = state;
    this.found = timestamp ? this.open() : Promise.resolve(undefined);
    this.found.catch(() => {
      this.seen = '';
    });
    return this.found;
  }

  private async open(): Promise<{ repository: Repository; ring: Keyring }> {
    return { repository: await Repository.open(this.store, this.now), ring: await readKeys([this.keys]) };
  }
}
