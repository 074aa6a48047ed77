import * as assert from 'uvu/assert';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import { decide } from '../../../sdk/fleet/desired/decide.ts';
import { RolloutService } from '../../../sdk/fleet/rollout/service.ts';
import { healthOf } from '../../../sdk/fleet/rollout/store/health.ts';
import { loadRollout } from '../../../sdk/fleet/rollout/store/rollouts.ts';
import { type RunOptions, runRollouts } from '../../../sdk/fleet/rollout/store/run.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import type { DatabaseKind } from './databases.ts';
import { MINUTE, NEW, OLD, OTHER, specOf } from './rollout-simulation.ts';
import { StoredFleet } from './stored-fleet.ts';

/** Rollouts over a database, from the description to the devices and back: the same on all. */
export async function checkRollouts(kind: DatabaseKind): Promise<void> {
  const database = await kind.open();
  try {
    for (const [name, run] of Object.entries(CASES)) {
      await clear(database);
      await run(database).catch((e: Error) => {
        throw new Error(`${name}: ${e.message}`, { cause: e });
      });
    }
  } finally {
    await database.close();
  }
}

async function clear(database: Database): Promise<void> {
  for (const table of ['devices', 'rollouts']) await database.query(`delete from ${table}`);
}

const names = Array.from({ length: 20 }, (_, i) => `d${String(i).padStart(2, '0')}`);

const free = async (): Promise<void> => {};

async function fleetOf(database: Database): Promise<{
  fleet: StoredFleet;
  service: RolloutService;
  run: (more?: Partial<RunOptions>) => Promise<unknown>;
}> {
  const fleet = new StoredFleet(database);
  await fleet.born(names, 'board', OLD);
  const service = new RolloutService(database, () => fleet.now);
  return { fleet, service, run: (more = {}) => runRollouts(database, { now: fleet.now, fence: free, ...more }) };
}

const refused =
  (code: string) =>
  (e: unknown): boolean =>
    isEigenError(e) && e.code === code;

async function rejects(work: Promise<unknown>, code: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  assert.ok(refused(code)(error), `${code}, not ${error}`);
}

const CASES: Readonly<Record<string, (database: Database) => Promise<void>>> = {
  'a plan shows who gets what when, and what would not work': async (database) => {
    const { service } = await fleetOf(database);
    const { waves, warnings } = await service.preview(
      specOf({ waves: [{ count: 1 }, { share: 1 }], control: { count: 4 } }),
    );
    assert.equal(
      waves.map((w) => [w.name, w.devices.length]),
      [
        ['canary', 1],
        ['wave 1', 15],
        ['held back', 4],
      ],
    );
    assert.ok(waves[0]!.devices.every((d) => d.bundle === NEW && d.running === OLD && d.online));
    assert.match(warnings[0]!, /the canary cannot pass: if all of its 1 devices succeed, 58.54 % are shown/);
    assert.equal(await service.list(), []);
  },
  'from the database to the devices and back, in waves': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const { id } = await service.create(specOf({ control: { count: 3 } }), 'ann');
    await service.act(id, { action: 'start', by: 'ann' });
    for (let i = 0; i < 10; i++, fleet.now += MINUTE) {
      await run();
      await fleet.answer(() => 'committed');
    }
    const summary = await service.summary(id);
    assert.is(summary.phase, 'DONE');
    assert.equal(
      summary.waves.map((w) => w.committed),
      [5, 4, 8, 3],
    );
    assert.ok([...fleet.running.values()].every((r) => r === NEW));
    const told = await database.query<{ device: string }>('select device from decisions');
    assert.is(told.length, 20);
    const events = await service.events(id, 0);
    assert.equal(events.filter((e) => e.decision.kind === 'phase').length, 5);
    assert.equal(await service.events(id, events.at(-1)!.n), []);
  },
  'a bad one is stopped; who had it goes back under a new revision': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const { id } = await service.create(specOf({ gate: { errors: { count: 1 } } }), 'ann');
    await service.act(id, { action: 'start', by: 'ann' });
    const bad = new Set<string>();
    for (let i = 0; i < 6; i++, fleet.now += MINUTE) {
      await run();
      await fleet.answer((device, target) => {
        if (target === OLD || bad.size >= 2) return 'committed';
        bad.add(device);
        return 'rolled-back';
      });
    }
    const summary = await service.summary(id);
    assert.is(summary.phase, 'FAILED');
    assert.match(summary.reason!, /2 installations failed, 1 may/);
    assert.is(summary.waves[0]!.reverted, 5);
    assert.ok([...fleet.running.values()].every((r) => r === OLD));
  },
  'metrics are read from what devices reported': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const gate = {
      soakMilliseconds: 10 * MINUTE,
      metrics: [{ name: 'accuracy', better: 'higher' as const, margin: 0.03 }],
    };
    const { id } = await service.create(
      specOf({ control: { count: 6 }, waves: [{ count: 6 }, { share: 1 }], gate }),
      'ann',
    );
    const rng = new Rng(1);
    const accuracy = (_: string, running: string): Record<string, number> => ({
      accuracy: (running === NEW ? 0.85 : 0.9) + 0.005 * rng.normal(),
      other: 1,
    });
    for (let i = 0; i < 5; i++, fleet.now += MINUTE) await fleet.measure(accuracy);
    await service.act(id, { action: 'start', by: 'ann' });
    for (let i = 0; i < 40; i++, fleet.now += MINUTE) {
      await run();
      await fleet.answer(() => 'committed');
      await fleet.measure(accuracy);
    }
    const summary = await service.summary(id);
    assert.is(summary.phase, 'FAILED');
    assert.match(summary.reason!, /canary: accuracy is 5\.\d+ % worse than on devices held back .*; 6 against 6\)/);
    assert.ok(Math.abs(summary.comparisons[0]!.loss - 0.0555) < 0.01);
  },
  'of an agent counts what was measured before it was told and since it is there': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const soakMilliseconds = 10 * MINUTE;
    const gate = { soakMilliseconds, metrics: [{ name: 'accuracy', better: 'higher' as const, margin: 0.03 }] };
    const waves = [{ count: 5 }, { share: 1 }];
    const { id } = await service.create(specOf({ kind: 'agent', control: { count: 5 }, waves, gate }), 'ann');
    const measure = async (accuracy: number): Promise<void> => {
      await fleet.measure(() => ({ accuracy }));
      fleet.now += MINUTE;
    };
    await measure(1);
    await service.act(id, { action: 'start', by: 'ann' });
    await run();
    await measure(20);
    await measure(20);
    await fleet.answer(() => 'committed');
    await run();
    await measure(300);
    const { rollout } = (await loadRollout(database, id))!;
    const health = [...(await healthOf(database, rollout)).values()].map(({ before, after }) => [
      before.accuracy!.sum,
      after.accuracy!.sum,
    ]);
    health.sort(([, a], [, b]) => a! - b!);
    assert.equal(health, [...Array(5).fill([1, 300]), ...Array(5).fill([1, 340])]);
  },
  'runs at the same time, and runs that die, come to what one run comes to': async (database) => {
    const ends: unknown[] = [];
    for (const disturbed of [false, true]) {
      await clear(database);
      const { fleet, service, run } = await fleetOf(database);
      const { id } = await service.create(specOf({ gate: { soakMilliseconds: MINUTE } }), 'ann');
      await service.act(id, { action: 'start', by: 'ann' });
      const rng = new Rng(7);
      const mayDie = async (): Promise<void> => {
        if (rng.below(2) === 0) throw new Error('killed');
      };
      for (let i = 0; i < 15; i++, fleet.now += MINUTE) {
        if (disturbed) await Promise.allSettled([run({ fence: mayDie }), run(), run({ fence: mayDie }), run()]);
        else await run();
        await fleet.answer((device) => (device === 'd07' && i < 4 ? 'failed' : 'committed'));
      }
      const decided = await database.query<{ key: string }>('select key from rollout_decisions order by key');
      const told = await database.query<{ key: string; rev: number }>('select key, rev from decisions order by key');
      ends.push({ summary: await service.summary(id), decided, told });
    }
    assert.equal(ends[1], ends[0]);
  },
  'who is in a rollout that goes on is not in another; who comes later joins': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const first = await service.create(specOf({ query: 'device ~ d0*', waves: [{ share: 1 }] }), 'ann');
    await service.act(first.id, { action: 'start', by: 'ann' });
    const preview = await service.preview(specOf());
    assert.match(preview.warnings.join(), /10 devices are in another rollout/);
    const second = await service.create(
      specOf({ waves: [{ share: 1 }], gate: { soakMilliseconds: 60 * MINUTE } }),
      'ann',
    );
    assert.is(second.id, 'test.2');
    const started = await service.act(second.id, { action: 'start', by: 'ann' });
    assert.is(started.waves[0]!.devices, 10);
    await run();
    await fleet.answer(() => 'committed');
    await run();
    await run();
    assert.is((await service.summary(first.id)).phase, 'DONE');
    assert.is((await service.summary(second.id)).waves[0]!.devices, 20);
  },
  'who comes after the end is brought to the last rollout that is done and finds it': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const all = [{ share: 1 }];
    const done = async (more: object): Promise<string> => {
      const { id } = await service.create(specOf({ waves: all, gate: { errors: { count: 1 } }, ...more }), 'ann');
      await service.act(id, { action: 'start', by: 'ann' });
      for (let i = 0; i < 4; i++, fleet.now += MINUTE) {
        await run();
        await fleet.answer(() => 'committed');
      }
      assert.is((await service.summary(id)).phase, 'DONE');
      return id;
    };
    const [early, later] = [await done({ name: 'early' }), await done({ name: 'later', query: 'device ~ d0*' })];
    const committed = async (id: string): Promise<number> => (await service.summary(id)).waves[0]!.committed;
    await fleet.born(['d05b', 'e1'], 'board', OLD);
    await fleet.born(['other'], 'another board', OLD);
    await run();
    assert.is(await fleet.answer(() => 'committed'), 0, 'only when those that are done are looked at');
    await run({ late: true });
    assert.is(await fleet.answer(() => 'committed'), 2);
    await run({ late: true });
    assert.equal([await committed(early), await committed(later)], [21, 11], 'the newest that finds it has it');
    // A person's word counts more.
    await fleet.born(['e2'], 'board', OLD);
    const order = { key: 'by-hand', device: 'e2', action: 'install', target: OTHER, source: 'token:x' } as const;
    await decide(database, [order], fleet.now);
    await run({ late: true });
    await fleet.answer(() => 'committed');
    assert.is(fleet.running.get('e2'), OTHER);
    // It is not for ever tried on devices where it fails.
    for (const name of ['e3', 'e4', 'e5']) {
      await fleet.born([name], 'board', OLD);
      await run({ late: true });
      await fleet.answer(() => 'rolled-back');
      await run();
    }
    const { waves } = await service.summary(early);
    assert.equal([waves[0]!.failed, waves[0]!.devices], [2, 23]);
    // What was taken back is nobody's any more.
    await service.act(later, { action: 'rollback', by: 'ann' });
    await run();
    await fleet.born(['d06b'], 'board', OLD);
    await run({ late: true });
    assert.is((await service.summary(later)).waves[0]!.devices, 11);
  },
  'who comes after the end of rollouts of a model and of an agent gets both, one after the other': async (database) => {
    const { fleet, service, run } = await fleetOf(database);
    const kinds = { model: NEW, agent: OTHER } as const;
    for (const kind of ['model', 'agent'] as const) {
      const variants = [{ sha256: kinds[kind], board: 'board' }];
      const { id } = await service.create(specOf({ name: kind, kind, variants, waves: [{ share: 1 }] }), 'ann');
      await service.act(id, { action: 'start', by: 'ann' });
      for (let i = 0; i < 4; i++, fleet.now += MINUTE) {
        await run();
        await fleet.answer(() => 'committed');
      }
      assert.is((await service.summary(id)).phase, 'DONE');
    }
    // As it was written down when there was one kind.
    await database.query("update rollouts set spec = spec - 'kind' where id = 'model'");
    await fleet.born(['e1'], 'board', OLD);
    const told: string[] = [];
    for (let i = 0; i < 2; i++) {
      // The first is not interrupted by the second.
      await run({ late: true });
      await run({ late: true });
      await fleet.answer((_, target) => {
        told.push(target);
        return 'committed';
      });
    }
    assert.equal(told, [OTHER, NEW]);
  },
  'nobody approves what they made; what cannot be done says why': async (database) => {
    const { service } = await fleetOf(database);
    const { id } = await service.create(specOf({ approval: true }), 'ann');
    await rejects(service.act(id, { action: 'start', by: 'ann' }), 'EW7301_ROLLOUT_STATE');
    await rejects(service.act(id, { action: 'approve', by: 'ann' }), 'EW7301_ROLLOUT_STATE');
    assert.is((await service.act(id, { action: 'approve', by: 'ben' })).phase, 'APPROVED');
    assert.is((await service.act(id, { action: 'abort', by: 'ben', reason: 'no' })).reason, 'aborted by ben: no');
    await rejects(service.act(id, { action: 'start', by: 'ann' }), 'EW7301_ROLLOUT_STATE');
    await rejects(service.summary('nothing'), 'EW2102_NOT_FOUND');
    await rejects(service.create({ ...specOf(), waves: [] }, 'ann'), 'EW1012_ROLLOUT_INVALID');
    const nobody = await service.create(specOf({ query: 'tag.no = one' }), 'ann');
    await rejects(service.act(nobody.id, { action: 'start', by: 'ann' }), 'EW1012_ROLLOUT_INVALID');
  },
};
