// timeout: 120
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { LOSS_MODELS } from '../../sdk/testing/crash-image.ts';
import { Bench, versionOf } from '../support/agent-bench.ts';
import { sampled, UPDATES } from '../support/device-updates.ts';
import { allOperations, cutAt, failAt, operationsOf } from '../support/update-faults.ts';
import { assign } from '../support/versions.ts';

/** Of each kind of update; test/e2e/power-cuts.test.ts tries all. */
const POINTS = 16;

for (const [i, update] of UPDATES.entries()) {
  test(`power cuts: ${update.name}`, async () => {
    const { lasting } = await operationsOf(update);
    assert.is(await cutAt(update, sampled(lasting, POINTS, i), LOSS_MODELS), 4 * Math.min(POINTS, lasting.length));
  });

  test(`two power cuts: ${update.name}`, async () => {
    const { lasting } = await operationsOf(update);
    await cutAt(update, sampled(lasting, 8, 100 + i), LOSS_MODELS, { seed: 1000 * i, cuts: 1 });
  });

  test(`errors: ${update.name}`, async () => {
    const { all } = await operationsOf(update);
    await failAt(update, sampled(allOperations(all), POINTS, 200 + i), ['ENOSPC', 'EIO', 'EROFS', 'short']);
  });
}

test('any sequence of assignments, power cuts and errors: a whole model runs, and one that is assigned in the end', async () => {
  const event = fc.record({
    version: fc.integer({ min: 1, max: 3 }),
    steps: fc.integer({ min: 1, max: 14 }),
    cut: fc.option(fc.integer({ min: 0, max: 150 }), { nil: undefined }),
    fault: fc.option(fc.tuple(fc.integer({ min: 0, max: 150 }), fc.constantFrom('ENOSPC', 'EIO', 'EROFS', 'short')), {
      nil: undefined,
    }),
    model: fc.constantFrom(...LOSS_MODELS),
    unhealthy: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 8 }), async (events) => {
      let fs = new CrashFileSystem();
      const bench = new Bench();
      let [release, committed] = [0, false];
      for (const { version, steps, cut, fault, model, unhealthy } of events) {
        bench.unhealthy = new Set(unhealthy ? [version] : []);
        const agent = await bench.start(fs);
        const assignment = assign(version, { release: ++release });
        if (cut !== undefined) fs.cutPowerAt(fs.operations.length + cut);
        if (fault) fs.failAt(fs.operations.length + fault[0], fault[1]);
        for (let i = 0; i < steps && fs.powered; i++) {
          const { step, ended } = await agent.step(assignment);
          committed ||= step.name === 'COMMIT' && ended === 'done';
          if (committed) assert.is.not(await versionOf(agent), undefined, 'nothing runs');
          bench.now += step.name === 'IDLE' && step.until ? step.until - bench.now : 600;
        }
        fs = fs.crash(model, release);
      }
      bench.unhealthy = new Set();
      const agent = await bench.start(fs);
      if (committed) assert.is.not(await versionOf(agent), undefined, 'nothing starts');
      await bench.drive(agent, assign(1, { release: ++release }), fs);
      assert.is(await versionOf(agent), 1);
    }),
    { seed: 5, numRuns: 300 },
  );
});

test.run();
