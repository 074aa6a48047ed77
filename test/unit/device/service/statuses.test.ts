import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Taken } from '../../../../sdk/device/agent/agent.ts';
import type { InstallStep } from '../../../../sdk/device/agent/planner.ts';
import type { Status } from '../../../../sdk/device/link/index.ts';
import type { Progress } from '../../../../sdk/device/service/counted-source.ts';
import { Statuses } from '../../../../sdk/device/service/statuses.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { assign } from '../../../support/versions.ts';

function started() {
  const clock = new SimulatedClock();
  const said: Status[] = [];
  const device: { rev: number; progress?: Progress } = { rev: 1 };
  const statuses = new Statuses({
    clock,
    rev: () => device.rev,
    progress: () => device.progress,
    say: async (status) => void said.push(status),
  });
  return { clock, said, device, statuses };
}

const taken = (step: Taken['step'], ended: Taken['ended'] = 'done', reason?: string): Taken => ({
  step,
  ended,
  ...(reason === undefined ? {} : { reason }),
});
const install = (name: InstallStep): Taken['step'] => ({ name, assignment: assign(1) });
const idle = (why: string): Taken => taken({ name: 'IDLE', why });

test('what begins is said, the newest once a second', async () => {
  const { clock, said, statuses } = started();
  for (const step of ['CHECK', 'PREFLIGHT', 'FETCH'] as const) {
    statuses.begun('model', step);
    if (step !== 'FETCH') statuses.taken('model', taken(install(step)));
  }
  assert.equal(said, []);
  await clock.pass(1000);
  assert.equal(said, [{ step: 'fetch', done: 0, total: 0 }]);
});

test('a download says how far it is, seldom, and only where it comes further', async () => {
  const { clock, said, device, statuses } = started();
  device.progress = { done: 10, total: 100 };
  statuses.begun('model', 'FETCH');
  await clock.pass(25_000);
  device.progress = { done: 60, total: 100 };
  await clock.pass(90_000);
  assert.equal(said, [
    { step: 'fetch', done: 10, total: 100 },
    { step: 'fetch', done: 60, total: 100 },
  ]);
  statuses.begun('model', 'VERIFY');
  await clock.pass(90_000);
  assert.equal(said.slice(2), [{ step: 'verify', done: 0, total: 0 }]);
});

test('what it waits for is said, but not how the time of a probation passes', async () => {
  const { clock, said, device, statuses } = started();
  statuses.taken('model', taken(install('PREFLIGHT'), 'waiting', 'power: 0 in ac, at least 1 is needed'));
  await clock.pass(1000);
  statuses.taken('model', idle('x'.repeat(300)));
  await clock.pass(1000);
  for (const milliseconds of [9, 8]) {
    statuses.taken('model', taken({ name: 'PROBATION', milliseconds }, 'waiting', `${milliseconds} ms are left`));
    await clock.pass(1000);
  }
  const nothing = { done: 0, total: 0 };
  assert.equal(said, [
    { step: 'preflight', why: 'power: 0 in ac, at least 1 is needed', ...nothing },
    { step: 'idle', why: 'x'.repeat(256), ...nothing },
    { step: 'probation', ...nothing },
  ]);
  // To a new revision it is news.
  device.rev = 2;
  statuses.taken('model', taken({ name: 'PROBATION', milliseconds: 7 }, 'waiting'));
  await clock.pass(1000);
  assert.is(said.length, 4);
});

test('an agent that is not being updated says nothing about the model', async () => {
  const { clock, said, statuses } = started();
  statuses.begun('model', 'GATE');
  statuses.taken('agent', idle('nothing is assigned'));
  await clock.pass(1000);
  statuses.begun('agent', 'FETCH');
  await clock.pass(1000);
  statuses.close();
  statuses.begun('agent', 'VERIFY');
  await clock.pass(60_000);
  assert.equal(
    said.map((s) => s.step),
    ['gate', 'fetch'],
  );
});

test.run();
