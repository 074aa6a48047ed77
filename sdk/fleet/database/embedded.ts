import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite, type Transaction, types } from '@electric-sql/pglite';
import { EigenError } from '../../util/errors.ts';
import { emptyCluster } from './cluster.ts';
import { type Database, exactNumber } from './database.ts';
import { migrate } from './migrate.ts';

/** PostgreSQL takes 128 MB for its buffers by default and so does WebAssembly for its memory: 180 MB more than a fleet's rows are worth. */
const SETTINGS = ['shared_buffers=16MB', 'temp_buffers=1MB', 'max_connections=4'];

/** Its start sets a timer to say every 10 s how far it is, which may stay: a process that has closed the database would not end. */
const SILENT = 'log_startup_progress_interval=0';

const START = [...PGlite.defaultStartParams, ...[...SETTINGS, SILENT].flatMap((setting) => ['-c', setting])];

const PARSERS = { [types.INT8]: exactNumber };

/**
 * The database of one process, in a folder of its own or in memory. What is committed outlives the process; a machine that loses its power
 * may lose the last seconds, since PGlite leaves writing to the operating system: a server is for those who cannot have that.
 * @throws EigenError EW5201_DATABASE_UNAVAILABLE when the folder cannot be opened.
 */
export async function openEmbedded(folder?: string): Promise<Database> {
  const isNew = folder === undefined || !existsSync(join(folder, 'PG_VERSION'));
  const pglite = await PGlite.create({
    startParams: START,
    parsers: PARSERS,
    ...(folder === undefined ? {} : { dataDir: folder }),
    ...(isNew ? { loadDataDir: await emptyCluster() } : {}),
  }).catch((cause: unknown) => {
    throw new EigenError(
      'EW5201_DATABASE_UNAVAILABLE',
      `the database in ${folder ?? 'memory'} does not open: ${cause}`,
      {
        hint: 'Look at whether the folder can be written and is not damaged; move it away to begin anew.',
        cause,
      },
    );
  });
  const database = over(pglite, pglite);
  await migrate(database);
  return database;
}

function over(pglite: PGlite, runner: PGlite | Transaction): Database {
  return {
    query: async <T>(sql: string, params: readonly unknown[] = []) => (await runner.query<T>(sql, [...params])).rows,
    transaction: async (work) =>
      runner === pglite ? pglite.transaction((tx) => work(over(pglite, tx))) : work(over(pglite, runner)),
    close: () => pglite.close(),
  };
}
