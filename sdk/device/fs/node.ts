import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceFileSystem, OpenFile } from './file-system.ts';

/** The file system of the platform below a folder, which must exist. */
export class NodeDeviceFileSystem implements DeviceFileSystem {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async open(path: string, mode: 'read' | 'write'): Promise<OpenFile> {
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
    return new NodeFile(await open(this.at(path), flags));
  }

  async makeFolder(path: string): Promise<void> {
    await mkdir(this.at(path)).catch((e: NodeJS.ErrnoException) => {
      if (e.code !== 'EEXIST') throw e;
    });
  }

  async syncFolder(path: string): Promise<void> {
    const folder = await open(this.at(path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  rename(from: string, to: string): Promise<void> {
    return rename(this.at(from), this.at(to));
  }

  unlink(path: string): Promise<void> {
    return unlink(this.at(path));
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(this.at(path))).sort();
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.root);
    return bavail * bsize;
  }

  private at(path: string): string {
    return join(this.root, path);
  }
}

class NodeFile implements OpenFile {
  private readonly handle: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async read(at: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const bytes = into ?? new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.handle.read(bytes, done, length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async write(at: number, bytes: Uint8Array): Promise<number> {
    return (await this.handle.write(bytes, 0, bytes.length, at)).bytesWritten;
  }

  truncate(size: number): Promise<void> {
    return this.handle.truncate(size);
  }

  sync(): Promise<void> {
    return this.handle.sync();
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
