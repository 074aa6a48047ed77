import { MetadataKind } from '@tufjs/models';
import { EigenError } from '../../util/errors.ts';
import { formatTime, type ListedBundle } from '../../wire/metadata.ts';
import type { Keyring } from './keyring.ts';
import { awaitedSignatures, type RoleKeys, type RootFile, readRoot } from './root.ts';
import { metaJson, readMetadata, type SignedJson, signMetadata } from './sign.ts';
import type { MetadataStore } from './store.ts';
import { readSubmitted } from './submitted.ts';
import {
  checkDelegation,
  type Delegation,
  invalidName,
  readTargets,
  signTargets,
  type TargetsContent,
} from './targets.ts';

const DAY = 86_400_000;

/** How long what is signed is valid, milliseconds. What is online is short-lived: that is what ends a freeze. */
export const LIFETIMES = {
  root: 730 * DAY,
  targets: 365 * DAY,
  snapshot: 30 * DAY,
  timestamp: 7 * DAY,
  assignment: 30 * DAY,
} as const;

/** Versions of snapshot and targets that stay: devices that have begun with one still fetch it. Of the root all do, devices walk through them. */
const KEPT_VERSIONS = 8;

/** What is signed again when so much of its lifetime has passed. */
const RENEW_AFTER = 1 / 3;

interface MetaJson {
  readonly version: number;
}

/**
 * The metadata of a fleet, and what changes it: one writer at a time. Every change writes new files first and the timestamp, which
 * leads devices to them, last; what a power cut leaves of it is not seen.
 */
export class Repository {
  readonly folder: MetadataStore;
  private readonly now: () => number;
  private rootFile: RootFile;
  private timestamp: SignedJson | undefined;
  private snapshot: SignedJson | undefined;
  private readonly roles = new Map<string, TargetsContent>();

  private constructor(folder: MetadataStore, now: () => number, root: RootFile) {
    this.folder = folder;
    this.now = now;
    this.rootFile = root;
  }

  /**
   * Begins a repository with its first root, and no targets.
   * @throws EigenError EW8102_SIGNATURES_MISSING.
   */
  static async create(folder: MetadataStore, root: RootFile, ring: Keyring, now = Date.now): Promise<Repository> {
    const repository = new Repository(folder, now, root);
    await repository.publishRoot(root, ring);
    return repository;
  }

  /** @throws EigenError EW1002_FILE_NOT_FOUND where there is none. */
  static async open(folder: MetadataStore, now = Date.now): Promise<Repository> {
    const repository = new Repository(
      folder,
      now,
      readRoot(await presentFile(folder, 'root', await folder.newest('root'))),
    );
    repository.timestamp = readMetadata(await presentFile(folder, 'timestamp')).signed;
    const { version } = (repository.timestamp.meta as Record<string, MetaJson>)['snapshot.json']!;
    repository.snapshot = readMetadata(await presentFile(folder, 'snapshot', version)).signed;
    for (const [name, meta] of Object.entries(repository.snapshot.meta as Record<string, MetaJson>)) {
      const role = name.slice(0, -'.json'.length);
      repository.roles.set(role, readTargets(await presentFile(folder, role, meta.version)));
    }
    return repository;
  }

  get root(): RootFile {
    return this.rootFile;
  }

  /** The roles that are signed online: versions, and when they expire in milliseconds since 1970. */
  get online(): Readonly<Record<'timestamp' | 'snapshot', { readonly version: number; readonly expires: number }>> {
    return { timestamp: stateOf(this.timestamp), snapshot: stateOf(this.snapshot) };
  }

  /** What a role lists; 'targets', or one that it delegates to. */
  targets(role = 'targets'): TargetsContent | undefined {
    return this.roles.get(role);
  }

  /** The bundle under a path, wherever it is listed. */
  find(path: string): ListedBundle | undefined {
    const roles = ['targets', ...(this.targets()?.delegations ?? []).map((d) => d.name)];
    const role = roles.find((name) => Object.hasOwn(this.roles.get(name)?.targets ?? {}, path));
    return role === undefined ? undefined : this.roles.get(role)!.targets[path];
  }

  /** All bundles that are listed, by their paths; of several roles that list a path the first counts. */
  bundles(): ReadonlyMap<string, ListedBundle> {
    const roles = ['targets', ...(this.targets()?.delegations ?? []).map((d) => d.name)];
    const all = roles.flatMap((role) => Object.entries(this.roles.get(role)?.targets ?? {}));
    return new Map(all.reverse());
  }

  /** Where a bundle for a board is listed, by the SHA-256 of its file. */
  findBlob(sha256: string, board: string): { readonly path: string; readonly bundle: ListedBundle } | undefined {
    for (const role of ['targets', ...(this.targets()?.delegations ?? []).map((d) => d.name)])
      for (const [path, bundle] of Object.entries(this.roles.get(role)?.targets ?? {}))
        if (bundle.blob.sha256 === sha256 && bundle.board === board) return { path, bundle };
    return undefined;
  }

  /** Throws what a change of a role would for want of the role or of keys: before something is done that takes long. */
  checkKeys(ring: Keyring, role = 'targets'): void {
    const { snapshot, timestamp } = this.rootFile.content.roles;
    for (const [name, keys] of [
      [role, this.keysOf(role)],
      ['snapshot', snapshot],
      ['timestamp', timestamp],
    ] as const)
      ring.allFor(name, keys);
  }

  /** Lists bundles, in place of what their paths had. All changes @throws EigenError EW8102_SIGNATURES_MISSING. */
  async list(bundles: Readonly<Record<string, ListedBundle>>, ring: Keyring, role = 'targets'): Promise<void> {
    await this.change(role, ring, (content) => ({ ...content, targets: { ...content.targets, ...bundles } }));
  }

  /** Devices that have not installed them no longer will. @throws EigenError EW8103_ROLES_INVALID for what is not listed. */
  async unlist(paths: readonly string[], ring: Keyring, role = 'targets'): Promise<void> {
    await this.change(role, ring, (content) => {
      const missing = paths.find((path) => !Object.hasOwn(content.targets, path));
      if (missing !== undefined) throw invalidName(missing, `${role} does not list it`);
      const kept = Object.entries(content.targets).filter(([path]) => !paths.includes(path));
      return { ...content, targets: Object.fromEntries(kept) };
    });
  }

  /** Trusts a role with some paths, or with other keys or paths than before. What it lists stays, signed by the keys it has now. */
  async delegate(delegation: Delegation, ring: Keyring): Promise<void> {
    checkDelegation(delegation);
    const others = this.targets()!.delegations.filter((d) => d.name !== delegation.name);
    const own = this.roles.get(delegation.name) ?? { version: 0, targets: {}, delegations: [] };
    const signed = await this.sign(delegation.name, delegation, own, ring);
    await this.change('targets', ring, (c) => ({ ...c, delegations: [...others, delegation] }), signed);
  }

  /** Trusts a role with nothing any more. */
  async undelegate(name: string, ring: Keyring): Promise<void> {
    await this.change('targets', ring, (c) => ({ ...c, delegations: c.delegations.filter((d) => d.name !== name) }));
  }

  /**
   * Makes a root valid that enough have signed. Roles that have other keys in it are signed anew, before devices see it: what a power cut
   * leaves is made good by the same call again, or by `renew`.
   * @throws EigenError EW8102_SIGNATURES_MISSING.
   */
  async publishRoot(next: RootFile, ring: Keyring): Promise<void> {
    const [awaited] = awaitedSignatures(next, next.content.version === 1 ? undefined : this.rootFile);
    if (awaited)
      throw unsigned(
        awaited.needed,
        awaited.keys.map((key) => key.id),
      );
    const { roles } = next.content;
    const stale = await this.stale(roles);
    // Whoever lacks a key learns it before anything is written.
    for (const role of stale) ring.allFor(role, roles[role]);
    const content = this.targets() ?? { version: 0, targets: {}, delegations: [] };
    const targets = stale.includes('targets') ? [await this.sign('targets', roles.targets, content, ring)] : [];
    if (stale.length > 0) await this.publish(ring, targets, roles);
    await this.folder.write('root', next.bytes, next.content.version);
    this.rootFile = next;
  }

  /** Signs what is online anew where it is time to, or where it is not signed as the root has it. @returns whether it was. */
  async renew(ring: Keyring): Promise<boolean> {
    const due = (expires: number, lifetime: number): boolean => expires - this.now() < lifetime * (1 - RENEW_AFTER);
    const { timestamp, snapshot } = this.online;
    const stale = await this.stale(this.rootFile.content.roles);
    if (due(snapshot.expires, LIFETIMES.snapshot) || stale.includes('snapshot')) await this.publish(ring, []);
    else if (due(timestamp.expires, LIFETIMES.timestamp) || stale.includes('timestamp')) await this.signTimestamp(ring);
    else return false;
    return true;
  }

  /** Roles whose files are not signed by those that these roles name. */
  private async stale(roles: Roles): Promise<('targets' | 'snapshot' | 'timestamp')[]> {
    const files = [
      ['targets', this.targets()?.version],
      ['snapshot', this.snapshot?.version],
      ['timestamp', undefined],
    ] as const;
    const stale: (typeof files)[number][0][] = [];
    for (const [role, version] of files) {
      const file = await this.folder.read(role, version);
      const signed = new Set((file ? readMetadata(file.bytes).signatures : []).map((s) => s.keyid));
      const { keys, threshold } = roles[role];
      if (keys.filter((key) => signed.has(key.id)).length < threshold) stale.push(role);
    }
    return stale;
  }

  /**
   * The next file of a role of targets, signed elsewhere and checked as devices will; undefined where it is the one that is valid.
   * @throws EigenError EW8105_TARGETS_REFUSED, EW8106_TARGETS_OUTDATED, EW8103_ROLES_INVALID for a role that there is not.
   */
  async readSubmitted(role: string, bytes: Uint8Array): Promise<SignedRole | undefined> {
    this.keysOf(role);
    const present = this.roles.get(role)!;
    const fileOf = async (name: string): Promise<Uint8Array> =>
      presentFile(this.folder, name, this.roles.get(name)!.version);
    if (Buffer.compare(await fileOf(role), bytes) === 0) return undefined;
    const delegator = role === 'targets' ? this.rootFile.bytes : await fileOf('targets');
    return { role, bytes, content: readSubmitted({ role, bytes, present, delegator, now: this.now() }) };
  }

  /** Leads devices to a file that was signed elsewhere. */
  async accept(submitted: SignedRole, ring: Keyring): Promise<void> {
    await this.folder.write(submitted.role, submitted.bytes, submitted.content.version);
    await this.publish(ring, [submitted]);
  }

  private async change(
    role: string,
    ring: Keyring,
    change: (content: TargetsContent) => TargetsContent,
    ...others: readonly SignedRole[]
  ): Promise<void> {
    const content = this.roles.get(role);
    if (!content) throw invalidName(role, 'there is no such role');
    await this.publish(ring, [...others, await this.sign(role, this.keysOf(role), change(content), ring)]);
  }

  private keysOf(role: string): RoleKeys {
    if (role === 'targets') return this.rootFile.content.roles.targets;
    const delegation = this.targets()!.delegations.find((d) => d.name === role);
    if (!delegation) throw invalidName(role, 'nothing is delegated to it');
    return delegation;
  }

  /** The next version of a role of targets, in its file. */
  private async sign(
    role: string,
    keys: RoleKeys,
    content: Omit<TargetsContent, 'expires'>,
    ring: Keyring,
  ): Promise<SignedRole> {
    const signers = ring.allFor(role, keys);
    const next = { ...content, version: content.version + 1, expires: this.now() + LIFETIMES.targets };
    const bytes = signTargets(next, signers);
    await this.folder.write(role, bytes, next.version);
    return { role, content: next, bytes };
  }

  /** A new snapshot with these in it, and the timestamp that leads to it. What was ever listed stays: devices insist on it. */
  private async publish(
    ring: Keyring,
    changed: readonly SignedRole[],
    roles: Roles = this.rootFile.content.roles,
  ): Promise<void> {
    const signers = ring.allFor('snapshot', roles.snapshot);
    const meta = changed.map(({ role, content, bytes }) => [`${role}.json`, metaJson(content.version, bytes)] as const);
    const snapshot: SignedJson = {
      _type: MetadataKind.Snapshot,
      version: (this.snapshot?.version ?? 0) + 1,
      expires: formatTime(this.now() + LIFETIMES.snapshot),
      meta: { ...(this.snapshot?.meta as object | undefined), ...Object.fromEntries(meta) },
    };
    const bytes = signMetadata(snapshot, signers);
    await this.folder.write('snapshot', bytes, snapshot.version);
    await this.signTimestamp(ring, roles, metaJson(snapshot.version, bytes));
    this.snapshot = snapshot;
    for (const { role, content } of changed) this.roles.set(role, content);
    const written = [
      { role: 'snapshot', version: snapshot.version },
      ...changed.map(({ role, content }) => ({ role, version: content.version })),
    ];
    // What cannot be removed now is with the next change.
    for (const { role, version } of written)
      await this.folder.removeBefore(role, version - KEPT_VERSIONS + 1).catch(() => undefined);
  }

  private async signTimestamp(
    ring: Keyring,
    roles: Roles = this.rootFile.content.roles,
    snapshot?: object,
  ): Promise<void> {
    const signers = ring.allFor('timestamp', roles.timestamp);
    // The time that devices learn never goes back, whatever a clock here does.
    const before = Date.parse((this.timestamp?.issued as string | undefined) ?? formatTime(0));
    const issued = Math.max(this.now(), before, this.rootFile.content.issued);
    const timestamp: SignedJson = {
      _type: MetadataKind.Timestamp,
      version: (this.timestamp?.version ?? 0) + 1,
      issued: formatTime(issued),
      expires: formatTime(issued + LIFETIMES.timestamp),
      meta: snapshot ? { 'snapshot.json': snapshot } : this.timestamp!.meta,
    };
    await this.folder.write('timestamp', signMetadata(timestamp, signers));
    this.timestamp = timestamp;
  }
}

type Roles = RootFile['content']['roles'];

/** A file of a role of targets. */
export interface SignedRole {
  readonly role: string;
  readonly content: TargetsContent;
  readonly bytes: Uint8Array;
}

function stateOf(signed: SignedJson | undefined): { version: number; expires: number } {
  return signed ? { version: signed.version, expires: Date.parse(signed.expires) } : { version: 0, expires: 0 };
}

async function presentFile(folder: MetadataStore, role: string, version?: number): Promise<Uint8Array> {
  const file = await folder.read(role, version);
  if (file) return file.bytes;
  throw new EigenError('EW1002_FILE_NOT_FOUND', `metadata of '${role}' is not there`, {
    hint: 'Name the folder that eigenweights keys init has made.',
    details: { role },
  });
}

function unsigned(needed: number, ids: readonly string[]): EigenError {
  const names = ids.map((id) => id.slice(0, 8)).join(', ');
  return new EigenError('EW8102_SIGNATURES_MISSING', `root: ${needed} more of ${names} have to sign`, {
    hint: 'Each signs with eigenweights keys sign, one after another.',
    details: { needed, keys: ids },
  });
}
