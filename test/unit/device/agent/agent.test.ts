import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describePlan } from '../../../../sdk/device/agent/planner.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { EigenError } from '../../../../sdk/util/errors.ts';
import { Bench, versionOf } from '../../../support/agent-bench.ts';
import { assign, blobOf, VERSIONS } from '../../../support/versions.ts';

async function device(...versions: readonly number[]) {
  const fs = new CrashFileSystem();
  const bench = new Bench();
  const agent = await bench.start(fs);
  for (const version of versions) await bench.drive(agent, assign(version), fs);
  bench.outcomes = [];
  return { fs, bench, agent };
}

const names = (taken: readonly { step: { name: string } }[]): string => taken.map((t) => t.step.name).join(' ');

test('an update from the first to the last step, and its report', async () => {
  const { fs, bench, agent } = await device(1);
  assert.is(await versionOf(agent), 1);
  assert.is(
    names(await bench.drive(agent, assign(2), fs)),
    'CHECK PREFLIGHT FETCH VERIFY LOAD GATE SWAP PROBATION COMMIT REPORT IDLE',
  );
  assert.is(await versionOf(agent), 2);
  assert.equal(
    bench.outcomes.map((o) => o.kind),
    ['committed'],
  );
  assert.is(describePlan(await agent.plan(assign(2))), 'IDLE (what is assigned runs)');
});

test('what is fetched already is not fetched again', async () => {
  const { fs, bench, agent } = await device(1, 2);
  bench.fetched = 0;
  await bench.drive(agent, assign(1, { release: 3 }), fs);
  assert.is(await versionOf(agent), 1);
  assert.is(bench.fetched, 0);
});

test('refused: another board, an older release, a wrong description', async () => {
  for (const [change, why] of [
    [{ board: 'other' }, 'it is for other'],
    [{ release: 0 }, 'older than 1'],
    [{ release: Number.NaN }, 'not a release number'],
    [{ blob: { ...blobOf(2), bytes: 1 } }, 'described wrongly'],
  ] as const) {
    const { fs, bench, agent } = await device(1);
    const [check] = await agent.advance(assign(2, change));
    assert.is(check!.ended, 'failed');
    assert.match(check!.reason!, why);
    await bench.drive(agent, assign(2, change), fs);
    assert.is(await versionOf(agent), 1);
    const [outcome] = bench.outcomes;
    assert.ok(
      outcome?.kind === 'failed' && outcome.failure.code === 'EW7004_UPDATE_REFUSED' && outcome.failure.poisoned,
    );
    assert.is(bench.outcomes.length, 1);
  }
});

test('a model that does not pass the gate is never used, and not tried again before a higher release', async () => {
  const { fs, bench } = await device(1);
  const good = bench.parts(fs).loader;
  let [loads, wrong] = [0, true];
  const agent = await bench.start(fs, {
    loader: {
      load: async (bytes) => ({
        ...(await good.load(bytes)),
        runGolden: async () => {
          loads++;
          if (wrong) throw new EigenError('EW6004_SELF_TEST_FAILED', 'other outputs');
          return [1];
        },
      }),
    },
  });
  await bench.drive(agent, assign(2), fs);
  assert.is(await versionOf(agent), 1);
  assert.is(loads, 1);
  await bench.drive(agent, assign(2), fs);
  assert.is(loads, 1);
  wrong = false;
  await bench.drive(agent, assign(2, { release: 3 }), fs);
  assert.is(await versionOf(agent), 2);
});

test('a connection that breaks is tried again after a wait, from where it was', async () => {
  const { fs, bench, agent } = await device(1);
  const whole = bench.source;
  bench.source = {
    fetch: async function* (blob, pieces) {
      let left = 5;
      for await (const piece of whole.fetch(blob, pieces)) {
        if (left-- === 0) throw new Error('the connection is gone');
        yield piece;
      }
    },
  };
  const taken = await bench.drive(agent, assign(2), fs);
  assert.is(taken.filter((t) => t.step.name === 'FETCH' && t.ended === 'failed').length, 1);
  assert.is(await versionOf(agent), 2);
  assert.is(bench.fetched - 8, 8 + 3, 'pieces asked for: all of both versions, then what was missing');
});

test('a source of wrong pieces is given up after eight attempts', async () => {
  const { fs, bench, agent } = await device(1);
  bench.source = {
    fetch: async function* () {
      for (;;) yield { index: 0, bytes: new Uint8Array(700) };
    },
  };
  const taken = await bench.drive(agent, assign(2), fs);
  assert.is(taken.filter((t) => t.step.name === 'FETCH').length, 8);
  const [outcome] = bench.outcomes;
  assert.ok(outcome?.kind === 'failed' && outcome.failure.attack === 'arbitrary-installation');
  assert.is(taken.at(-1)!.step.name, 'IDLE');
  assert.is(await versionOf(agent), 1);
});

test('a blob that somebody changes after it was verified is not loaded, and is fetched again', async () => {
  for (const changedAfter of ['VERIFY', 'LOAD', 'GATE'] as const) {
    const { fs, bench, agent } = await device(1);
    let changed = false;
    const taken = await bench.drive(agent, assign(2), fs, async ({ step, ended }) => {
      const version = await versionOf(agent);
      assert.ok(version === 1 || version === 2, `version ${version} runs`);
      if (changed || step.name !== changedAfter || ended !== 'done') return;
      changed = true;
      const file = await fs.open(`models/blobs/${blobOf(2).sha256}`, 'write');
      await file.write(0, VERSIONS[3]!.bytes.slice(0, blobOf(2).bytes));
      await file.close();
    });
    assert.ok(changed);
    const failed = taken.filter((t) => t.ended === 'failed').map((t) => t.step.name);
    // What is in memory is what was verified; what a start finds changed is not started.
    assert.equal(failed, changedAfter === 'VERIFY' ? ['LOAD'] : []);
    assert.is(await versionOf(agent), 2);
    const next = await bench.start(fs.crash('kept'));
    assert.is(await versionOf(next), changedAfter === 'VERIFY' ? 2 : 1);
    await bench.drive(next, assign(2, { release: 9 }), fs);
    assert.is(await versionOf(next), 2);
  }
});

test('conditions, then health: an update waits for the one, and goes back for the other', async () => {
  const { fs, bench, agent } = await device(1);
  bench.condition = 'the battery is low';
  const [check, preflight, idle] = [...(await agent.advance(assign(2))), ...(await agent.advance(assign(2)))];
  assert.is(check!.ended, 'done');
  assert.equal([preflight!.ended, preflight!.reason], ['waiting', 'the battery is low']);
  assert.is(idle!.step.name, 'IDLE');
  bench.condition = undefined;
  bench.unhealthy.add(2);
  await bench.drive(agent, assign(2), fs);
  assert.is(await versionOf(agent), 1);
  const failed = bench.outcomes.find((o) => o.kind === 'failed');
  assert.is(failed?.kind === 'failed' && failed.failure.reason, 'it answers nonsense');
  const again = await bench.start(fs.crash('lost'));
  assert.match(describePlan(await again.plan(assign(2))), /it answers nonsense/);
});

test('shadow: live inputs come to the new model before it is used', async () => {
  const { fs, bench, agent } = await device(1);
  const assignment = assign(2, { shadowInputs: 3 });
  const taken = await agent.advance(assignment);
  assert.is(names(taken), 'CHECK PREFLIGHT FETCH VERIFY LOAD GATE SHADOW');
  assert.is(taken.at(-1)!.reason, 'live inputs are awaited');
  for (let i = 0; i < 3; i++) {
    assert.is(await versionOf(agent), 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await bench.drive(agent, assignment, fs);
  assert.is(await versionOf(agent), 2);
});

test('an assignment that is superseded is dropped, whatever was done for it', async () => {
  const { fs, bench, agent } = await device(1);
  await agent.advance(assign(2, { shadowInputs: 3 }));
  await bench.drive(agent, assign(3), fs);
  assert.is(await versionOf(agent), 3);
});

test('an assignment that is withdrawn or expires is dropped with its model', async () => {
  for (const expires of [undefined, 2_000_000]) {
    const { fs, bench } = await device(1);
    const good = bench.parts(fs).loader;
    let closed = 0;
    const agent = await bench.start(fs, {
      loader: { load: async (bytes) => ({ ...(await good.load(bytes)), close: () => closed++ }) },
    });
    const assignment = assign(2, { shadowInputs: 3, ...(expires ? { expires } : {}) });
    await agent.advance(assignment);
    bench.now = 3_000_000;
    const [idle] = await agent.advance(expires ? assignment : undefined);
    assert.is(idle!.step.name, 'IDLE');
    assert.is(closed, 1);
    assert.is(await versionOf(agent), 1);
  }
});

test('a health check that cannot be made ends the probation', async () => {
  const { fs, bench } = await device(1);
  const agent = await bench.start(fs, { health: () => Promise.reject(new Error('the sensor is gone')) });
  await bench.drive(agent, assign(2), fs);
  assert.is(await versionOf(agent), 1);
});

test('metadata expires: what runs goes on running and starts again', async () => {
  const { fs, bench, agent } = await device(1);
  bench.now = 1e13;
  assert.match(describePlan(await agent.plan(assign(2, { expires: 1e12 }))), /expired/);
  const again = await bench.start(fs.crash('lost'));
  assert.is(await versionOf(again), 1);
  await bench.drive(again, assign(1, { expires: 1e12 }), fs);
  assert.is(await versionOf(again), 1);
});

test('reports that are not taken are made later, and hold up nothing', async () => {
  const fs = new CrashFileSystem();
  const bench = new Bench();
  let reachable = false;
  const agent = await bench.start(fs, {
    report: async (outcome) => {
      if (!reachable) throw new Error('nobody listens');
      bench.outcomes.push(outcome);
    },
  });
  await bench.drive(agent, assign(1), fs);
  await bench.drive(agent, assign(2), fs);
  assert.is(await versionOf(agent), 2);
  assert.is(bench.outcomes.length, 0);
  reachable = true;
  bench.now += 60_001;
  await agent.advance(assign(2));
  assert.equal(
    bench.outcomes.map((o) => o.kind === 'committed' && o.release),
    [2],
  );
});

test('a model that does not start any more: the one before it does', async () => {
  const { fs, bench } = await device(1, 2);
  const good = bench.parts(fs).loader;
  const agent = await bench.start(fs, {
    loader: {
      load: async (bytes) => {
        if (bytes.length === blobOf(2).bytes) throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'no kernels');
        return good.load(bytes);
      },
    },
  });
  assert.is(await versionOf(agent), 1);
});

test.run();
