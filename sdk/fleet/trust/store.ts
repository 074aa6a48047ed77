import { join } from 'node:path';
import { type FileSystem, nodeFileSystem, writeAtomic } from '../../util/files.ts';

/** A file of metadata, and the version that it says it has. */
export interface MetadataFile {
  readonly version: number;
  readonly bytes: Uint8Array;
}

/**
 * Metadata in a folder as TUF lays it out, so that any web server can serve it: `VERSION.ROLE.json`, and without a version the files
 * that are fetched as the newest: `timestamp.json`, `assignment-DEVICE.json`.
 */
export class MetadataStore {
  private readonly folder: string;
  private readonly fs: FileSystem;

  constructor(folder: string, fs: FileSystem = nodeFileSystem) {
    this.folder = folder;
    this.fs = fs;
  }

  /** Undefined where there is none. */
  async read(role: string, version?: number): Promise<MetadataFile | undefined> {
    const name = nameOf(role, version);
    if (name === undefined) return undefined;
    const bytes = await this.fs.read(join(this.folder, name)).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT') return undefined;
      throw e;
    });
    return bytes && { version: version ?? versionIn(bytes), bytes };
  }

  /** @throws EigenError EW1003_WRITE_FAILED. */
  async write(role: string, bytes: Uint8Array, version?: number): Promise<void> {
    const name = nameOf(role, version);
    if (name === undefined) throw new RangeError(`'${role}' cannot be the name of a role`);
    await writeAtomic(join(this.folder, name), bytes, this.fs);
  }

  /** The highest version of a role that is there; 0 where there is none. */
  async newest(role: string): Promise<number> {
    return Math.max(0, ...(await this.versions(role)));
  }

  /** Removes the versions of a role before one. */
  async removeBefore(role: string, version: number): Promise<void> {
    for (const old of (await this.versions(role)).filter((v) => v < version))
      await this.fs.remove(join(this.folder, nameOf(role, old)!));
  }

  private async versions(role: string): Promise<number[]> {
    if (!(await this.fs.exists(this.folder))) return [];
    const names = await this.fs.list(this.folder);
    return names.flatMap((name) => {
      const found = VERSIONED.exec(name);
      return found?.[2] === role ? [Number(found[1])] : [];
    });
  }
}

const ROLE = /^[A-Za-z0-9_-]{1,128}$/;
const VERSIONED = /^(\d+)\.([A-Za-z0-9_-]+)\.json$/;

/** Undefined for what names no file here, whoever asks. */
function nameOf(role: string, version: number | undefined): string | undefined {
  if (!ROLE.test(role) || !(version === undefined || Number.isSafeInteger(version))) return undefined;
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}

function versionIn(bytes: Uint8Array): number {
  const { signed } = JSON.parse(new TextDecoder().decode(bytes)) as { signed: { version: number } };
  return signed.version;
}
