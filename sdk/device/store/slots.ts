import { EigenError } from '../../util/errors.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { BlobStore } from './blobs.ts';
import { Pointer } from './pointer.ts';

export type SlotName = 'a' | 'b';

/** What a slot holds: a blob, and under which release it was assigned. */
export interface SlotContent {
  readonly sha256: string;
  readonly bytes: number;
  readonly release: number;
}

export interface SlotState {
  /** The slot that is used; absent while nothing is installed. */
  readonly active?: SlotName;
  readonly slots: { readonly [slot in SlotName]?: SlotContent };
  /** Present while the active slot is on probation: how long that is to last, and how many times it was started since. */
  readonly trial?: { readonly milliseconds: number; readonly starts: number };
  /** What the last rollback went back from. */
  readonly rejected?: { readonly content: SlotContent; readonly reason: string };
}

/** What to start with, and what was found. */
export interface Recovered {
  /** Verified byte by byte; absent where nothing that is installed is whole. */
  readonly content?: SlotContent;
  /** Why it is not what was active before; absent when it is. */
  readonly fellBack?: string;
}

/** Starts on probation that are not followed by a commit, before it counts as one that crashes. */
export const MOST_STARTS = 3;

/** Kept free beside a blob: pointers, journals, names. */
const MARGIN_BYTES = 64 << 10;

const OTHER = { a: 'b', b: 'a' } as const;

/**
 * Two slots and the pointer that says which one is used, in a folder of their own: for models, and in another folder for the agent
 * itself. A slot names a blob of the same folder. Whatever fails and whenever power goes, the pointer names what it named before or
 * what it was to name, and both are whole.
 */
export class Slots {
  readonly blobs: BlobStore;
  private readonly fs: DeviceFileSystem;
  private readonly folder: string;
  private readonly pointer: Pointer<SlotState>;

  private constructor(fs: DeviceFileSystem, folder: string, pointer: Pointer<SlotState>) {
    this.fs = fs;
    this.folder = folder;
    this.blobs = new BlobStore(fs, `${folder}/blobs`);
    this.pointer = pointer;
  }

  /** Reads the pointer of a folder right below the state folder; it need not exist yet. Writes nothing. */
  static async open(fs: DeviceFileSystem, folder: string): Promise<Slots> {
    return new Slots(fs, folder, await Pointer.open<SlotState>(fs, folder));
  }

  get state(): SlotState {
    return this.pointer.state ?? { slots: {} };
  }

  get active(): SlotContent | undefined {
    return this.contentOf(this.state.active);
  }

  /** What a rollback would go back to. */
  get previous(): SlotContent | undefined {
    const { active } = this.state;
    return this.contentOf(active && OTHER[active]);
  }

  /**
   * Decides what to start with. Counts a start on probation, and ends the probation of what does not survive it; a start that cannot be
   * counted is not tried. Never throws: a medium that cannot be written still starts what is on it.
   */
  async recover(): Promise<Recovered> {
    const { state, active, previous } = this;
    if (!active) return {};
    const safe = previous && (await this.isWhole(previous)) ? previous : undefined;
    if (state.trial) {
      const ended = await this.countStart(state.trial, safe !== undefined || !previous);
      if (ended && this.active !== active) return { ...(safe ? { content: safe } : {}), fellBack: ended };
      if (ended && safe) return { content: safe, fellBack: ended };
    }
    if (await this.isWhole(active)) return { content: active };
    const fellBack = `blob ${active.sha256} is damaged`;
    if (!safe) return { fellBack };
    const back = OTHER[state.active!];
    await this.pointer.write({ active: back, slots: { [back]: safe } }).catch(() => undefined);
    return { content: safe, fellBack };
  }

  /** Why a start on probation is not to be tried; undefined when it is counted, and may be. */
  private async countStart(trial: NonNullable<SlotState['trial']>, mayEnd: boolean): Promise<string | undefined> {
    const starts = trial.starts + 1;
    const crashes = `it was started ${MOST_STARTS} times and not committed`;
    try {
      if (starts <= MOST_STARTS) await this.pointer.write({ ...this.state, trial: { ...trial, starts } });
      else if (mayEnd) await this.rollBack(crashes);
    } catch (e) {
      return starts > MOST_STARTS ? crashes : `its start cannot be counted: ${e instanceof Error ? e.message : e}`;
    }
    return starts > MOST_STARTS && mayEnd ? crashes : undefined;
  }

  /**
   * Makes room for a blob: garbage goes first, then what a rollback would go back to, never the blob `inUse` nor what has come of
   * `begun`. Not to be called while something is on probation. Space is checked, not set aside: writing zeros would wear flash twice, and
   * a download that finds the medium full loses only itself.
   * @throws EigenError EW7003_NO_SPACE.
   */
  async reserve({ sha256, bytes }: BlobSpec, inUse?: string, begun: readonly string[] = []): Promise<void> {
    await this.makeFolders();
    const wanted = [sha256, ...(inUse === undefined ? [] : [inUse]), ...begun];
    await this.collect(wanted);
    const missing = bytes - Math.min(bytes, await this.blobs.bytesOf(sha256));
    const needed = missing + MARGIN_BYTES;
    const before = await this.fs.freeBytes();
    if (before >= needed) return;
    const { state, previous } = this;
    // What is used is in the other slot where the active one was found damaged and that could not be noted.
    const spare = previous && !wanted.includes(previous.sha256) && before + previous.bytes >= needed;
    if (state.active && spare)
      await this.pointer.write({ active: state.active, slots: { [state.active]: state.slots[state.active]! } });
    await this.pointer.settle();
    await this.collect(wanted);
    const free = await this.fs.freeBytes();
    if (free >= needed) return;
    throw new EigenError('EW7003_NO_SPACE', `${needed} bytes are needed, ${free} are free`, {
      hint: 'Free space on the device, or assign a smaller bundle; it is tried again later.',
      details: { needed, free },
    });
  }

  /** Makes a blob the one that is used, on probation, in the slot that does not hold what is `inUse`. */
  async swap(content: SlotContent, probation: { readonly milliseconds: number }, inUse?: string): Promise<void> {
    const { active, slots } = this.state;
    const holds = (['a', 'b'] as const).find((slot) => slots[slot]?.sha256 === inUse && slots[slot]) ?? active;
    const next = holds ? OTHER[holds] : 'a';
    await this.pointer.write({
      active: next,
      slots: { ...slots, [next]: content },
      trial: { milliseconds: probation.milliseconds, starts: 1 },
    });
  }

  /** Ends the probation of what is used: it stays. */
  async commit(): Promise<void> {
    const { active, slots } = this.state;
    if (!active) throw new Error('slots: nothing to commit');
    await this.pointer.write({ active, slots });
  }

  /** Goes back to the other slot, and remembers from what. Without another one nothing is used. */
  async rollBack(reason: string): Promise<void> {
    const { active, slots } = this.state;
    if (!active) throw new Error('slots: nothing to roll back');
    const rejected = { content: slots[active]!, reason };
    const back = OTHER[active];
    const content = slots[back];
    await this.pointer.write(
      content ? { active: back, slots: { [back]: content }, rejected } : { slots: {}, rejected },
    );
  }

  /** Removes what no start and no rollback could come to, but these blobs. */
  async collect(wanted: readonly string[] = []): Promise<void> {
    const contents = this.pointer.reachable.flatMap((state) => Object.values(state.slots));
    await this.blobs.collect(new Set([...contents.map((c) => c.sha256), ...wanted]));
  }

  /** A read that fails is tried once more: what cannot be read is not whole. */
  private async isWhole({ sha256 }: SlotContent): Promise<boolean> {
    return this.blobs.isWhole(sha256).catch(() => this.blobs.isWhole(sha256).catch(() => false));
  }

  private async makeFolders(): Promise<void> {
    await this.fs.makeFolder(this.folder);
    await this.fs.syncFolder('.');
    await this.fs.makeFolder(`${this.folder}/blobs`);
    await this.fs.syncFolder(this.folder);
  }

  private contentOf(slot: SlotName | undefined): SlotContent | undefined {
    return slot && this.state.slots[slot];
  }
}
