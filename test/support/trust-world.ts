import * as assert from 'uvu/assert';
import type { MetadataSource } from '../../sdk/device/trust/source.ts';
import { Trust } from '../../sdk/device/trust/trust.ts';
import {
  Keyring,
  LIFETIMES,
  MetadataStore,
  makeRoot,
  type Order,
  Repository,
  ROLES,
  type RoleKeys,
  type RoleName,
  type RootContent,
  Signer,
  signAssignment,
  targetPath,
} from '../../sdk/fleet/trust/index.ts';
import { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { MemoryFileSystem } from '../../sdk/testing/memory-fs.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import type { Attack } from '../../sdk/wire/attacks.ts';
import { assignmentRole, type ListedBundle } from '../../sdk/wire/metadata.ts';
import { blobOf } from './versions.ts';

export const DAY = 86_400_000;
export const START = Date.parse('2026-03-01T00:00:00Z');

/** PKCS 8 of an Ed25519 key, up to its 32 bytes. */
const PREFIX = '302e020100300506032b657004220420';

/** The same key for the same number. */
export function signerOf(seed: number): Signer {
  const der = Buffer.concat([Buffer.from(PREFIX, 'hex'), Buffer.alloc(32, seed)]);
  return Signer.fromPem(`-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----`, 'test');
}

/** Keys of the first root: two of three for the root, one each for the others. */
export const KEYS = {
  root: [signerOf(1), signerOf(2), signerOf(3)],
  targets: [signerOf(11)],
  snapshot: [signerOf(21)],
  timestamp: [signerOf(31)],
  director: [signerOf(41)],
} satisfies Record<RoleName, Signer[]>;

/** A key that nothing trusts. */
export const STRANGER = signerOf(99);

export function rolesOf(keys: Readonly<Record<RoleName, readonly Signer[]>>): Record<RoleName, RoleKeys> {
  const roles = ROLES.map((name) => [
    name,
    { keys: keys[name].map((s) => s.key), threshold: name === 'root' ? Math.min(2, keys.root.length) : 1 },
  ]);
  return Object.fromEntries(roles) as Record<RoleName, RoleKeys>;
}

/** A fleet with one device: its repository, everything that was signed for it, and the time. */
export class World {
  now: number;
  readonly fs = new MemoryFileSystem();
  readonly folder = new MetadataStore('metadata', this.fs);
  readonly ring = new Keyring(Object.values(KEYS).flat());
  repository!: Repository;
  private signed = 0;

  private constructor(now: number) {
    this.now = now;
  }

  /** A repository with the bundles of three versions, the first of which is assigned. */
  static async make(now = START): Promise<World> {
    const world = new World(now);
    const root = makeRoot(world.rootContent(KEYS), KEYS.root);
    world.repository = await Repository.create(world.folder, root, world.ring, () => world.now);
    await world.list(1, 2, 3);
    await world.assign(1);
    return world;
  }

  /** Bytes of the first root: what devices are delivered with. */
  async deliveredRoot(): Promise<Uint8Array> {
    return (await this.folder.read('root', 1))!.bytes;
  }

  rootContent(keys: Readonly<Record<RoleName, readonly Signer[]>>, version = 1): RootContent {
    return { version, issued: this.now, expires: this.now + LIFETIMES.root, roles: rolesOf(keys) };
  }

  /** A root with other keys, signed by the threshold of both. */
  async rotate(change: Partial<Record<RoleName, Signer[]>>, before: readonly Signer[] = KEYS.root): Promise<void> {
    const keys = { ...KEYS, ...change };
    for (const signer of Object.values(keys).flat()) this.ring.add(signer);
    const next = makeRoot(this.rootContent(keys, this.repository.root.content.version + 1), [...before, ...keys.root]);
    await this.repository.publishRoot(next, this.ring);
  }

  async list(...versions: readonly number[]): Promise<void> {
    const bundles = versions.map((version) => [pathOf(version), listed(version)] as const);
    await this.repository.list(Object.fromEntries(bundles), this.ring);
  }

  /** Signs what the device is to run, as its director would. */
  async assign(
    version: number | undefined,
    change: Partial<Order> = {},
    by: readonly Signer[] = this.directors(),
  ): Promise<void> {
    const bytes = signAssignment(this.order(version, change), by);
    await this.folder.write(assignmentRole('device'), bytes);
  }

  /** The fleet a while later: whoever had the keys that are online no longer has, and the device is to run version 2. */
  async goOn(): Promise<void> {
    const keys = { snapshot: [signerOf(22)], timestamp: [signerOf(32)] };
    for (let i = 0; i < 2; i++) await this.rotate(keys);
    await this.list(1, 2, 3);
    this.signed += 8;
    await this.assign(2);
  }

  order(version: number | undefined, change: Partial<Order> = {}): Order {
    const { bytes, sha256 } = blobOf(version ?? 1);
    const terms = { limits: {}, shadowInputs: 0, probation: { milliseconds: 1000 } };
    this.signed++;
    return {
      device: 'device',
      board: 'board',
      release: this.signed,
      version: this.signed,
      expires: this.now + LIFETIMES.assignment,
      ...(version === undefined ? {} : { bundle: { path: pathOf(version), bytes, sha256, ...terms } }),
      ...change,
    };
  }

  directors(): Signer[] {
    return this.ring.for(this.repository.root.content.roles.director);
  }

  /** What a device is served; `change` sees each file on the way, and may put another in its place. */
  source(
    change: (role: string, bytes: Uint8Array | undefined, version?: number) => Uint8Array | undefined = (_, b) => b,
  ): MetadataSource {
    return {
      fetch: async (role, version) => change(role, (await this.folder.read(role, version))?.bytes, version),
    };
  }

  async device(fs = new CrashFileSystem(), change: { device?: string; board?: string } = {}): Promise<Trust> {
    return Trust.open(fs, 'trust', { root: await this.deliveredRoot(), device: 'device', board: 'board', ...change });
  }

  /** Everything that is served, to be served again later. */
  copy(): Map<string, Uint8Array> {
    return new Map(this.fs.files);
  }

  restore(files: ReadonlyMap<string, Uint8Array>): void {
    this.fs.files.clear();
    for (const [path, bytes] of files) this.fs.files.set(path, bytes);
  }
}

export function pathOf(version: number): string {
  return targetPath('kws', 'board', `kws-${version}.ewb`);
}

export function listed(version: number, change: Partial<ListedBundle> = {}): ListedBundle {
  return { family: 'kws', board: 'board', blob: blobOf(version), ...change };
}

/** Fails unless the work is refused as this attack. */
export async function assertRefused(work: Promise<unknown>, attack: Attack): Promise<void> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!isEigenError(error)) throw error ?? new Error(`this was believed, it is ${attack}`);
  assert.is(error.code, 'EW7006_METADATA_REFUSED', error.message);
  assert.is(error.details.attack, attack, error.message);
}
