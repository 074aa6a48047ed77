import type { ByteSource, ByteTarget } from '../../bundle/index.ts';
import { EigenError } from '../../util/errors.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { digestOf, readHashed, unlinkIfThere, withFile, writeFully } from '../fs/whole-files.ts';
import { Download, promote } from './download.ts';

/** Files by the SHA-256 of what is in them, in one folder; beside them downloads that have not ended. */
export class BlobStore {
  private readonly fs: DeviceFileSystem;
  private readonly folder: string;

  constructor(fs: DeviceFileSystem, folder: string) {
    this.fs = fs;
    this.folder = folder;
  }

  /** Whether a blob is there and every byte of it is right. */
  async isWhole(name: string): Promise<boolean> {
    return (await digestOf(this.fs, this.at(name)))?.sha256 === name;
  }

  /**
   * A blob's bytes, verified in the memory that they are used from.
   * @throws EigenError EW7001_STORE_DAMAGED when it is not there or not whole.
   */
  async read(name: string): Promise<Uint8Array> {
    const found = await readHashed(this.fs, this.at(name));
    if (found?.sha256 === name) return found.content;
    throw new EigenError('EW7001_STORE_DAMAGED', `blob ${name} is ${found ? 'damaged' : 'not there'}`, {
      hint: 'It is fetched again with the next update; look at the health of the storage.',
      details: { blob: name },
    });
  }

  /** Begins or resumes a download. */
  download(spec: BlobSpec): Promise<Download> {
    return Download.open(this.fs, this.at(spec.sha256), spec);
  }

  /** Reads a blob a stretch at a time, or what has come of one. Nothing is verified. */
  reading<T>(name: string, state: 'whole' | 'coming', work: (source: ByteSource) => Promise<T>): Promise<T> {
    const path = state === 'whole' ? this.at(name) : `${this.at(name)}.part`;
    return withFile(this.fs, path, 'read', async (file) => {
      const bytes = await file.size();
      return work({ bytes, read: (from, count) => file.read(from, Math.min(count, bytes - from)) });
    });
  }

  /** Writes where the download of a blob is, and nowhere else: to be verified as what is downloaded is. No download may be open. */
  building<T>(spec: BlobSpec, work: (target: ByteTarget) => Promise<T>): Promise<T> {
    return withFile(this.fs, `${this.at(spec.sha256)}.part`, 'write', async (file) =>
      work({
        read: (from, count) => file.read(from, count),
        write: async (at, bytes) => {
          if (at < 0 || at + bytes.length > spec.bytes)
            throw new EigenError(
              'EW7002_PIECE_REFUSED',
              `something was to be written behind the end of ${spec.sha256}`,
              {
                hint: 'What was made does not fit what was announced; it is fetched instead.',
              },
            );
          await writeFully(file, at, bytes);
        },
      }),
    );
  }

  /** Removes what has come of a download. */
  async discard(name: string): Promise<void> {
    await unlinkIfThere(this.fs, `${this.at(name)}.log`);
    await unlinkIfThere(this.fs, `${this.at(name)}.part`);
  }

  /**
   * Verifies a download as a whole and makes it a blob.
   * @throws EigenError EW7001_STORE_DAMAGED when it is not what it should be: it is gone then.
   */
  async accept(spec: BlobSpec): Promise<void> {
    if (await this.isWhole(spec.sha256)) return;
    const part = await digestOf(this.fs, `${this.at(spec.sha256)}.part`);
    if (part?.sha256 === spec.sha256) return promote(this.fs, this.folder, spec.sha256);
    await this.discard(spec.sha256);
    throw new EigenError('EW7001_STORE_DAMAGED', `the download of ${spec.sha256} has ${describe(part)}`, {
      hint: 'It is fetched again from its beginning.',
      details: { expected: spec.sha256, got: part?.sha256 },
    });
  }

  /** Bytes of a blob that are on the medium, whole or on its way. */
  async bytesOf(name: string): Promise<number> {
    const blob = await digestOf(this.fs, this.at(name));
    if (blob?.sha256 === name) return blob.bytes;
    return (await this.sizeOf(`${name}.part`)) ?? 0;
  }

  /** Removes everything but these blobs and their downloads. */
  async collect(keep: ReadonlySet<string>): Promise<void> {
    const files = await this.fs.list(this.folder);
    const garbage = files.filter((file) => {
      const [name, suffix] = file.split('.', 2) as [string, string | undefined];
      return !keep.has(name) || (suffix === 'log' && !files.includes(`${name}.part`));
    });
    for (const file of garbage) await unlinkIfThere(this.fs, this.at(file));
    if (garbage.length > 0) await this.fs.syncFolder(this.folder);
  }

  private async sizeOf(file: string): Promise<number | undefined> {
    if (!(await this.fs.list(this.folder)).includes(file)) return undefined;
    return withFile(this.fs, this.at(file), 'read', (opened) => opened.size());
  }

  private at(name: string): string {
    return `${this.folder}/${name}`;
  }
}

function describe(part: { readonly bytes: number; readonly sha256: string } | undefined): string {
  return part ? `${part.bytes} bytes with the digest ${part.sha256}` : 'no bytes';
}
