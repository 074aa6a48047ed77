import { dirname } from 'node:path';
import type { FileSystem } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';

/** An operation that the fake should fail, once. */
export interface InjectedFailure {
  readonly operation: 'read' | 'write' | 'rename' | 'remove' | 'makeFolder';
  /** The platform's error code: ENOSPC, EACCES, EIO, ... */
  readonly code: string;
  /** Fails the first matching operation on a path that contains this; any path without it. */
  readonly path?: string;
  /** A failing write leaves so many bytes behind, as a full disk does; 0 without it. */
  readonly bytesWritten?: number;
}

/** File system in memory, with failures on request. Paths are plain strings with '/'. */
export class MemoryFileSystem implements FileSystem {
  readonly files = new Map<string, Uint8Array>();
  readonly folders = new Set<string>();
  private readonly failures: InjectedFailure[] = [];

  /** The next matching operation fails. */
  failNext(failure: InjectedFailure): void {
    this.failures.push(failure);
  }

  async read(path: string): Promise<Uint8Array> {
    this.fail('read', path);
    const bytes = this.files.get(path);
    if (!bytes) throw fsError('ENOENT', `no such file, read '${path}'`);
    return bytes.slice();
  }

  async hash(path: string): Promise<string> {
    return sha256(await this.read(path));
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const failure = this.take('write', path);
    if (failure) {
      this.files.set(path, bytes.slice(0, failure.bytesWritten ?? 0));
      throw fsError(failure.code, `injected failure, write '${path}'`);
    }
    this.files.set(path, bytes.slice());
  }

  async rename(from: string, to: string): Promise<void> {
    this.fail('rename', from);
    const moved = [...this.files].filter(([path]) => path === from || path.startsWith(`${from}/`));
    if (moved.length === 0 && !this.folders.has(from)) throw fsError('ENOENT', `no such file, rename '${from}'`);
    if (this.folders.has(from) && (await this.exists(to))) throw fsError('ENOTEMPTY', `rename '${from}' onto '${to}'`);
    for (const [path, bytes] of moved) {
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), bytes);
    }
    for (const folder of [...this.folders].filter((f) => f === from || f.startsWith(`${from}/`))) {
      this.folders.delete(folder);
      this.folders.add(to + folder.slice(from.length));
    }
  }

  async remove(path: string): Promise<void> {
    this.fail('remove', path);
    for (const key of [...this.files.keys()]) if (key === path || key.startsWith(`${path}/`)) this.files.delete(key);
    for (const key of [...this.folders]) if (key === path || key.startsWith(`${path}/`)) this.folders.delete(key);
  }

  async makeFolder(path: string): Promise<void> {
    this.fail('makeFolder', path);
    for (let folder = path; folder !== '.' && folder !== '/'; folder = dirname(folder)) this.folders.add(folder);
  }

  async exists(path: string): Promise<boolean> {
    return this.files.has(path) || this.folders.has(path);
  }

  async list(path: string): Promise<string[]> {
    const names = [...this.files.keys(), ...this.folders]
      .filter((p) => p.startsWith(`${path}/`))
      .map((p) => p.slice(path.length + 1).split('/')[0]);
    return [...new Set(names)].sort();
  }

  private take(operation: InjectedFailure['operation'], path: string): InjectedFailure | undefined {
    const at = this.failures.findIndex((f) => f.operation === operation && path.includes(f.path ?? ''));
    return at < 0 ? undefined : this.failures.splice(at, 1)[0];
  }

  private fail(operation: InjectedFailure['operation'], path: string): void {
    const failure = this.take(operation, path);
    if (failure) throw fsError(failure.code, `injected failure, ${operation} '${path}'`);
  }
}

function fsError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
