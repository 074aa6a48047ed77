import type { Snapshot, Timestamp } from '@tufjs/models';
import { sha256 } from '../../util/hash.ts';
import type { Assignment } from '../../wire/assignment.ts';
import { assignmentRole, MOST_BYTES, MOST_ROTATIONS } from '../../wire/metadata.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { checkDirected, type Directed, type Resolved, readDirected, resolve } from './assigned.ts';
import { MetadataFiles } from './files.ts';
import type { Dated, Parsed, TrustAnchor } from './parse.ts';
import { isRefusal, refused } from './refusal.ts';
import { fetchFile, type MetadataSource } from './source.ts';
import { TrustedTime } from './time.ts';
import {
  checkFresh,
  metaOf,
  verifyAssignment,
  verifyFirstRoot,
  verifyKnownSnapshot,
  verifyRoot,
  verifySnapshot,
  verifyTimestamp,
} from './verify.ts';

export interface TrustOptions {
  /** The root metadata that the device was delivered with. */
  readonly root: Uint8Array;
  readonly device: string;
  /** Its hardware class: the id of its board. */
  readonly board: string;
}

/** Versions of the metadata that a device believes, 0 where there is none: its birth message has them. */
export interface MetadataVersions {
  readonly root: number;
  readonly timestamp: number;
  readonly snapshot: number;
  readonly targets: number;
}

/**
 * What a device believes about what it is to run: TUF's client workflow, and on top of it the director's assignment. A director alone
 * installs nothing that targets do not list, who signs targets assigns nothing, and neither is believed once the root names others. What
 * is believed is kept in a folder and survives power cuts; versions never go back but where the root changes the keys that signed them.
 */
export class Trust {
  private readonly files: MetadataFiles;
  private readonly options: TrustOptions;
  private root: TrustAnchor;
  private clock: TrustedTime;
  private timestamp: Dated<Timestamp> | undefined;
  private snapshot: Parsed<Snapshot> | undefined;
  private directed: Directed | undefined;
  private assigned: Assignment | undefined;

  private constructor(files: MetadataFiles, options: TrustOptions, root: TrustAnchor) {
    this.files = files;
    this.options = options;
    this.root = root;
    this.clock = new TrustedTime(root.issued);
  }

  /**
   * Reads what is believed. Writes nothing, needs no network, and knows the last assignment again.
   * @throws EigenError EW7006_METADATA_REFUSED when the root that the device was delivered with is none.
   */
  static async open(fs: DeviceFileSystem, folder: string, options: TrustOptions): Promise<Trust> {
    const files = new MetadataFiles(fs, folder);
    const delivered = verifyFirstRoot(options.root);
    const bytes = await files.read('root');
    const kept = bytes && (await ifBelieved(() => verifyFirstRoot(bytes)));
    // A device that is delivered anew may bring a newer one.
    const root = kept && kept.signed.version > delivered.signed.version ? kept : delivered;
    const trust = new Trust(files, options, root);
    const [timestamp, snapshot] = [await files.read('timestamp'), await files.read('snapshot')];
    await trust.judge({ timestamp, snapshot, assignment: await files.read('assignment') });
    return trust;
  }

  /** The assignment that counts. It expires as soon as anything does that it rests on. */
  get assignment(): Assignment | undefined {
    return this.assigned;
  }

  get versions(): MetadataVersions {
    return {
      root: this.root.signed.version,
      timestamp: this.timestamp?.signed.version ?? 0,
      snapshot: this.snapshot?.signed.version ?? 0,
      targets: (this.snapshot && metaOf(this.snapshot, 'targets.json')?.version) ?? 0,
    };
  }

  /** The time that expiry is judged by, from what the clock says; both milliseconds since 1970. An agent takes it for its clock. */
  time(now: number): number {
    return this.clock.at(now);
  }

  /**
   * Brings what is believed up to date.
   * @param now what the device's clock says, milliseconds since 1970.
   * @returns what is assigned; undefined where that is nothing.
   * @throws EigenError EW7006_METADATA_REFUSED with the attack in `details.attack`: the assignment from before still counts, unless
   * the root no longer vouches for it or targets no longer list it. What the source and the file system throw passes through.
   */
  async refresh(source: MetadataSource, now: number): Promise<Assignment | undefined> {
    await this.refreshRoot(source);
    checkFresh('root', this.root, this.time(now));
    const timestamp = await this.refreshTimestamp(source, now);
    try {
      return await this.refreshRest(source, timestamp, now);
    } catch (e) {
      if (!isRefusal(e)) throw e;
      // What is signed while it is fetched does not fit together, and is no attack.
      const newer = await this.refreshTimestamp(source, now).catch(() => timestamp);
      if (newer === timestamp) throw e;
      return this.refreshRest(source, newer, now);
    }
  }

  /** What a timestamp leads to. */
  private async refreshRest(
    source: MetadataSource,
    timestamp: Dated<Timestamp>,
    now: number,
  ): Promise<Assignment | undefined> {
    const snapshot = await this.refreshSnapshot(source, timestamp, this.time(now));
    await this.refreshAssignment(source, { timestamp, snapshot }, this.time(now));
    return this.assigned;
  }

  /** TUF 5.3: every root from the one that is trusted; those on the way may have expired. */
  private async refreshRoot(source: MetadataSource): Promise<void> {
    for (let i = 0; i < MOST_ROTATIONS; i++) {
      const bytes = await fetchFile(source, 'root', this.root.signed.version + 1, MOST_BYTES.root);
      if (!bytes) return;
      const next = verifyRoot(bytes, this.root);
      await this.files.write('root', bytes);
      this.root = next;
      await this.judge(this.kept);
    }
  }

  /** TUF 5.4. What it says of the time counts at once: a root that was fresh by a late clock may have expired. */
  private async refreshTimestamp(source: MetadataSource, now: number): Promise<Dated<Timestamp>> {
    const { root, timestamp } = this;
    const bytes = await fetchFile(source, 'timestamp', undefined, MOST_BYTES.timestamp);
    if (!bytes) throw refused('withheld', 'timestamp', 'it is not there');
    const next = verifyTimestamp(bytes, root, timestamp);
    if (!next) {
      checkFresh('timestamp', timestamp!, this.time(now));
      return timestamp!;
    }
    const clock = new TrustedTime(Math.max(root.issued, next.issued));
    checkFresh('root', root, clock.at(now));
    checkFresh('timestamp', next, clock.at(now));
    await this.files.write('timestamp', bytes);
    this.timestamp = next;
    this.clock = clock;
    return next;
  }

  /** TUF 5.5. */
  private async refreshSnapshot(
    source: MetadataSource,
    timestamp: Dated<Timestamp>,
    time: number,
  ): Promise<Parsed<Snapshot>> {
    const { root, snapshot } = this;
    const { version, length, hashes } = timestamp.signed.snapshotMeta;
    const same = snapshot !== undefined && sha256(snapshot.bytes) === hashes?.sha256;
    const most = Math.min(length ?? MOST_BYTES.snapshot, MOST_BYTES.snapshot);
    const bytes = same ? snapshot.bytes : await fetchFile(source, 'snapshot', version, most);
    if (!bytes) throw refused('withheld', 'snapshot', 'it is signed for, and is not there');
    const next = verifySnapshot(bytes, { root, timestamp }, snapshot);
    checkFresh('snapshot', next, time);
    if (!same) await this.files.write('snapshot', bytes);
    this.snapshot = next;
    return next;
  }

  /** The director's word, and what targets say about the bundle that it names. It is kept once both agree. */
  private async refreshAssignment(source: MetadataSource, by: Believed, time: number): Promise<void> {
    const known = this.directed;
    // What targets list no longer is not installed, whatever becomes of the rest.
    const before = known && (await this.resolve(known, by, { source, time }));
    if (before) this.assigned = 'void' in before ? undefined : before.assignment;
    const bytes = await fetchFile(source, assignmentRole(this.options.device), undefined, MOST_BYTES.assignment);
    const found = bytes && readDirected(verifyAssignment(bytes, this.root));
    if (found) checkDirected(found, this.options, known);
    const isNew = found !== undefined && found.parsed.signed.version !== known?.parsed.signed.version;
    const directed = isNew ? found : known;
    if (!directed) return;
    checkFresh('assignment', directed.parsed, time);
    const resolved = isNew ? await this.resolve(found, by, { source, time }) : before!;
    if ('void' in resolved) throw resolved.void;
    if (isNew) await this.files.write('assignment', bytes!);
    this.directed = directed;
    this.assigned = resolved.assignment;
    await this.files.keepRoles(resolved.roles);
  }

  private resolve(
    directed: Directed,
    { timestamp, snapshot }: Believed,
    by: { readonly source?: MetadataSource; readonly time: number },
  ): Promise<Resolved> {
    const { root, files } = this;
    return resolve(directed, { root, snapshot, files, ...by }, [root, timestamp, snapshot]);
  }

  /** Keeps what the root vouches for; the rest is forgotten, and with it the time that it told. */
  private async judge({ timestamp, snapshot, assignment }: Kept): Promise<void> {
    const { root } = this;
    this.assigned = undefined;
    this.timestamp = timestamp && (await ifBelieved(() => verifyTimestamp(timestamp, root, undefined)));
    this.snapshot = snapshot && (await ifBelieved(() => verifyKnownSnapshot(snapshot, root)));
    this.directed = assignment && (await ifBelieved(() => readDirected(verifyAssignment(assignment, root))));
    this.clock = new TrustedTime(Math.max(root.issued, this.timestamp?.issued ?? 0));
    this.assigned = await this.lastAssignment();
  }

  private get kept(): Kept {
    const { timestamp, snapshot, directed } = this;
    return { timestamp: timestamp?.bytes, snapshot: snapshot?.bytes, assignment: directed?.parsed.bytes };
  }

  /** What was assigned, as far as the files that are here belong together. */
  private async lastAssignment(): Promise<Assignment | undefined> {
    const { root, timestamp, snapshot, directed } = this;
    if (!timestamp || !snapshot || !directed) return undefined;
    return ifBelieved(async () => {
      verifySnapshot(snapshot.bytes, { root, timestamp }, undefined);
      const resolved = await this.resolve(directed, { timestamp, snapshot }, { time: Number.NEGATIVE_INFINITY });
      return 'void' in resolved ? undefined : resolved.assignment;
    });
  }
}

/** Files that a device had of what it believed. */
interface Kept {
  readonly timestamp: Uint8Array | undefined;
  readonly snapshot: Uint8Array | undefined;
  readonly assignment: Uint8Array | undefined;
}

interface Believed {
  readonly timestamp: Dated<Timestamp>;
  readonly snapshot: Parsed<Snapshot>;
}

/** A file of the device itself that is not to be believed is none. */
async function ifBelieved<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (e) {
    if (isRefusal(e)) return undefined;
    throw e;
  }
}
