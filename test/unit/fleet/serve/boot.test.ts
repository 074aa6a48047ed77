// timeout: 120
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { emptyCluster } from '../../../../sdk/fleet/database/cluster.ts';
import { MIGRATIONS } from '../../../../sdk/fleet/database/migrations/index.ts';
import { type RunningController, type ServeOptions, serve } from '../../../../sdk/fleet/serve/serve.ts';
import type { EigenError } from '../../../../sdk/util/errors.ts';

const test = suite<{ folder: string }>('boot');

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'eigen-boot-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

const start = (data: string, more: Partial<ServeOptions> = {}): Promise<RunningController> =>
  serve({
    ...{ data, namespace: 'test', host: '127.0.0.1', port: 0, mqttPort: 0, names: ['127.0.0.1'], tls: false },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    ...more,
  });

/** Why it does not start. */
async function refusal(data: string, more: Partial<ServeOptions> = {}): Promise<EigenError> {
  const started = await start(data, more).catch((e: EigenError) => e);
  if (started instanceof Error) return started;
  await started.stop();
  throw new Error('it started');
}

/** Somebody else on a port. */
async function occupied(): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: (server.address() as AddressInfo).port, server };
}

/** The database of an earlier version: its tables, one device, and what it knew of migrations. */
async function earlier(folder: string, versions: number): Promise<void> {
  const pglite = await PGlite.create({ dataDir: join(folder, 'database'), loadDataDir: await emptyCluster() });
  await pglite.exec('create table migrations (number int primary key, name text not null)');
  for (const { number, name, statements } of MIGRATIONS.slice(0, versions)) {
    for (const statement of statements) await pglite.exec(statement);
    await pglite.query('insert into migrations values ($1, $2)', [number, name]);
  }
  await pglite.exec(`insert into devices (name, shard, first_seen, last_seen) values ('cam', '00', 1, 2)`);
  await pglite.close();
}

test('a store that is behind is brought up to date, and keeps what it has; one that is ahead is left alone', async ({
  folder,
}) => {
  await earlier(folder, 1);
  const running = await start(folder);
  const { database } = running.fleet;
  try {
    assert.equal(await database.query('select name, last_seen from devices'), [{ name: 'cam', last_seen: 2 }]);
    assert.equal(
      await database.query('select number, name from migrations order by number'),
      MIGRATIONS.map(({ number, name }) => ({ number, name })),
    );
    assert.ok(running.controller.ready);
    await database.query(`insert into migrations values (99, 'of the future')`);
  } finally {
    await running.stop();
  }
  const problem = await refusal(folder);
  assert.equal([problem.code, problem.details], ['EW5204_DATABASE_NEWER', { unknown: [99] }]);
  // It holds the folder no longer: the same refusal, not that of a folder in use.
  assert.is((await refusal(folder)).code, 'EW5204_DATABASE_NEWER');
});

test('a port that is taken is said, and nothing of the start is left', async ({ folder }) => {
  const { port, server } = await occupied();
  try {
    for (const taken of [{ mqttPort: port }, { port }]) {
      const problem = await refusal(folder, taken);
      assert.equal([problem.code, problem.details], ['EW5203_ADDRESS_IN_USE', { host: '127.0.0.1', port }]);
    }
  } finally {
    server.close();
  }
  const running = await start(folder);
  assert.is(running.controller.leases.size, 256 + 3, 'all shards, and the tasks');
  await running.stop();
});

test('a folder is of one process; the lock of one that died is taken', async ({ folder }) => {
  await writeFile(join(folder, 'lock'), String(process.ppid));
  const problem = await refusal(folder);
  assert.equal([problem.code, problem.details], ['EW5202_FOLDER_IN_USE', { process: process.ppid }]);
  // No process has such a number.
  await writeFile(join(folder, 'lock'), '4194305');
  assert.is((await refusal(folder, { databaseUrl: NOBODY })).code, 'EW5201_DATABASE_UNAVAILABLE');
});

test('what cannot be reached or written is said', async ({ folder }) => {
  const problem = await refusal(folder, { databaseUrl: NOBODY });
  assert.is(problem.code, 'EW5201_DATABASE_UNAVAILABLE');
  assert.match(problem.message, /ECONNREFUSED/);
  const file = join(folder, 'file');
  await writeFile(file, '');
  assert.is((await refusal(file)).code, 'EW1003_WRITE_FAILED');
});

/** Port 1 is nobody's. */
const NOBODY = 'postgres://nobody@127.0.0.1:1/fleet';

test.run();
