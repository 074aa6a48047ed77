import { posix } from 'node:path';
import type { DeviceFileSystem, OpenFile } from '../device/fs/file-system.ts';
import { Rng } from '../util/rng.ts';
import { imageAfterCrash, type LossModel, StoredFile, StoredFolder } from './crash-image.ts';

export type FileOperation =
  | 'open'
  | 'create'
  | 'size'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'close'
  | 'makeFolder'
  | 'syncFolder'
  | 'rename'
  | 'unlink'
  | 'list'
  | 'freeBytes';

/** Operations that change what a power cut leaves behind. */
const LASTING: ReadonlySet<FileOperation> = new Set([
  'create',
  'write',
  'truncate',
  'sync',
  'makeFolder',
  'syncFolder',
  'rename',
  'unlink',
]);

/** What goes wrong at an operation: the platform's error code, or a write that is shorter than asked for. */
export type Fault = 'ENOSPC' | 'EIO' | 'EROFS' | 'short';

/** Which operations each error can come from. Syncing and reading work on full and on read-only media. */
const CAN_FAIL: Readonly<Record<Fault, ReadonlySet<FileOperation>>> = {
  ENOSPC: new Set(['create', 'write', 'makeFolder']),
  EROFS: new Set(['create', 'write', 'truncate', 'makeFolder', 'rename', 'unlink']),
  EIO: new Set<FileOperation>([...LASTING, 'open', 'size', 'read', 'list', 'freeBytes', 'close']),
  short: new Set(['write']),
};

/** Every operation after a power cut ends in this. */
export class PowerCut extends Error {
  constructor() {
    super('the power is off');
    this.name = 'PowerCut';
  }
}

export interface CrashOptions {
  /** Bytes of all files together; without it there is no limit. */
  readonly capacity?: number;
  readonly image?: StoredFolder;
}

/**
 * A file system in memory that knows what of it is durable. Operations are counted from 0; power can go at any of them, and any of them
 * can fail. `crash` gives what a start after the cut finds.
 */
export class CrashFileSystem implements DeviceFileSystem {
  /** What was done, in order. */
  readonly operations: FileOperation[] = [];
  /** Bytes that were written, for wear. */
  bytesWritten = 0;
  private readonly capacity: number;
  private readonly root: StoredFolder;
  private cutAt = Number.POSITIVE_INFINITY;
  private faultAt: { at: number; until: number; fault: Fault } | undefined;
  private off = false;

  constructor({ capacity = Number.POSITIVE_INFINITY, image }: CrashOptions = {}) {
    this.capacity = capacity;
    this.root = image ?? new StoredFolder();
  }

  /** Power goes at this operation, which may have been done in part. */
  cutPowerAt(operation: number): void {
    this.cutAt = operation;
  }

  /** This operation fails, and the `times` - 1 after it, where they are of a kind that can. */
  failAt(operation: number, fault: Fault, times = 1): void {
    this.faultAt = { at: operation, until: operation + times, fault };
  }

  /** Nothing fails any more. */
  repair(): void {
    this.faultAt = undefined;
  }

  get powered(): boolean {
    return !this.off;
  }

  /** Numbers of the operations so far that change what a power cut leaves. */
  lastingOperations(): number[] {
    return this.operations.flatMap((kind, i) => (LASTING.has(kind) ? [i] : []));
  }

  /** What a start after a power cut finds, the same for the same seed; this file system is left as it is. */
  crash(model: LossModel, seed = 1): CrashFileSystem {
    return new CrashFileSystem({ capacity: this.capacity, image: imageAfterCrash(this.root, model, new Rng(seed)) });
  }

  /** Bytes of all files that have names. */
  usedBytes(): number {
    return this.root.bytes();
  }

  async open(path: string, mode: 'read' | 'write'): Promise<OpenFile> {
    const { folder, name } = this.locate(path);
    const there = folder.names.get(name);
    if (there instanceof StoredFolder) throw failure('EISDIR', path);
    if (!there && mode === 'read') {
      this.begin('open', path);
      throw failure('ENOENT', path);
    }
    const file = there ?? new StoredFile();
    this.begin(there ? 'open' : 'create', path);
    if (!there) folder.change({ set: [[name, file]] });
    return new OpenCrashFile(this, file, path);
  }

  async makeFolder(path: string): Promise<void> {
    const { folder, name } = this.locate(path);
    this.begin('makeFolder', path);
    const there = folder.names.get(name);
    if (there instanceof StoredFile) throw failure('EEXIST', path);
    if (!there) folder.change({ set: [[name, new StoredFolder()]] });
  }

  async syncFolder(path: string): Promise<void> {
    const folder = this.folder(path);
    const fault = this.begin('syncFolder', path, () => folder.forget());
    if (fault === undefined) folder.sync();
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [this.locate(from), this.locate(to)];
    const node = source.folder.names.get(source.name);
    this.begin('rename', from);
    if (!node) throw failure('ENOENT', from);
    if (source.folder === target.folder) {
      source.folder.change({ set: [[target.name, node]], remove: [source.name] });
      return;
    }
    target.folder.change({ set: [[target.name, node]] });
    source.folder.change({ remove: [source.name] });
  }

  async unlink(path: string): Promise<void> {
    const { folder, name } = this.locate(path);
    this.begin('unlink', path);
    if (!folder.names.has(name)) throw failure('ENOENT', path);
    folder.change({ remove: [name] });
  }

  async list(path: string): Promise<string[]> {
    const folder = this.folder(path);
    this.begin('list', path);
    return [...folder.names.keys()].sort();
  }

  async freeBytes(): Promise<number> {
    this.begin('freeBytes', '.');
    return this.capacity - this.usedBytes();
  }

  /**
   * Counts an operation. Throws where power goes or where it is to fail, after `partly` has left what such an operation leaves.
   */
  begin(kind: FileOperation, path: string, partly?: (fault: Fault | 'cut') => void): Fault | undefined {
    if (this.off) throw new PowerCut();
    const at = this.operations.length;
    this.operations.push(kind);
    if (at === this.cutAt) {
      this.off = true;
      partly?.('cut');
      throw new PowerCut();
    }
    const f = this.faultAt;
    if (!f || at < f.at || at >= f.until || !CAN_FAIL[f.fault].has(kind)) return undefined;
    partly?.(f.fault);
    if (f.fault === 'short') return f.fault;
    throw failure(f.fault, path);
  }

  /** How many of so many bytes more there is room for. */
  room(bytes: number): number {
    return Math.max(0, Math.min(bytes, this.capacity - this.usedBytes()));
  }

  private folder(path: string): StoredFolder {
    let folder = this.root;
    for (const name of posix.normalize(path).split('/')) {
      if (name === '.' || name === '') continue;
      const next = folder.names.get(name);
      if (!(next instanceof StoredFolder)) {
        this.begin('open', path);
        throw failure(next ? 'ENOTDIR' : 'ENOENT', path);
      }
      folder = next;
    }
    return folder;
  }

  private locate(path: string): { folder: StoredFolder; name: string } {
    return { folder: this.folder(posix.dirname(path)), name: posix.basename(path) };
  }
}

class OpenCrashFile implements OpenFile {
  private readonly fs: CrashFileSystem;
  private readonly file: StoredFile;
  private readonly path: string;

  constructor(fs: CrashFileSystem, file: StoredFile, path: string) {
    this.fs = fs;
    this.file = file;
    this.path = path;
  }

  async size(): Promise<number> {
    this.fs.begin('size', this.path);
    return this.file.bytes.length;
  }

  async read(at: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    this.fs.begin('read', this.path);
    const found = this.file.bytes.subarray(at, at + length);
    if (!into) return found.slice();
    into.set(found);
    return into.subarray(0, found.length);
  }

  async write(at: number, bytes: Uint8Array): Promise<number> {
    const half = bytes.subarray(0, bytes.length >> 1);
    const fault = this.fs.begin('write', this.path, (f) => {
      if (f === 'cut') this.file.begun = { at, bytes: bytes.slice() };
      else if (f === 'ENOSPC' || f === 'EIO') this.file.write(at, half);
    });
    const wanted = fault === 'short' && half.length > 0 ? half : bytes;
    const growth = Math.max(0, at + wanted.length - this.file.bytes.length);
    const written = wanted.subarray(0, wanted.length - growth + this.fs.room(growth));
    if (written.length === 0 && wanted.length > 0) throw failure('ENOSPC', this.path);
    this.file.write(at, written);
    this.fs.bytesWritten += written.length;
    return written.length;
  }

  async truncate(size: number): Promise<void> {
    this.fs.begin('truncate', this.path);
    this.file.truncate(size);
  }

  async sync(): Promise<void> {
    // A failed fsync marks what it could not write as clean: a second one does not bring it to the medium.
    this.fs.begin('sync', this.path, (f) => f === 'EIO' && this.file.forget());
    this.file.sync();
  }

  async close(): Promise<void> {
    this.fs.begin('close', this.path);
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: '${path}'`), { code });
}
