// timeout: 240
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FleetClient } from '../../sdk/app/fleet-client.ts';
import { type Database, openServer } from '../../sdk/fleet/database/index.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { AedesBroker } from '../support/aedes-broker.ts';
import { AnsweringDevice } from '../support/fleet/answering-device.ts';
import { ControllerProcess } from '../support/fleet/controller-process.ts';
import { startPostgres } from '../support/fleet/postgres-server.ts';
import { until } from '../support/fleet/running.ts';

const DEVICES = 60;
const ROUNDS = 12;
/** A controller is killed when this many rounds were decided. */
const KILL_AFTER = 4;

interface Decision {
  readonly key: string;
  readonly device: string;
  readonly rev: number;
  readonly target: string;
}

test('one of three controllers is killed: no decision is lost or doubled, and the others take over within 10 s', async () => {
  const server = await startPostgres();
  if (!server) return skip('takeover', 'no /usr/lib/postgresql: apt install postgresql');
  const broker = await AedesBroker.open();
  const folder = await mkdtemp(join(tmpdir(), 'eigen-takeover-'));
  await writeFile(join(folder, 'db'), server.url);
  await writeFile(join(folder, 'key'), 'k'.repeat(32));
  const start = (n: number): Promise<ControllerProcess> =>
    ControllerProcess.start(
      ['--data', join(folder, `c${n}`), '--port', '0', '--broker', broker.url].concat([
        '--database-file',
        join(folder, 'db'),
        '--audit-key-file',
        join(folder, 'key'),
      ]),
    );
  const controllers = [await start(0), ...(await Promise.all([start(1), start(2)]))];
  const database = await openServer({ url: server.url });
  const devices = Array.from({ length: DEVICES }, (_, i) => new AnsweringDevice(broker.url, 'default', `d${i}`));
  try {
    await Promise.all(devices.map((d) => d.connect()));
    await until(async () => (await count(database, 'devices where not closed')) === DEVICES);
    await until(async () => (await holders(database)).filter((h) => h.leases > 50).length === 3);
    const tokenFile = join(folder, 'c0/admin.token');
    const clients = await Promise.all(controllers.map((c) => FleetClient.open({ url: c.url, tokenFile }, {})));

    let killed: number | undefined;
    let tookOver: number | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const body = {
        key: `r${round}`,
        devices: devices.map((d) => d.device),
        action: 'install',
        target: sha256(`model ${round}`),
      };
      await decided(clients, round, body);
      if (round === KILL_AFTER) {
        const victim = controllers[1]!;
        const others = (await holders(database)).map((h) => h.holder).filter((h) => !h.includes(`-${victim.pid}-`));
        assert.is(others.length, 2);
        await victim.stop('SIGKILL');
        killed = performance.now();
        void until(async () => (await holders(database)).every((h) => others.includes(h.holder))).then(() => {
          tookOver = performance.now();
        });
      }
    }
    await until(
      async () => (await count(database, `desired where state = 'committed' and rev = ${ROUNDS}`)) === DEVICES,
    );
    await until(() => tookOver !== undefined);
    console.log(`takeover ${((tookOver! - killed!) / 1000).toFixed(1)} s after the kill`);
    assert.ok(tookOver! - killed! <= 10_000, 'takeover within 10 s');
    await checkHistory(database, devices);
    const ended = await Promise.all([controllers[0]!.stop(), controllers[2]!.stop()]);
    assert.equal(ended, [0, 0]);
    assert.is(await count(database, 'controllers'), 0, 'who ends gives up what it holds');
    assert.match((await readFile(tokenFile)).toString(), /^ewt_/);
  } finally {
    await Promise.all(controllers.map((c) => c.stop('SIGKILL')));
    await Promise.all(devices.map((d) => d.close()));
    await database.close();
    await broker.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

/** Asks one controller after another until one has decided: what was asked twice is decided once. */
async function decided(clients: readonly FleetClient[], first: number, body: unknown): Promise<void> {
  for (let attempt = first; ; attempt++) {
    const answer = await clients[attempt % clients.length]!.ask('POST', '/v1/desired', body).catch((e: Error) => e);
    if (!(answer instanceof Error)) return;
    assert.match(answer.message, /no controller at/);
  }
}

/** Every decision is there once, in order, and no device heard anything else. */
async function checkHistory(database: Database, devices: readonly AnsweringDevice[]): Promise<void> {
  const decisions = await database.query<Decision>(
    'select key, device, rev, target from decisions order by device, rev',
  );
  assert.is(decisions.length, DEVICES * ROUNDS);
  for (const { device, heard } of devices) {
    const own = decisions.filter((d) => d.device === device);
    assert.equal(
      own.map((d) => d.rev),
      Array.from({ length: ROUNDS }, (_, i) => i + 1),
    );
    assert.equal(
      own.map((d) => d.target),
      Array.from({ length: ROUNDS }, (_, i) => sha256(`model ${i}`)),
    );
    for (const { rev, target } of heard) assert.is(target, own[rev - 1]?.target, `${device} heard ${rev}`);
    assert.is(heard.at(-1)?.rev, ROUNDS);
  }
}

async function count(database: Database, what: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`select count(*) as count from ${what}`);
  return row!.count;
}

function holders(database: Database): Promise<{ holder: string; leases: number }[]> {
  return database.query('select holder, count(*) as leases from leases group by 1');
}

test.run();
