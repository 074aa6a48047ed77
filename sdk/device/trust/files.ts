import { posix } from 'node:path';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { readIfThere, replaceFile, unlinkIfThere } from '../fs/whole-files.ts';

const DELEGATED = 'role-';

/**
 * The metadata that a device believes, a file each, replaced as wholes. What is read here is verified again like anything that comes
 * over a network, against the root alone.
 */
export class MetadataFiles {
  private readonly fs: DeviceFileSystem;
  private readonly folder: string;
  private made = false;

  constructor(fs: DeviceFileSystem, folder: string) {
    this.fs = fs;
    this.folder = folder;
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return readIfThere(this.fs, this.path(name));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    if (!this.made) {
      await this.fs.makeFolder(this.folder);
      await this.fs.syncFolder(posix.dirname(this.folder));
      this.made = true;
    }
    await replaceFile(this.fs, this.path(name), bytes);
  }

  /** Removes files of roles that are none of these. */
  async keepRoles(roles: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...roles].map((role) => `${fileOf(role)}.json`));
    for (const name of await this.fs.list(this.folder))
      if (name.startsWith(DELEGATED) && !wanted.has(name)) await unlinkIfThere(this.fs, posix.join(this.folder, name));
  }

  private path(name: string): string {
    return posix.join(this.folder, `${name}.json`);
  }
}

/** Name of a targets role's file: what it is delegated to must not be taken for one of the others. */
export function fileOf(role: string): string {
  return role === 'targets' ? role : `${DELEGATED}${role}`;
}
