import type { Rng } from '../util/rng.ts';

/**
 * What of the changes that were not synced a power cut leaves: all of them; none; all, and half of the last write; any of them, by
 * sectors and by names, in whatever order the medium took them.
 */
export const LOSS_MODELS = ['kept', 'lost', 'torn', 'reordered'] as const;
export type LossModel = (typeof LOSS_MODELS)[number];

/** What media write at once, bytes. */
const SECTOR = 512;

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number };

/** Content of a file as programs see it, and how much of that is on the medium. */
export class StoredFile {
  bytes: Uint8Array;
  durable: Uint8Array;
  pending: Change[] = [];
  /** A write during which power went. */
  begun: { readonly at: number; readonly bytes: Uint8Array } | undefined;

  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.bytes = bytes;
    this.durable = bytes;
  }

  write(at: number, bytes: Uint8Array): void {
    this.apply({ at, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    this.apply({ size });
  }

  sync(): void {
    for (const change of this.pending) this.durable = changed(this.durable, change);
    this.pending = [];
  }

  /** Changes so far will not come to the medium any more, though programs see them until power goes. */
  forget(): void {
    this.pending = [];
  }

  private apply(change: Change): void {
    this.bytes = changed(this.bytes, change);
    this.pending.push(change);
  }
}

function changed(content: Uint8Array, change: Change): Uint8Array {
  const size = 'size' in change ? change.size : Math.max(content.length, change.at + change.bytes.length);
  const out = new Uint8Array(size);
  out.set(content.subarray(0, size));
  if ('bytes' in change) out.set(change.bytes, change.at);
  return out;
}

type StoredNode = StoredFile | StoredFolder;

interface NameChange {
  readonly set?: readonly (readonly [string, StoredNode])[];
  readonly remove?: readonly string[];
}

export class StoredFolder {
  readonly names: Map<string, StoredNode>;
  durable: Map<string, StoredNode>;
  pending: NameChange[] = [];

  constructor(names: ReadonlyMap<string, StoredNode> = new Map()) {
    this.names = new Map(names);
    this.durable = new Map(names);
  }

  change(change: NameChange): void {
    applyNames(this.names, change);
    this.pending.push(change);
  }

  sync(): void {
    for (const change of this.pending) applyNames(this.durable, change);
    this.pending = [];
  }

  forget(): void {
    this.pending = [];
  }

  bytes(): number {
    let sum = 0;
    for (const node of this.names.values()) sum += node instanceof StoredFolder ? node.bytes() : node.bytes.length;
    return sum;
  }
}

function applyNames(names: Map<string, StoredNode>, { set = [], remove = [] }: NameChange): void {
  for (const name of remove) names.delete(name);
  for (const [name, node] of set) names.set(name, node);
}

/** What a start after a power cut finds: everything in it is durable. */
export function imageAfterCrash(root: StoredFolder, model: LossModel, rng: Rng): StoredFolder {
  const copies = new Map<StoredFile, StoredFile>();
  const fileOf = (file: StoredFile): StoredFile => {
    const copy = copies.get(file) ?? new StoredFile(contentAfterCrash(file, model, rng));
    copies.set(file, copy);
    return copy;
  };
  const folderOf = (folder: StoredFolder): StoredFolder => {
    const names = new Map(folder.durable);
    for (const change of folder.pending)
      if (model === 'kept' || model === 'torn' || (model === 'reordered' && rng.below(2) === 0))
        applyNames(names, change);
    return new StoredFolder(
      new Map([...names].map(([name, node]) => [name, node instanceof StoredFolder ? folderOf(node) : fileOf(node)])),
    );
  };
  return folderOf(root);
}

function contentAfterCrash({ durable, pending, begun }: StoredFile, model: LossModel, rng: Rng): Uint8Array {
  let changes: Change[] = [];
  if (model === 'kept') changes = pending;
  if (model === 'torn') {
    const last = begun ?? pending.at(-1);
    const before = begun ? pending : pending.slice(0, -1);
    changes = last && 'bytes' in last ? [...before, firstHalf(last)] : pending;
  }
  if (model === 'reordered')
    changes = [...pending, ...(begun ? [begun] : [])].flatMap(sectorsOf).filter(() => rng.below(2) === 0);
  return changes.reduce(changed, durable);
}

function firstHalf({ at, bytes }: { at: number; bytes: Uint8Array }): Change {
  const sectors = Math.floor((at + (bytes.length >> 1)) / SECTOR) * SECTOR - at;
  // What is shorter than a sector is torn inside it: flash does that too.
  return { at, bytes: bytes.subarray(0, sectors > 0 ? sectors : bytes.length >> 1) };
}

function sectorsOf(change: Change): Change[] {
  if ('size' in change) return [change];
  const out: Change[] = [];
  for (let from = 0; from < change.bytes.length; ) {
    const to = Math.min(change.bytes.length, from + SECTOR - ((change.at + from) % SECTOR));
    out.push({ at: change.at + from, bytes: change.bytes.subarray(from, to) });
    from = to;
  }
  return out;
}
