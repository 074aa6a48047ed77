import * as assert from 'uvu/assert';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import { type Decision, decide } from '../../../sdk/fleet/desired/decide.ts';
import { giveUpLate, takeDue } from '../../../sdk/fleet/desired/publish.ts';
import { BEAT, LeaseLost, Leases, LIFETIME } from '../../../sdk/fleet/leases/leases.ts';
import { changesOf, type Heard } from '../../../sdk/fleet/registry/change.ts';
import { type Stored, storeChanges } from '../../../sdk/fleet/registry/store.ts';
import { shardOf } from '../../../sdk/wire/protocol/topics.ts';
import type { DatabaseKind } from './databases.ts';
import { birth, bytesOfDigest, digestOf, health, presence, report, status } from './messages.ts';

/** What the controller's statements do on a database: the same on all. */
export async function checkFleet(kind: DatabaseKind): Promise<void> {
  const db = await kind.open();
  try {
    for (const [name, run] of Object.entries(CASES)) {
      for (const table of ['devices', 'controllers', 'leases']) await db.query(`delete from ${table}`);
      await run(db).catch((e: Error) => {
        throw new Error(`${name}: ${e.message}`, { cause: e });
      });
    }
  } finally {
    await db.close();
  }
}

function say(db: Database, ...heard: readonly Heard[]): Promise<Stored> {
  return storeChanges(db, changesOf(heard));
}

async function deviceOf(db: Database, name: string): Promise<Record<string, unknown>> {
  const [row] = await db.query<Record<string, unknown>>('select * from devices where name = $1', [name]);
  assert.ok(row, `there is a device ${name}`);
  return row;
}

async function desiredOf(db: Database, device: string): Promise<Record<string, unknown>> {
  const [row] = await db.query<Record<string, unknown>>('select * from desired where device = $1', [device]);
  assert.ok(row, `${device} has a desired state`);
  return row;
}

function install(device: string, key: string, more: Partial<Decision> = {}): Decision {
  return { key, device, action: 'install', target: digestOf(key), source: 'test', ...more };
}

const due = async (db: Database, now: number, ...devices: readonly string[]): Promise<[string, number][]> => {
  const { online } = await takeDue(db, devices.map(shardOf), 100, { now, random: () => 0.5 });
  return online.map(({ device, message }) => [device, message.rev]);
};

const CASES: Readonly<Record<string, (db: Database) => Promise<void>>> = {
  'a device is what its newest messages say': async (db) => {
    const stored = await say(
      db,
      birth('a', 3, 7, {
        profile: bytesOfDigest('p'),
        self: bytesOfDigest('agent'),
        slots: [Buffer.from(digestOf('m'), 'hex')],
      }),
      status('a', 3, 1, 8),
      status('a', 3, 2, 8, { step: 'gate', done: 2, why: 'it waits' }),
      health('a', 3, 3, { p95: 900, memory: 4096, temperature: 40.5, metrics: { accuracy: 0.9 } }),
    );
    assert.is(stored.appeared, 1);
    await say(db, status('a', 3, 1, 8), health('a', 2, 9, { p95: 1 }), birth('a', 2, 9, { board: 'pi-4' }));
    const { self, why } = await deviceOf(db, 'a');
    assert.equal({ self, why }, { self: digestOf('agent'), why: 'it waits' });
    const { board, profile, slots, rev, step, p95, temperature, running, epoch, closed } = await deviceOf(db, 'a');
    assert.equal(
      { board, profile, slots, rev, step, p95, temperature, running, epoch, closed },
      {
        board: 'pi-5',
        profile: digestOf('p'),
        slots: [digestOf('m')],
        rev: 8,
        step: 'gate',
        p95: 900,
        temperature: 40.5,
        running: digestOf('model'),
        epoch: 3,
        closed: false,
      },
    );
    assert.equal(await db.query('select epoch, seq, metrics from health where device = $1 order by epoch', ['a']), [
      { epoch: 2, seq: 9, metrics: {} },
      { epoch: 3, seq: 3, metrics: { accuracy: 0.9 } },
    ]);
  },
  'a late will ends nothing, a late birth begins nothing': async (db) => {
    await say(db, birth('a', 2), presence('a', 1, false));
    assert.is((await deviceOf(db, 'a')).closed, false);
    await say(db, presence('a', 2, false));
    await say(db, birth('a', 2), presence('a', 2, true), birth('a', 1));
    assert.is((await deviceOf(db, 'a')).closed, true);
    await say(db, presence('a', 3, true));
    assert.is((await deviceOf(db, 'a')).closed, false);
  },
  'a decision is taken once under its key': async (db) => {
    await say(db, birth('a', 1), birth('b', 1));
    assert.equal(await decide(db, [install('b', 'k2'), install('a', 'k1'), install('nobody', 'k3')], 5), [
      { key: 'k1', device: 'a', rev: 1 },
      { key: 'k2', device: 'b', rev: 1 },
    ]);
    assert.equal(await decide(db, [install('a', 'k4')], 6), [{ key: 'k4', device: 'a', rev: 2 }]);
    const again = await Promise.all([1, 2, 3].map(() => decide(db, [install('a', 'k1'), install('b', 'k5')], 7)));
    assert.equal(again.flat(), [{ key: 'k5', device: 'b', rev: 2 }]);
    assert.equal((await desiredOf(db, 'a')).key, 'k4');
  },
  'decisions taken at the same time get numbers of their own': async (db) => {
    await say(db, birth('a', 1));
    await Promise.all(Array.from({ length: 8 }, (_, i) => decide(db, [install('a', `k${i}`)], i)));
    const revs = await db.query<{ rev: number }>('select rev from decisions order by rev');
    assert.equal(
      revs.map((r) => r.rev),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    const last = await db.query<{ key: string }>('select key from decisions where rev = 8');
    const { key, rev } = await desiredOf(db, 'a');
    assert.equal({ key, rev }, { key: last[0]!.key, rev: 8 });
  },
  'a desired state is published until it is known, then asked for until it has ended': async (db) => {
    const now = 10_000;
    await say(db, birth('a', 1));
    await decide(db, [install('a', 'k1')], now);
    assert.equal(await due(db, now, 'a'), [['a', 1]]);
    assert.equal(await due(db, now + 1000, 'a'), [], 'it has the time to answer');
    assert.equal(await due(db, now + 10_000, 'a'), [['a', 1]], 'and is told again');
    await say(db, status('a', 1, 1, 1));
    assert.is((await desiredOf(db, 'a')).state, 'delivered');
    assert.equal(await due(db, now + 60_000, 'a'), []);
    assert.equal(await due(db, now + 200_000, 'a'), [['a', 1]], 'asked what became of it');
    const first = await say(db, report('a', 1, 2, 1));
    const second = await say(db, report('a', 1, 2, 1));
    assert.equal([first.reports.length, second.reports.length], [1, 0]);
    const { state, ended, next_at } = await desiredOf(db, 'a');
    assert.equal({ state, ended, next_at }, { state: 'committed', ended: 1001, next_at: null });
    assert.equal(await due(db, now + 9_000_000, 'a'), []);
  },
  'who is away is told when it is born': async (db) => {
    await say(db, birth('a', 1), presence('a', 1, false));
    await decide(db, [install('a', 'k1')], 10);
    assert.equal(await due(db, 10, 'a'), []);
    await say(db, birth('a', 2, 0));
    assert.equal(await due(db, 20, 'a'), [['a', 1]]);
    await say(db, report('a', 2, 1, 1, { outcome: 'failed', code: 'EIO', reason: 'the disk is full' }));
    await say(db, birth('a', 3, 1));
    assert.equal(await due(db, 30, 'a'), [], 'it knows');
    await say(db, birth('a', 4, 0));
    assert.equal(await due(db, 40, 'a'), [['a', 1]], 'it has forgotten');
    const { state, code, reason } = await desiredOf(db, 'a');
    assert.equal({ state, code, reason }, { state: 'pending', code: null, reason: null });
  },
  'the newest report counts, whatever order they come in': async (db) => {
    await say(db, birth('a', 1));
    await decide(db, [install('a', 'k1')], 10);
    const late = { outcome: 'rolled-back', code: 'EW7005_GATE_FAILED', step: 'gate', reason: 'too slow' } as const;
    await say(db, report('a', 1, 5, 1, late));
    await say(db, report('a', 1, 4, 1, { outcome: 'committed' }), report('a', 1, 3, 0, { outcome: 'failed' }));
    const { state, code, reason } = await desiredOf(db, 'a');
    assert.equal({ state, code, reason }, { state: 'rolled-back', code: 'EW7005_GATE_FAILED', reason: 'too slow' });
    const [first] = await db.query('select step, reason from reports where seq = 5');
    assert.equal(first, { step: 'gate', reason: 'too slow' });
    await decide(db, [install('a', 'k2')], 20);
    assert.is((await desiredOf(db, 'a')).reason, null);
  },
  'what does not end by its deadline is given up, and counts when it ends after all': async (db) => {
    await say(db, birth('a', 1), birth('b', 1));
    await decide(db, [install('a', 'k1', { deadline: 500 }), install('b', 'k2')], 10);
    assert.equal(await giveUpLate(db, ['a', 'b'].map(shardOf), 499), []);
    assert.equal(await giveUpLate(db, ['a', 'b'].map(shardOf), 500), [{ device: 'a', key: 'k1' }]);
    assert.equal(await giveUpLate(db, ['a', 'b'].map(shardOf), 501), []);
    await say(db, birth('a', 2, 0));
    assert.is((await desiredOf(db, 'a')).state, 'stalled');
    await say(db, report('a', 2, 1, 1));
    assert.is((await desiredOf(db, 'a')).state, 'committed');
  },
  'controllers share names, and a new one gets its part': async (db) => {
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
    const [a, b, c] = ['a', 'b', 'c'].map((id) => new Leases(db, { id, names }));
    assert.is((await a!.beat()).length, 10);
    assert.is((await b!.beat()).length, 0, 'nothing is free yet');
    await a!.beat();
    await b!.beat();
    assert.equal([a!.size, b!.size], [5, 5]);
    for (const l of [c!, a!, b!, c!]) await l.beat();
    assert.ok([a!, b!, c!].every((l) => l.size >= 2 && l.size <= 4));
    assert.is(a!.size + b!.size + c!.size, 10);
    assert.ok(names.every((n) => [a!, b!, c!].filter((l) => l.holds(n)).length === 1));
    await a!.release();
    for (const l of [b!, c!]) await l.beat();
    assert.equal([a!.size, b!.size, c!.size], [0, 5, 5]);
  },
  'who is taken over writes nothing any more': async (db) => {
    const [a, b] = ['a', 'b'].map((id) => new Leases(db, { id, names: ['x', 'y'] }));
    await a!.beat();
    await db.transaction((tx) => a!.fence(tx, ['x', 'y']));
    await db.query('update controllers set beat = beat - $1 where id = $2', [LIFETIME + BEAT, 'a']);
    await db.transaction((tx) => a!.fence(tx, ['x']));
    assert.equal((await b!.beat()).sort(), ['x', 'y']);
    const lost = await db.transaction((tx) => a!.fence(tx, ['x'])).catch((e: unknown) => e);
    assert.instance(lost, LeaseLost);
    // Even where it gets the name back it has to begin anew: its token is another.
    await b!.release();
    await db.transaction((tx) => b!.fence(tx, [])).catch(() => undefined);
    const before = a!.size;
    await a!.beat();
    assert.equal([before, a!.size], [2, 2]);
    await db.transaction((tx) => a!.fence(tx, ['x', 'y']));
  },
};
