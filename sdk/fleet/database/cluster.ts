import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { cached } from '../../util/cache.ts';
import { sha256 } from '../../util/hash.ts';

/** Makes the files of an empty PostgreSQL and writes them to stdout, a gzipped tar. */
const PROGRAM = `
const { PGlite } = await import(process.argv[1]);
const db = await PGlite.create();
const tar = Buffer.from(await (await db.dumpDataDir('gzip')).arrayBuffer());
process.stdout.write(tar, () => process.exit(0));
`;

const MOST_BYTES = 64 * 2 ** 20;

/**
 * The files of an empty database. They are made once for a machine, in a process of its own: it takes seconds, and leaves a second
 * WebAssembly memory and compiled code behind, 400 MB that a controller would carry for its whole life.
 */
export async function emptyCluster(): Promise<Blob> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const version = sha256(await readFile(join(dirname(entry), 'pglite.wasm')));
  const bytes = await cached(`pglite/${version}.tgz`, () => make(pathToFileURL(entry).href));
  return new Blob([new Uint8Array(bytes)], { type: 'application/x-gzip' });
}

async function make(module: string): Promise<Uint8Array> {
  const args = ['--input-type=module', '--eval', PROGRAM, module];
  const { stdout } = await promisify(execFile)(process.execPath, args, { encoding: 'buffer', maxBuffer: MOST_BYTES });
  return stdout;
}
