import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { abort, approve, pause, resume, start } from '../../../../sdk/fleet/rollout/commands.ts';
import { decide } from '../../../../sdk/fleet/rollout/decide.ts';
import type { RolloutInput } from '../../../../sdk/fleet/rollout/spec.ts';
import { summaryOf } from '../../../../sdk/fleet/rollout/summary.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import {
  devices,
  MINUTE,
  NEW,
  OLD,
  OTHER,
  type SimulatedDevice,
  SimulatedFleet,
  simulatedDevice,
  specOf,
} from '../../../support/fleet/rollout-simulation.ts';

const HOUR = 60 * MINUTE;

function started(all: SimulatedDevice[], more: Partial<RolloutInput> = {}): SimulatedFleet {
  const fleet = new SimulatedFleet(all, specOf(more));
  fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
  return fleet;
}

/** The phases that a rollout was in, in order. */
function phases({ log }: SimulatedFleet): string {
  return log.flatMap((d) => (d.kind === 'phase' ? [d.phase === 'WAVE' ? `WAVE${d.wave}` : d.phase] : [])).join(' ');
}

test('a good model goes out in waves, those that were held back last', () => {
  const fleet = started(devices(40), { control: { count: 4 }, gate: { soakMilliseconds: 10 * MINUTE } });
  fleet.settle();
  assert.is(fleet.offered, 5);
  fleet.run(MINUTE, 2 * HOUR);
  assert.is(phases(fleet), 'CANARY WAVE1 WAVE2 WAVE3 DONE');
  assert.is(fleet.count('COMMITTED'), 40);
  const held = fleet.log.filter((d) => d.kind === 'join' && d.wave === 3).map((d) => 'device' in d && d.device);
  assert.is(held.length, 4);
  const told = fleet.log.flatMap((d) => (d.kind === 'offer' ? [d.device] : []));
  assert.equal(new Set(told.slice(-4)), new Set(held));
});

test('what fails on the device reaches the canary only, which goes back', () => {
  const fleet = started(devices(100));
  fleet.behaviour = () => ({ state: 'refused', code: 'EW7005_GATE_FAILED' });
  fleet.run(MINUTE, HOUR);
  assert.is(phases(fleet), 'CANARY ABORTING FAILED');
  assert.is(fleet.offered, 5);
  assert.ok(fleet.devices.every((d) => d.running === OLD));
  assert.match(fleet.rollout.reason!, /0 of 5 installations succeeded/);
});

test('a limit of errors stops it in the wave, and everybody goes back', () => {
  const fleet = started(devices(100), { gate: { errors: { count: 3 } } });
  fleet.behaviour = ({ name }) => (Number(name.slice(1)) % 9 === 0 ? { state: 'rolled-back' } : { state: 'committed' });
  fleet.run(MINUTE, HOUR);
  assert.match(phases(fleet), / ABORTING FAILED$/);
  assert.is(fleet.count('REVERTED'), fleet.offered);
  assert.ok(fleet.devices.every((d) => d.running === OLD));
});

test('onStop leave: those that have it keep it, those at it are taken back', () => {
  const fleet = started(devices(20), { waves: [{ share: 1 }], gate: { errors: { count: 0 } }, onStop: 'leave' });
  fleet.behaviour = ({ name }) =>
    name === 'd0' ? { state: 'rolled-back' } : name === 'd1' ? undefined : { state: 'committed' };
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'FAILED');
  assert.is(fleet.devices.filter((d) => d.running === NEW).length, 18);
  assert.is(fleet.devices[1]!.told!.target, OLD);
});

test('who was there and says nothing is STALLED after the deadline; who is away does not count', () => {
  const all = devices(20, (i) => ({ online: i % 10 !== 0 }));
  const fleet = started(all, {
    waves: [{ share: 1 }],
    deadlineMilliseconds: HOUR,
    gate: { absent: 0.1, errors: { count: 2 }, success: { least: 0.5 } },
  });
  fleet.behaviour = ({ name }) => (name === 'd1' ? undefined : { state: 'committed' });
  fleet.run(MINUTE, 3 * HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  assert.is(fleet.members.get('d1')!.state, 'STALLED');
  assert.is(fleet.members.get('d0')!.state, 'OFFERED');
  // Later they come, and it is known.
  all[0]!.online = true;
  fleet.behaviour = () => ({ state: 'committed' });
  fleet.answer();
  fleet.settle();
  assert.is(fleet.members.get('d0')!.state, 'COMMITTED');
  assert.is(fleet.members.get('d1')!.state, 'COMMITTED');
});

test('too many away: it waits, asks a person, and ends by itself in the end', () => {
  const all = devices(20, (i) => ({ online: i < 5 }));
  const fleet = started(all, { waves: [{ share: 1 }], deadlineMilliseconds: HOUR, endMilliseconds: 10 * HOUR });
  fleet.run(MINUTE, 2 * HOUR);
  assert.is(fleet.rollout.phase, 'PAUSED');
  assert.match(fleet.rollout.reason!, /canary: 15 of 20 devices are away/);
  fleet.take(resume(fleet.rollout, fleet.now));
  for (const d of all.slice(5, 18)) d.online = true;
  const other = structuredClone(fleet.rollout);
  fleet.run(MINUTE, 20 * HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  assert.is(other.phase, 'CANARY');
});

test('devices that are away do not count as successes', () => {
  const fleet = started(
    devices(5, (i) => ({ online: i === 0 })),
    { waves: [{ share: 1 }], gate: { absent: 0.8 } },
  );
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'PAUSED');
  assert.match(fleet.rollout.reason!, /1 installations show 58.54 % of success, 70 % must be; other devices are away/);
});

test('one failure among many does not stop a wave that may still pass', () => {
  const fleet = started(devices(20), { waves: [{ share: 1 }], rate: { atOnce: 1 } });
  fleet.behaviour = () => (fleet.count('FAILED') === 0 ? { state: 'rolled-back' } : { state: 'committed' });
  fleet.run(MINUTE, HOUR);
  assert.equal([fleet.rollout.phase, fleet.count('FAILED'), fleet.count('COMMITTED')], ['DONE', 1, 19]);
});

test('a rollout that nobody looks at ends as FAILED', () => {
  const fleet = started(
    devices(20, () => ({ online: false })),
    { deadlineMilliseconds: HOUR, endMilliseconds: 5 * HOUR },
  );
  fleet.run(MINUTE, 100 * HOUR);
  assert.is(phases(fleet), 'CANARY PAUSED ABORTING FAILED');
  assert.is(fleet.rollout.reason, 'it did not end in time');
});

test('devices that come later join by the query and never change their wave', () => {
  const fleet = started(
    devices(20, () => ({ tags: { site: 'a' } })),
    {
      query: 'tag.site = a',
      gate: { soakMilliseconds: 10 * MINUTE },
    },
  );
  fleet.run(MINUTE, 5 * MINUTE);
  const canary = [...fleet.members.values()].filter((m) => m.wave === 0).length;
  fleet.devices.push(...Array.from({ length: 30 }, (_, i) => simulatedDevice(`late${i}`, { tags: { site: 'a' } })));
  fleet.devices.push(simulatedDevice('elsewhere'));
  const before = new Map([...fleet.members].map(([name, m]) => [name, m.wave]));
  fleet.run(MINUTE, 3 * HOUR);
  assert.is(phases(fleet), 'CANARY WAVE1 WAVE2 DONE');
  assert.is([...fleet.members.values()].filter((m) => m.wave === 0).length, canary);
  for (const [name, wave] of before) assert.is(fleet.members.get(name)!.wave, wave);
  assert.is(fleet.count('COMMITTED'), 50);
  assert.not(fleet.members.has('elsewhere'));
});

test('rates and windows hold back, and it still ends', () => {
  const fleet = started(devices(30), {
    waves: [{ share: 1 }],
    rate: { perMinute: 4, atOnce: 3 },
    windows: [{ from: '02:00', to: '03:00' }],
  });
  fleet.now = 0;
  fleet.settle();
  assert.is(fleet.offered, 0);
  fleet.now = 2 * HOUR;
  fleet.settle();
  assert.is(fleet.offered, 3);
  fleet.answer();
  fleet.settle();
  assert.is(fleet.offered, 4);
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
});

test('what may pass is tried again after a wait; what its gate turned down is replaced by another bundle', () => {
  const fleet = started(devices(4), {
    waves: [{ share: 1 }],
    variants: [
      { sha256: NEW, board: 'board' },
      { sha256: OTHER, board: 'board' },
    ],
    gate: { success: { least: 0.5 } },
  });
  let failures = 0;
  fleet.behaviour = ({ name }, target) => {
    if (name === 'd0' && failures++ < 2) return { state: 'failed', code: 'EW7003_NO_SPACE' };
    return name === 'd1' && target === NEW ? { state: 'refused', code: 'EW7005_GATE_FAILED' } : { state: 'committed' };
  };
  fleet.run(10_000, HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  assert.is(fleet.members.get('d0')!.attempt, 3);
  assert.is(fleet.devices[1]!.running, OTHER);
  const [first, second] = fleet.log.flatMap((d) => (d.kind === 'outcome' && d.notBefore ? [d.notBefore] : []));
  assert.ok(first && second && second - first >= 60_000);
});

test('boards without a bundle are left out and stop nothing', () => {
  const fleet = started(
    devices(10, (i) => ({ board: i < 3 ? 'other' : 'board' })),
    { waves: [{ share: 1 }] },
  );
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  assert.equal([fleet.members.size, fleet.count('COMMITTED')], [7, 7]);
});

test('agents go back to agents, whatever model runs on them', () => {
  const own = devices(10, (i) => ({ running: OTHER, ...(i < 8 ? { self: OLD } : {}) }));
  const fleet = started([...own, simulatedDevice('has-it', { self: NEW })], { kind: 'agent', waves: [{ share: 1 }] });
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  assert.ok(fleet.devices.every((d) => d.self === NEW && (d.running === OTHER || d.name === 'has-it')));
  fleet.take(abort(fleet.rollout, 'revert', 'it leaks', fleet.now));
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'ABORTED');
  // Who was installed with an agent has none to go back to, and who had it before keeps it.
  assert.equal([fleet.count('REVERTED'), fleet.count('COMMITTED')], [8, 3]);
  assert.is(fleet.devices.filter((d) => d.self === OLD).length, 8);
});

test('an agent is taken back from devices that do not say which they run: they end as what they are', () => {
  const fleet = started(devices(3), { kind: 'agent', waves: [{ share: 1 }], gate: { absent: 0.9 } });
  fleet.behaviour = () => undefined;
  fleet.run(MINUTE, 2 * MINUTE);
  const [quick, slow, away] = fleet.devices;
  // It has it before it hears that it is not to.
  quick!.self = NEW;
  away!.online = false;
  fleet.take(abort(fleet.rollout, 'revert', 'it leaks', fleet.now));
  fleet.run(MINUTE, 10 * MINUTE);
  assert.equal(
    [quick, slow, away].map((d) => fleet.members.get(d!.name)!.state),
    ['COMMITTED', 'REVERTED', 'REVERTING'],
  );
  assert.is(fleet.rollout.phase, 'ABORTED');
});

test('why something failed is what the device says, and is forgotten with the next try', () => {
  const fleet = started(devices(5), { waves: [{ share: 1 }], gate: { success: { least: 0.1 }, errors: { count: 5 } } });
  const reason = '9000 bytes are needed, 10 are free';
  fleet.behaviour = ({ name }) =>
    name === 'd0' ? { state: 'failed', code: 'EW7003_NO_SPACE', reason } : { state: 'committed' };
  fleet.run(10_000, HOUR);
  const [failure, ...others] = summaryOf(fleet.rollout, [...fleet.members.values()]).failures;
  assert.equal(failure, { device: 'd0', state: 'FAILED', code: 'EW7003_NO_SPACE', reason });
  assert.equal(others, []);
  const retold = started(devices(1), { waves: [{ share: 1 }] });
  retold.behaviour = () => ({ state: 'failed', reason });
  retold.settle();
  retold.answer();
  retold.settle();
  assert.is(retold.members.get('d0')!.reason, reason);
  retold.now += HOUR;
  retold.settle();
  assert.equal([retold.members.get('d0')!.state, retold.members.get('d0')!.reason], ['OFFERED', undefined]);
});

test('pause, resume, abort, rollback', () => {
  const fleet = started(devices(20));
  fleet.settle();
  fleet.take(pause(fleet.rollout, 'lunch', fleet.now));
  fleet.run(MINUTE, 10 * MINUTE);
  assert.is(fleet.rollout.phase, 'PAUSED');
  assert.is(fleet.count('COMMITTED'), 5);
  fleet.take(resume(fleet.rollout, fleet.now));
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'DONE');
  fleet.take(abort(fleet.rollout, 'revert', 'second thoughts', fleet.now));
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'ABORTED');
  assert.ok(fleet.devices.every((d) => d.running === OLD));
  assert.throws(
    () => abort(fleet.rollout, 'revert', '', 0),
    (e: unknown) => isEigenError(e) && e.code === 'EW7301_ROLLOUT_STATE',
  );
});

test('going back leaves alone what somebody else told a device since', () => {
  const fleet = started(devices(6), { waves: [{ share: 1 }] });
  fleet.run(MINUTE, HOUR);
  fleet.devices[2]!.told = { key: 'by hand', state: 'committed', target: OTHER };
  fleet.devices[2]!.running = OTHER;
  fleet.take(abort(fleet.rollout, 'revert', 'no', fleet.now));
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'ABORTED');
  assert.equal(
    fleet.devices.map((d) => d.running === OLD),
    [true, true, false, true, true, true],
  );
});

test('who was away when it was aborted goes back when it comes', () => {
  const all = devices(6);
  const fleet = started(all, { waves: [{ share: 1 }] });
  fleet.run(MINUTE, HOUR);
  all[3]!.online = false;
  fleet.take(abort(fleet.rollout, 'revert', 'no', fleet.now));
  fleet.run(MINUTE, HOUR);
  assert.is(fleet.rollout.phase, 'ABORTED');
  assert.is(fleet.members.get('d3')!.state, 'REVERTING');
  all[3]!.online = true;
  fleet.answer();
  fleet.settle();
  assert.is(fleet.members.get('d3')!.state, 'REVERTED');
});

test('approval comes first where it is asked for', () => {
  const fleet = new SimulatedFleet(devices(10), specOf({ approval: true }));
  assert.throws(() => start(fleet.rollout, fleet.views(), 0), /has to approve|cannot be started/);
  fleet.take(approve(fleet.rollout, 0));
  fleet.take(start(fleet.rollout, fleet.views(), 0));
  assert.is(fleet.rollout.phase, 'CANARY');
  assert.throws(() => start(fleet.rollout, fleet.views(), 0), /is CANARY and cannot be started/);
});

test('a decision that is made twice is the same decision', () => {
  const fleet = started(devices(20));
  const views = fleet.views();
  assert.equal(decide(fleet.rollout, views, 5), decide(fleet.rollout, views, 5));
  const first = decide(fleet.rollout, views, fleet.now);
  fleet.take(first);
  const length = fleet.log.length;
  fleet.take(first);
  assert.is(fleet.log.length, length);
});

test.run();
