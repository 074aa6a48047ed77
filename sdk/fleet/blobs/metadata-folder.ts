import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MetadataFiles } from './source.ts';

/** Files that are kept in memory, and what they may take together. */
const MOST_KEPT = 16;
const MOST_BYTES = 8 << 20;

const ROLE = /^[A-Za-z0-9_-]{1,80}$/;

/**
 * Metadata in a local folder, as TUF names it: `timestamp.json` is the newest of a role, `3.root.json` a version of it. Any web server
 * can serve the folder.
 */
export class MetadataFolder implements MetadataFiles {
  private readonly folder: string;
  /** By name: thousands of devices ask for the same at the same time. */
  private readonly kept = new Map<string, Kept>();

  constructor(folder: string) {
    this.folder = folder;
  }

  async read(role: string, version?: number): ReturnType<MetadataFiles['read']> {
    if (!ROLE.test(role)) return undefined;
    if (version !== undefined) {
      const bytes = await this.file(`${version}.${role}.json`);
      if (bytes) return { version, bytes };
    }
    const bytes = await this.file(`${role}.json`);
    const newest = bytes && versionOf(bytes);
    if (!bytes || newest === undefined || (version !== undefined && version !== newest)) return undefined;
    return { version: newest, bytes };
  }

  private async file(name: string): Promise<Uint8Array | undefined> {
    const path = join(this.folder, name);
    try {
      // Files are replaced as wholes.
      const { ino, mtimeMs, size } = await stat(path);
      const state = `${ino} ${mtimeMs} ${size}`;
      const kept = this.kept.get(name);
      if (kept?.state === state) return kept.bytes;
      return this.keep(name, { state, bytes: await readFile(path) }).bytes;
    } catch (e) {
      if (e instanceof Error && 'code' in e && e.code === 'ENOENT') return undefined;
      throw e;
    }
  }

  private keep(name: string, file: Kept): Kept {
    this.kept.delete(name);
    if (file.bytes.length <= MOST_BYTES / MOST_KEPT) this.kept.set(name, file);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) break;
      this.kept.delete(oldest);
    }
    return file;
  }
}

interface Kept {
  /** Of the file when it was read. */
  readonly state: string;
  readonly bytes: Uint8Array;
}

/** `signed.version` of a file of metadata; undefined where it has none. */
function versionOf(bytes: Uint8Array): number | undefined {
  try {
    const version: unknown = JSON.parse(new TextDecoder().decode(bytes)).signed.version;
    return Number.isSafeInteger(version) ? Number(version) : undefined;
  } catch {
    return undefined;
  }
}
