import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SHARDS, type TaskWork } from '../../../../sdk/fleet/controller/controller.ts';
import { type Database, openEmbedded } from '../../../../sdk/fleet/database/index.ts';
import { decide } from '../../../../sdk/fleet/desired/decide.ts';
import { BEAT, LIFETIME } from '../../../../sdk/fleet/leases/leases.ts';
import type { Transport } from '../../../../sdk/transport/index.ts';
import { EigenError } from '../../../../sdk/util/errors.ts';
import { birth, bytesOfDigest, digestOf, presence, report, status } from '../../../support/fleet/messages.ts';
import { type TestedController, totalOf, World } from '../../../support/fleet/simulated-controllers.ts';
import { until } from '../../../support/until.ts';

const test = suite<{ database: Database; world: World }>('controller');

test.before(async (context) => {
  context.database = await openEmbedded();
});
test.after(({ database }) => database.close());
test.before.each(async (context) => {
  for (const table of ['devices', 'controllers', 'leases']) await context.database.query(`delete from ${table}`);
  context.world = new World(context.database);
});

const known = async (database: Database, device: string): Promise<object | undefined> =>
  (await database.query<object>('select board, step, closed, epoch from devices where name = $1', [device]))[0];

const install = (database: Database, device: string, deadline?: number): Promise<unknown> => {
  const decision = { key: `${device}/1`, device, action: 'install', target: digestOf('new'), source: 'test' } as const;
  return decide(database, [{ ...decision, ...(deadline === undefined ? {} : { deadline }) }], 5);
};

/** Its beat is so old that others take it for dead. */
const silence = (database: Database, id: string): Promise<unknown> =>
  database.query('update controllers set beat = beat - $1 where id = $2', [LIFETIME, id]);

/** Two that have half of the work each. */
async function pair(world: World): Promise<[TestedController, TestedController]> {
  const [a, b] = [await world.controller('a'), await world.controller('b')];
  await a.clock.pass(BEAT);
  await b.clock.pass(BEAT);
  await until('they share the work', () => a.held === 128 && b.held === 128, { saw: () => [a.held, b.held] });
  return [a, b];
}

test('what devices say is written down: births, steps, reports, how they left', async ({ world, database }) => {
  const one = await world.controller('a');
  assert.equal([one.held, one.controller.ready], [SHARDS.length, true]);
  await world.say(birth('cam', 3).message, 'cam');
  await world.say(status('cam', 3, 1, 0).message, 'cam');
  await one.clock.pass(200);
  const shown = { board: 'pi-5', step: 'fetch', closed: false, epoch: 3 };
  await until('it is known', async () => (await known(database, 'cam')) !== undefined);
  assert.equal(await known(database, 'cam'), shown);
  await install(database, 'cam');
  await world.say(report('cam', 3, 2, 1).message, 'cam');
  await world.say(presence('cam', 3, false).message, 'cam');
  await one.clock.pass(300);
  await until('it is known to have left', async () => (await totalOf(one.metrics.reports)) === 1);
  assert.equal(await known(database, 'cam'), { ...shown, closed: true });
  assert.equal(await database.query('select state from desired'), [{ state: 'committed' }]);
  assert.is(await totalOf(one.metrics.appeared), 1);
});

test('what is not as the protocol has it is counted, and left', async ({ world, database }) => {
  const one = await world.controller('a');
  const good = birth('cam', 1).message;
  await world.send('ew1/test/00/cam/up', good);
  await world.send('ew1/test/00/a.b/up', good);
  await world.sendBytes('cam', 'up', Uint8Array.of(1, 2, 3));
  // Of other fleets, of the blob server, and a retained message that was cleared: nobody's mistake.
  await world.say(good, 'cam', 'other');
  await world.sendBytes('cam', 'rq', Uint8Array.of(1));
  await world.sendBytes('cam', 'st', new Uint8Array(0));
  await one.clock.pass(1000);
  assert.is(await totalOf(one.metrics.refused), 3);
  assert.equal(
    one.lines.filter((l) => l.event === 'message-refused').map((l) => l.topic),
    ['ew1/test/00/cam/up', 'ew1/test/00/a.b/up', world.topic('cam', 'up')],
  );
  assert.is(await known(database, 'cam'), undefined);
});

test('who takes over writes what was said since the other died', async ({ world, database }) => {
  const [a, b] = await pair(world);
  const device = a.deviceOf();
  // From here on a does nothing: its time stands still.
  await world.say(birth(device, 1).message, device);
  await b.clock.pass(2 * BEAT);
  assert.is(await known(database, device), undefined, 'a lives, as far as is known');
  await silence(database, 'a');
  await b.clock.pass(BEAT);
  await until('b has all', () => b.held === SHARDS.length, { saw: () => b.held });
  await b.clock.pass(200);
  await until('it is known', async () => (await known(database, device)) !== undefined);
  assert.is(await totalOf(b.metrics.taken), 256);
});

test('who was thought dead and was only slow writes and publishes nothing any more', async ({ world, database }) => {
  const [a, b] = await pair(world);
  const device = a.deviceOf();
  await silence(database, 'a');
  await b.clock.pass(BEAT);
  await until('b has all', () => b.held === SHARDS.length);
  assert.is(a.held, 128, 'a does not know');
  await world.say(birth(device, 1).message, device);
  await a.clock.pass(200);
  await until('a learns it as it writes', async () => (await totalOf(a.metrics.lost)) === 1);
  await until('a has nothing', () => a.held === 0);
  assert.is(await known(database, device), undefined);
  await b.clock.pass(200);
  await until('b has written it', async () => (await known(database, device)) !== undefined);
  await install(database, device);
  a.controller.publishSoon();
  b.controller.publishSoon();
  await a.clock.pass(200);
  await b.clock.pass(200);
  await world.hears(device);
  assert.is(world.told(device).length, 1);
  assert.is(await totalOf(a.metrics.published), 0);
});

test('who stops writes what it heard, and others have its work at once', async ({ world, database }) => {
  const [a, b] = await pair(world);
  const device = a.deviceOf();
  await world.say(birth(device, 1).message, device);
  await a.controller.stop();
  assert.equal([a.held, a.controller.ready], [0, false]);
  assert.ok(await known(database, device));
  await b.clock.pass(BEAT);
  await until('b has all', () => b.held === SHARDS.length);
  await world.say(presence(device, 1, false).message, device);
  assert.is(await totalOf(a.metrics.messages), 1, 'a hears nothing any more');
});

test('while the database is away messages wait, and are written when it is back', async ({ world, database }) => {
  const link = { away: false };
  const gone = new EigenError('EW5201_DATABASE_UNAVAILABLE', 'the database server does not answer');
  const one = await world.controller('a', {
    database: { ...database, transaction: (work) => (link.away ? Promise.reject(gone) : database.transaction(work)) },
  });
  link.away = true;
  await world.say(birth('cam', 1).message, 'cam');
  await one.clock.pass(3 * BEAT);
  await until('it was tried', () => one.lines.some((l) => l.event === 'write-failed'));
  const failed = one.lines.filter((l) => l.event === 'task-failed').map((l) => l.task);
  assert.ok(failed.includes('beat') && failed.includes('publish'), String(failed));
  link.away = false;
  // By the next look at what waits; nothing has to come for it.
  await one.clock.pass(6000);
  await until('it is known', async () => (await known(database, 'cam')) !== undefined);
});

test('a message that the database refuses is left alone, whatever was written with it', async ({ world, database }) => {
  const refuse = (db: Database): Database => ({
    ...db,
    query: (sql, params = []) =>
      db.query(
        sql,
        params.map((p) => (typeof p === 'string' ? p.replaceAll('unwritable', '\\u0000') : p)),
      ),
    transaction: (work) => db.transaction((tx) => work(refuse(tx))),
  });
  const one = await world.controller('a', { database: refuse(database) });
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await world.say(birth(name, 1).message, name);
  await world.say(status('c', 1, 1, 0, { why: 'unwritable' }).message, 'c');
  await one.clock.pass(200);
  await until('all are known', async () => (await database.query('select 1 from devices')).length === names.length);
  assert.is(await totalOf(one.metrics.unwritable), 1);
  const left = one.lines.filter((l) => l.event === 'message-unwritable');
  assert.equal([left[0]!.device, left[0]!.type], ['c', 'status']);
});

test('desired states wait for the broker, and for devices that were told before', async ({ world, database }) => {
  let waiting = 0;
  const one = await world.controller('a', { queue: () => waiting });
  await world.say(birth('cam', 1).message, 'cam');
  await one.clock.pass(200);
  await until('it is known', async () => (await known(database, 'cam')) !== undefined);
  one.transport.cut(1000);
  assert.is(one.controller.ready, false);
  await install(database, 'cam');
  await one.clock.pass(1500);
  waiting = 300;
  await world.clock.pass(1001);
  assert.is(one.controller.ready, true);
  await one.clock.pass(1500);
  assert.equal(world.told('cam'), []);
  waiting = 200;
  await one.clock.pass(500);
  await world.hears('cam');
  const target = bytesOfDigest('new');
  assert.equal(world.told('cam'), [{ type: 'desired', rev: 1, action: 'install', target }]);
});

test('what could not be published is published again, until its device knows it', async ({ world, database }) => {
  let fails = true;
  const flaky = (transport: Transport): Transport =>
    Object.create(transport, {
      publish: {
        value: (...message: Parameters<Transport['publish']>) =>
          fails ? Promise.reject(new Error('the connection is gone')) : transport.publish(...message),
      },
    });
  const one = await world.controller('a', {}, flaky);
  await world.say(birth('cam', 1).message, 'cam');
  await one.clock.pass(200);
  await until('it is known', async () => (await known(database, 'cam')) !== undefined);
  await install(database, 'cam');
  await one.clock.pass(1100);
  await until('it was tried', async () => (await totalOf(one.metrics.publishFailed)) === 1);
  fails = false;
  // 7.5 s with a random number in the middle.
  await one.clock.pass(6000);
  assert.equal(world.told('cam'), []);
  await one.clock.pass(3000);
  await world.hears('cam');
  await world.say(status('cam', 1, 1, 1).message, 'cam');
  await one.clock.pass(60_000);
  assert.is(world.told('cam').length, 1);
});

test('who did not end by its deadline has stalled; devices are counted', async ({ world, database }) => {
  const one = await world.controller('a');
  for (const device of ['cam', 'mic']) await world.say(birth(device, 1).message, device);
  await world.say(presence('mic', 1, false).message, 'mic');
  await one.clock.pass(200);
  await until('they are known', async () => (await known(database, 'mic')) !== undefined);
  await install(database, 'cam', one.clock.now() + 5000);
  await one.clock.pass(4000);
  assert.equal(await database.query('select state from desired'), [{ state: 'pending' }]);
  await one.clock.pass(12_000);
  await until('it has stalled', async () => (await totalOf(one.metrics.stalled)) === 1);
  await until('they are counted', async () => (await totalOf(one.metrics.boards)) === 2);
  assert.is(await totalOf(one.metrics.devices, { presence: 'online' }), 1);
  assert.is(await totalOf(one.metrics.states, { state: 'stalled' }), 1);
});

test('a task is of one controller at a time, and its failure only its own', async ({ world, database }) => {
  const ran: string[] = [];
  let broken = true;
  const task = (id: string) => ({
    name: 'tidy',
    every: 700,
    run: async ({ fence }: TaskWork) => {
      ran.push(id);
      if (broken) throw new Error('the disk is full');
      await database.transaction(fence);
    },
  });
  const a = await world.controller('a', { tasks: [task('a')] });
  await a.clock.pass(750);
  const failed = (one: TestedController) => one.lines.filter((l) => l.event === 'task-failed').map((l) => l.task);
  await until('it failed', () => failed(a).length > 0);
  broken = false;
  await a.clock.pass(700);
  await until('it ran again', () => ran.length === 2);
  const b = await world.controller('b', { tasks: [task('b')] });
  // Names in order: who has too much gives up the last, and that is the task.
  await a.clock.pass(BEAT);
  ran.length = 0;
  await b.clock.pass(BEAT);
  await until('b has it', () => b.controller.leases.holds('tidy'));
  await a.clock.pass(2000);
  await b.clock.pass(650);
  await until('b does it', () => ran.length > 0);
  assert.equal(ran, ['b']);
  await silence(database, 'b');
  await a.clock.pass(BEAT);
  await until('a has it', () => a.controller.leases.holds('tidy'));
  // Before its next beat, which would tell it.
  await b.clock.pass(700);
  await until('b may not', async () => (await totalOf(b.metrics.lost)) === 1);
  assert.equal([failed(a), failed(b)], [['tidy'], []]);
});

test('a broker that does not let it hear devices is said at the start', async ({ world, database }) => {
  world.broker.allowed = (_client, action) => action !== 'subscribe';
  const problem = await world.controller('a').catch((e: EigenError) => e);
  assert.is((problem as EigenError).code, 'EW7103_LINK_REFUSED');
  assert.equal(await database.query('select * from controllers'), [], 'it has taken nothing');
});

test.run();
