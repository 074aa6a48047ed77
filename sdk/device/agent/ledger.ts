import * as v from 'valibot';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { AppendLog } from '../store/append-log.ts';
import type { DeltaNotes } from './fetch.ts';
import type { StepName } from './planner.ts';

/** How updates to one blob went wrong. */
export interface Failure {
  readonly sha256: string;
  /** Under which the last attempt was made. */
  readonly release: number;
  readonly attempts: number;
  /** Of these, those that have cost a download. */
  readonly costly?: number;
  /** Of the last attempt, milliseconds since 1970. */
  readonly at: number;
  readonly step: StepName;
  /** Of an EigenError or of the platform; empty where there is none. */
  readonly code: string;
  readonly reason: string;
  /** What it amounts to where it is no accident: see sdk/wire/attacks.ts. */
  readonly attack?: string;
  /** It would fail again: only a higher release is tried. */
  readonly poisoned: boolean;
}

/** How an update ended. */
export type Outcome =
  | { readonly kind: 'committed'; readonly sha256: string; readonly release: number; readonly at: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

type Entry =
  | { readonly kind: 'step'; readonly step: StepName; readonly sha256: string; readonly at: number }
  | Outcome
  | { readonly kind: 'reported' }
  | FailedDelta
  | {
      readonly kind: 'summary';
      readonly failures: readonly Failure[];
      readonly unreported?: Outcome;
      readonly deltas?: readonly FailedDelta[];
    };

/** A delta that did not lead where it should. */
interface FailedDelta {
  readonly kind: 'delta';
  readonly sha256: string;
  readonly reason: string;
}

const step = v.custom<StepName>((value) => typeof value === 'string');
const number = v.number();
const outcome = [
  v.object({ kind: v.literal('committed'), sha256: v.string(), release: number, at: number }),
  v.object({
    kind: v.literal('failed'),
    failure: v.object({
      ...{ sha256: v.string(), release: number, attempts: number, costly: v.optional(number), at: number, step },
      ...{ code: v.string(), reason: v.string(), attack: v.optional(v.string()), poisoned: v.boolean() },
    }),
  }),
] as const;
const delta = v.object({ kind: v.literal('delta'), sha256: v.string(), reason: v.string() });
/** Entries that this version knows; another one may have written others. */
const entry = v.variant('kind', [
  ...outcome,
  delta,
  v.object({ kind: v.literal('step'), step, sha256: v.string(), at: number }),
  v.object({ kind: v.literal('reported') }),
  v.object({
    kind: v.literal('summary'),
    failures: v.array(outcome[1].entries.failure),
    unreported: v.optional(v.variant('kind', [...outcome])),
    deltas: v.optional(v.array(delta)),
  }),
]);

function isEntry(value: unknown): value is Entry {
  return v.is(entry, value);
}

/** Attempts at one blob under one release that have cost a download. What waits for a network or for space may wait for ever. */
const MOST_COSTLY = 8;
const CHEAP: ReadonlySet<StepName> = new Set(['CHECK', 'PREFLIGHT', 'FETCH']);
/** Blobs whose failures are remembered, and deltas. */
const MOST_FAILURES = 64;
/** Size from which the journal is replaced by its summary, bytes. */
const COMPACT_BYTES = 64 << 10;
const FIRST_WAIT = 30_000;
const LONGEST_WAIT = 6 * 3600_000;

/** The journal of updates: every step as it begins, every outcome; and what follows from it. Times are milliseconds. */
export class Ledger implements DeltaNotes {
  private readonly log: AppendLog<Entry>;
  private readonly failures = new Map<string, Failure>();
  private readonly deltas = new Map<string, FailedDelta>();
  private outcome: Outcome | undefined;

  private constructor(log: AppendLog<Entry>) {
    this.log = log;
  }

  static async open(fs: DeviceFileSystem, path: string): Promise<Ledger> {
    const { log, entries } = await AppendLog.open(fs, path, isEntry);
    const ledger = new Ledger(log);
    for (const entry of entries) ledger.take(entry);
    return ledger;
  }

  failureOf(sha256: string): Failure | undefined {
    return this.failures.get(sha256);
  }

  deltaProblem(sha256: string): string | undefined {
    return this.deltas.get(sha256)?.reason;
  }

  async failDelta(sha256: string, reason: string): Promise<void> {
    await this.note({ kind: 'delta', sha256, reason }).catch(() => undefined);
  }

  /** The last outcome, until it was reported. */
  get unreported(): Outcome | undefined {
    return this.outcome;
  }

  async begin(step: StepName, sha256: string, at: number): Promise<void> {
    if (this.log.bytes > COMPACT_BYTES) await this.compact();
    await this.note({ kind: 'step', step, sha256, at });
  }

  /** Remembers an attempt that failed, also where that cannot be written. */
  async fail(attempt: Omit<Failure, 'attempts' | 'costly'>): Promise<Failure> {
    const last = this.failures.get(attempt.sha256);
    const before = last?.release === attempt.release ? last : undefined;
    const attempts = (before?.attempts ?? 0) + 1;
    const wrong = attempt.code === 'EW7002_PIECE_REFUSED' || attempt.attack === 'arbitrary-installation';
    const costly = (before?.costly ?? 0) + (wrong || !CHEAP.has(attempt.step) ? 1 : 0);
    const failure = { ...attempt, attempts, costly, poisoned: attempt.poisoned || costly >= MOST_COSTLY };
    await this.note({ kind: 'failed', failure }).catch(() => undefined);
    return failure;
  }

  async commit(sha256: string, release: number, at: number): Promise<void> {
    await this.note({ kind: 'committed', sha256, release, at });
  }

  async reported(): Promise<void> {
    await this.note({ kind: 'reported' });
  }

  private async note(entry: Entry): Promise<void> {
    this.take(entry);
    await this.log.append(entry);
  }

  private async compact(): Promise<void> {
    const unreported = this.outcome && { unreported: this.outcome };
    const [failures, deltas] = [[...this.failures.values()], [...this.deltas.values()]];
    await this.log.rewrite([{ kind: 'summary', failures, deltas, ...unreported }]);
  }

  private take(entry: Entry): void {
    switch (entry.kind) {
      case 'step':
        return;
      case 'summary':
        for (const failure of entry.failures) remember(this.failures, failure);
        for (const delta of entry.deltas ?? []) remember(this.deltas, delta);
        this.outcome = entry.unreported;
        return;
      case 'failed':
        remember(this.failures, entry.failure);
        this.outcome = entry;
        return;
      case 'delta':
        remember(this.deltas, entry);
        return;
      case 'committed':
        this.failures.delete(entry.sha256);
        this.outcome = entry;
        return;
      case 'reported':
        this.outcome = undefined;
    }
  }
}

/** Of those that are too many the oldest is forgotten. */
function remember<T extends { readonly sha256: string }>(all: Map<string, T>, one: T): void {
  all.delete(one.sha256);
  all.set(one.sha256, one);
  for (const oldest of all.keys()) if (all.size > MOST_FAILURES) all.delete(oldest);
}

/**
 * When the next attempt may be made. The wait doubles with every attempt; half of it depends on the blob and the attempt, so that
 * devices which failed together do not come back together.
 * @param device of which the jitter depends.
 */
export function retryAt({ at, attempts, sha256 }: Failure, device: string): number {
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1));
  return at + wait / 2 + (wait / 2) * share(`${device} ${sha256} ${attempts}`);
}

/** A number in [0, 1) that looks random (FNV-1a). */
function share(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
