import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MetadataFiles } from './source.ts';

const ROLE = /^[A-Za-z0-9_-]{1,80}$/;

/**
 * Metadata in a local folder, as TUF names it: `timestamp.json` is the newest of a role, `3.root.json` a version of it. Any web server
 * can serve the folder.
 */
export class MetadataFolder implements MetadataFiles {
  private readonly folder: string;

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
    try {
      return await readFile(join(this.folder, name));
    } catch (e) {
      if (e instanceof Error && 'code' in e && e.code === 'ENOENT') return undefined;
      throw e;
    }
  }
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
