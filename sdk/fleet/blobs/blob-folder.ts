import { copyFile, type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ByteSource, bytesSource, describeBlob } from '../../bundle/index.ts';
import { EigenError } from '../../util/errors.ts';
import { nodeFileSystem, readBytes, replaceAtomically, writeAtomic } from '../../util/files.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import type { BlobSource } from './source.ts';

/** Files that are kept open. */
const MOST_OPEN = 64;

/**
 * Blobs in a local folder: `blobs/<sha256>` is a file, `pieces/<sha256>.json` what it consists of. Any web server can serve `blobs`. Files
 * never change; they may be added and removed while others read.
 */
export class BlobFolder implements BlobSource {
  private readonly folder: string;
  /** In the order of their last use. */
  private readonly opened = new Map<string, Promise<OpenBlob | undefined>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Takes a copy of a file.
   * @throws EigenError EW1002_FILE_NOT_FOUND, EW1003_WRITE_FAILED.
   */
  async add(path: string): Promise<BlobSpec> {
    const spec = await describeFile(path);
    await replaceAtomically(this.path(spec.sha256), nodeFileSystem, async (temporary) => {
      await copyFile(path, temporary);
      await sync(temporary);
    });
    return this.describe(spec);
  }

  /**
   * Makes a file a blob, in place of where it was, if it has a SHA-256. It is on the same file system, and synced.
   * @returns the SHA-256 that it has.
   */
  async adopt(path: string, sha256: string): Promise<string> {
    const spec = await describeFile(path);
    if (spec.sha256 !== sha256) return spec.sha256;
    await nodeFileSystem.makeFolder(join(this.folder, 'blobs'));
    await nodeFileSystem.rename(path, this.path(sha256));
    await this.describe(spec);
    return sha256;
  }

  async addBytes(bytes: Uint8Array): Promise<BlobSpec> {
    const spec = await describeBlob(bytesSource(bytes));
    await writeAtomic(this.path(spec.sha256), bytes);
    return this.describe(spec);
  }

  async spec(sha256: string): Promise<BlobSpec | undefined> {
    return (await this.open(sha256))?.spec;
  }

  async read(sha256: string, from: number, bytes: number): Promise<Uint8Array> {
    const blob = await this.open(sha256);
    if (!blob) throw new RangeError(`there is no blob ${sha256}`);
    return readRange(blob.file, from, bytes);
  }

  /** Names of all, sorted. */
  async list(): Promise<string[]> {
    const names = await readdir(join(this.folder, 'blobs')).catch(() => []);
    return names.filter((name) => NAME.test(name)).sort();
  }

  async remove(sha256: string): Promise<void> {
    if (!NAME.test(sha256)) return;
    await this.shut(sha256);
    await rm(this.path(sha256), { force: true });
    await rm(this.piecesPath(sha256), { force: true });
  }

  async close(): Promise<void> {
    for (const sha256 of [...this.opened.keys()]) await this.shut(sha256);
  }

  private async describe(spec: BlobSpec): Promise<BlobSpec> {
    await writeAtomic(this.piecesPath(spec.sha256), JSON.stringify(spec.pieces.map((p) => [p.bytes, p.sha256])));
    await this.shut(spec.sha256);
    return spec;
  }

  private open(sha256: string): Promise<OpenBlob | undefined> {
    const known = this.opened.get(sha256);
    this.opened.delete(sha256);
    const blob = known ?? this.openFile(sha256);
    this.opened.set(sha256, blob);
    for (const oldest of this.opened.keys()) {
      if (this.opened.size <= MOST_OPEN) break;
      void this.shut(oldest);
    }
    return blob;
  }

  private async openFile(sha256: string): Promise<OpenBlob | undefined> {
    const file = NAME.test(sha256) ? await open(this.path(sha256), 'r').catch(() => undefined) : undefined;
    // What is not there now may be there later.
    if (!file) void this.shut(sha256);
    return file && { file, spec: await this.readSpec(sha256, file) };
  }

  /** A file that was put there without its description gets one. */
  private async readSpec(sha256: string, file: FileHandle): Promise<BlobSpec> {
    const listed = await readBytes(this.piecesPath(sha256)).catch(() => undefined);
    if (!listed) return describeBlob(await sourceOf(file));
    const pieces = JSON.parse(new TextDecoder().decode(listed)) as [number, string][];
    const { size } = await file.stat();
    return { sha256, bytes: size, pieces: pieces.map(([bytes, digest]) => ({ bytes, sha256: digest })) };
  }

  private async shut(sha256: string): Promise<void> {
    const blob = this.opened.get(sha256);
    this.opened.delete(sha256);
    await (await blob?.catch(() => undefined))?.file.close();
  }

  private path(sha256: string): string {
    return join(this.folder, 'blobs', sha256);
  }

  private piecesPath(sha256: string): string {
    return join(this.folder, 'pieces', `${sha256}.json`);
  }
}

const NAME = /^[0-9a-f]{64}$/;

interface OpenBlob {
  readonly file: FileHandle;
  readonly spec: BlobSpec;
}

/** A file as devices fetch it. @throws EigenError EW1002_FILE_NOT_FOUND. */
export async function describeFile(path: string): Promise<BlobSpec> {
  const file = await open(path, 'r').catch((e: Error) => {
    throw new EigenError('EW1002_FILE_NOT_FOUND', `${path}: ${e.message}`, {
      hint: 'Check the path and its permissions.',
      cause: e,
    });
  });
  try {
    return await describeBlob(await sourceOf(file));
  } finally {
    await file.close();
  }
}

async function sourceOf(file: FileHandle): Promise<ByteSource> {
  const { size } = await file.stat();
  return { bytes: size, read: (from, count) => readRange(file, from, count) };
}

/** A stretch of a file; shorter where the file ends. */
async function readRange(file: FileHandle, from: number, count: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(count), 0, count, from);
  return buffer.subarray(0, bytesRead);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
