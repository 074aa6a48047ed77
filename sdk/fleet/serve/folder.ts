import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import { makeFolder } from '../../util/folders.ts';

/**
 * The data folder of a controller:
 *
 *   lock                 process that works on it
 *   database/            PGlite, unless there is a server
 *   blobs/ pieces/       bundles and deltas; uploads/ those on their way; metadata/ TUF's files
 *   audit.key            key of the audit log
 *   admin.token          first token of the API
 *   url                  address of the API
 *   authority.* server.* keys and certificates, where there are any
 *
 * What is secret can be read by its owner only.
 */
export class DataFolder {
  readonly path: string;
  private readonly lockFile: string;

  private constructor(path: string) {
    this.path = path;
    this.lockFile = join(path, 'lock');
  }

  /**
   * Makes it where it is not there, and holds it until it is closed.
   * @throws EigenError EW5202_FOLDER_IN_USE when another process does; EW1003_WRITE_FAILED.
   */
  static async open(path: string): Promise<DataFolder> {
    const folder = new DataFolder(path);
    try {
      await makeFolder(path, 0o700);
      await folder.lock();
    } catch (e) {
      if (e instanceof EigenError) throw e;
      throw new EigenError('EW1003_WRITE_FAILED', `cannot write to ${path}: ${(e as Error).message}`, {
        hint: 'Give a folder that can be written with --data.',
        cause: e,
      });
    }
    return folder;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return readFile(this.file(name)).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT') return undefined;
      throw e;
    });
  }

  async readText(name: string): Promise<string | undefined> {
    const bytes = await this.read(name);
    return bytes && new TextDecoder().decode(bytes).trim();
  }

  /** Writes a file whole, for its owner only. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const temporary = this.file(`${name}.${randomUUID()}.tmp`);
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content).then(() => file.sync());
      await rename(temporary, this.file(name));
    } catch (e) {
      await rm(temporary, { force: true });
      throw e;
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await rm(this.lockFile, { force: true });
  }

  private async lock(): Promise<void> {
    for (;;) {
      const file = await open(this.lockFile, 'wx', 0o600).catch((e: NodeJS.ErrnoException) => {
        if (e.code === 'EEXIST') return undefined;
        throw e;
      });
      if (file) {
        await file.writeFile(String(process.pid));
        return file.close();
      }
      const holder = Number(await readFile(this.lockFile, 'utf8').catch(() => ''));
      if (lives(holder))
        throw new EigenError('EW5202_FOLDER_IN_USE', `process ${holder} works on ${this.path}`, {
          hint: `Stop it, or take another folder. If there is no such controller, remove ${this.lockFile}.`,
          details: { process: holder },
        });
      // Of one that ended without a word.
      await rm(this.lockFile, { force: true });
    }
  }
}

/** A lock with the number of this process is of an earlier one: where numbers begin anew with every start, they come again. */
function lives(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM';
  }
}
