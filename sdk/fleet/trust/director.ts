import { assignedDevice, type Terms } from '../../wire/metadata.ts';
import type { MetadataFiles } from '../blobs/source.ts';
import type { Database } from '../database/index.ts';
import type { RolloutSpec } from '../rollout/spec.ts';
import { signAssignment } from './assignments.ts';
import type { Keyring } from './keyring.ts';
import { LIFETIMES, type Repository } from './repository.ts';

/** An assignment is signed again when so much of its lifetime has passed, milliseconds. */
const RENEW_EVERY = LIFETIMES.assignment / 3;
/** Signatures that one decision can get: versions of the next one are higher. */
const MOST_RENEWALS = 1 << 20;
/** Assignments that are kept to be sent again. */
const MOST_KEPT = 4096;
/** Sources of decisions whose rollouts are remembered. */
const MOST_SPECS = 64;

export interface DirectorParts {
  readonly database: Database;
  /** All other metadata. */
  readonly files: MetadataFiles;
  /**
   * The fleet's targets as they are now, and the keys that are at hand; undefined while the fleet has none.
   * @param afresh not as they were a moment ago.
   */
  present(afresh?: boolean): Promise<{ readonly repository: Repository; readonly ring: Keyring } | undefined>;
  /** How bundles are to be installed that no rollout brings. */
  readonly terms: Terms;
  readonly now: () => number;
  /** A device is to run what targets do not list for its board. */
  onUnlisted(device: string, sha256: string): void;
}

/** How a rollout wants its bundles to be installed. */
type Spec = Pick<RolloutSpec, 'variants' | 'limits' | 'shadowInputs' | 'probationMilliseconds'>;

interface Wanted {
  readonly device: string;
  readonly rev: number;
  readonly at: number;
  readonly action: string;
  readonly target: string;
  readonly board: string | null;
  /** `rollout/ID`, or who else wants it. */
  readonly source: string;
}

interface Kept {
  readonly version: number;
  /** Version of the root that names who signed it. */
  readonly root: number;
  readonly bytes: Uint8Array;
}

/**
 * Signs what the fleet decided for a device when the device asks for it. Its file follows from the decision and the time alone: every
 * controller signs the same, and nothing has to be written for ten thousand devices whenever signatures grow old.
 */
export class Director implements MetadataFiles {
  private readonly parts: DirectorParts;
  /** By device, in the order of their use. */
  private readonly kept = new Map<string, Kept>();
  private readonly specs = new Map<string, Promise<Spec | undefined>>();
  /** Devices that have asked and were not looked up yet; thousands ask at the same time. */
  private asked = new Set<string>();
  private lookup: Promise<ReadonlyMap<string, Wanted>> | undefined;

  constructor(parts: DirectorParts) {
    this.parts = parts;
  }

  async read(role: string, version?: number): ReturnType<MetadataFiles['read']> {
    const device = assignedDevice(role);
    if (device === undefined) return this.parts.files.read(role, version);
    const file = await this.assignment(device);
    return version === undefined || file?.version === version ? file : undefined;
  }

  private async assignment(device: string): ReturnType<MetadataFiles['read']> {
    const { terms, now } = this.parts;
    const wanted = await this.wanted(device);
    const present = wanted && (await this.presentFor(wanted));
    if (!wanted?.board || !present) return undefined;
    const { repository, ring, found } = present;
    const renewals = Math.floor(Math.max(0, now() - wanted.at) / RENEW_EVERY);
    const version = wanted.rev * MOST_RENEWALS + Math.min(renewals, MOST_RENEWALS - 1);
    if (wanted.action === 'install' && !found) {
      this.parts.onUnlisted(device, wanted.target);
      return undefined;
    }
    const root = repository.root.content.version;
    const known = this.kept.get(device);
    if (known?.version === version && known.root === root) return known;
    const { rev: release, board, at } = wanted;
    const expires = at + renewals * RENEW_EVERY + LIFETIMES.assignment;
    const bundle = found && {
      path: found.path,
      bytes: found.bundle.blob.bytes,
      sha256: wanted.target,
      ...termsOf(wanted, await this.specOf(wanted.source), terms),
    };
    const signers = ring.allFor('director', repository.root.content.roles.director);
    const bytes = signAssignment({ device, board, release, version, expires, ...(bundle ? { bundle } : {}) }, signers);
    return this.keep(device, { version, root, bytes });
  }

  /** The fleet's targets, and where they list what a device is to install. */
  private async presentFor({ action, target, board }: Wanted) {
    for (let afresh = false; ; afresh = true) {
      const present = await this.parts.present(afresh);
      if (!present) return undefined;
      const found = action === 'install' && board ? present.repository.findBlob(target, board) : undefined;
      // What is not there may have been listed this moment.
      if (found || action !== 'install' || afresh) return { ...present, found };
    }
  }

  /** What the database has for a device, in one question with what others ask meanwhile. */
  private async wanted(device: string): Promise<Wanted | undefined> {
    this.asked.add(device);
    this.lookup ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
      const devices = [...this.asked];
      this.asked = new Set();
      this.lookup = undefined;
      const rows = await this.parts.database.query<Wanted>(WANTED, [JSON.stringify(devices)]);
      return new Map(rows.map((row) => [row.device, row]));
    });
    return (await this.lookup).get(device);
  }

  /** Descriptions of rollouts do not change, and many devices have the same. */
  private specOf(source: string): Promise<Spec | undefined> {
    const known = this.specs.get(source);
    if (known) return known;
    const found = this.parts.database
      .query<{ spec: Spec }>(`select spec from rollouts where 'rollout/' || id = $1`, [source])
      .then(([row]) => row?.spec);
    this.specs.set(source, found);
    found.catch(() => this.specs.delete(source));
    for (const oldest of this.specs.keys()) {
      if (this.specs.size <= MOST_SPECS) break;
      this.specs.delete(oldest);
    }
    return found;
  }

  private keep(device: string, file: Kept): Kept {
    this.kept.delete(device);
    this.kept.set(device, file);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) break;
      this.kept.delete(oldest);
    }
    return file;
  }
}

/** What devices go back to was never measured against the limits of a rollout. */
function termsOf({ target }: Wanted, spec: Spec | undefined, others: Terms): Terms {
  if (!spec) return others;
  const probation = { milliseconds: spec.probationMilliseconds };
  if (!spec.variants.some((v) => v.sha256 === target)) return { limits: {}, shadowInputs: 0, probation };
  return { limits: spec.limits, shadowInputs: spec.shadowInputs, probation };
}

const WANTED = `
  select t.device, t.rev, t.at, t.action, t.target, d.board, c.source
  from desired t
  join devices d on d.name = t.device
  join decisions c on c.key = t.key
  where t.device in (select jsonb_array_elements_text($1::jsonb))`;
