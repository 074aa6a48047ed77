import { posix } from 'node:path';
import type { DeviceFileSystem, OpenFile } from '../device/fs/file-system.ts';

/** A device's file system in memory that nothing ever happens to: for many devices at once. For power cuts see CrashFileSystem. */
export class MemoryDeviceFileSystem implements DeviceFileSystem {
  private readonly files = new Map<string, MemoryFile>();
  private readonly folders = new Set(['.']);

  async open(path: string, mode: 'read' | 'write'): Promise<OpenFile> {
    const there = this.files.get(path);
    if (there) return there;
    if (mode === 'read' || !this.folders.has(posix.dirname(path))) throw missing(path);
    const file = new MemoryFile();
    this.files.set(path, file);
    return file;
  }

  async makeFolder(path: string): Promise<void> {
    if (!this.folders.has(posix.dirname(path))) throw missing(path);
    this.folders.add(path);
  }

  async syncFolder(path: string): Promise<void> {
    if (!this.folders.has(path)) throw missing(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.files.get(from);
    if (!file) throw missing(from);
    this.files.delete(from);
    this.files.set(to, file);
  }

  async unlink(path: string): Promise<void> {
    if (!this.files.delete(path)) throw missing(path);
  }

  async list(path: string): Promise<string[]> {
    if (!this.folders.has(path)) throw missing(path);
    const names = [...this.files.keys(), ...this.folders].filter((p) => p !== '.' && posix.dirname(p) === path);
    return names.map((p) => posix.basename(p)).sort();
  }

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** Grows by doubling. */
class MemoryFile implements OpenFile {
  private content = new Uint8Array(0);
  private length = 0;

  async size(): Promise<number> {
    return this.length;
  }

  async read(at: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const found = this.content.subarray(Math.min(at, this.length), Math.min(at + length, this.length));
    if (!into) return found.slice();
    into.set(found);
    return into.subarray(0, found.length);
  }

  async write(at: number, bytes: Uint8Array): Promise<number> {
    this.reserve(at + bytes.length);
    this.content.set(bytes, at);
    return bytes.length;
  }

  async truncate(size: number): Promise<void> {
    this.reserve(size);
    this.content.fill(0, size, this.length);
    this.length = size;
  }

  async sync(): Promise<void> {
    // Memory is as durable as it gets here.
  }

  async close(): Promise<void> {
    // Others may have it open still.
  }

  private reserve(size: number): void {
    if (size > this.content.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.content.length));
      grown.set(this.content);
      this.content = grown;
    }
    this.length = Math.max(this.length, size);
  }
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: there is no ${path}`), { code: 'ENOENT' });
}
