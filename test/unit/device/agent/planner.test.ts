import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Failure } from '../../../../sdk/device/agent/ledger.ts';
import { type DeviceState, describePlan, type InstallStep, plan } from '../../../../sdk/device/agent/planner.ts';
import { assign, blobOf } from '../../../support/versions.ts';

const NOW = 1_000_000;
const contentOf = (version: number) => ({ sha256: blobOf(version).sha256, bytes: 1, release: version });
const FRESH: DeviceState = { device: 'd', slots: { slots: {} } };
/** Version 1 runs. */
const ONE: DeviceState = {
  device: 'd',
  slots: { active: 'a', slots: { a: contentOf(1) } },
  serving: blobOf(1).sha256,
};
/** Version 2 runs on probation, version 1 is in the other slot. */
const TRIAL: DeviceState = {
  device: 'd',
  slots: { active: 'b', slots: { a: contentOf(1), b: contentOf(2) }, trial: { milliseconds: 1000, starts: 1 } },
  serving: blobOf(2).sha256,
  trial: { milliseconds: 0 },
};

const failure = (change: Partial<Failure> = {}): Failure => ({
  sha256: blobOf(2).sha256,
  release: 2,
  attempts: 1,
  at: NOW,
  step: 'FETCH',
  code: '',
  reason: 'no route',
  poisoned: false,
  ...change,
});

const progress = (done: readonly InstallStep[], waiting?: { milliseconds: number; why: string }) => ({
  sha256: blobOf(2).sha256,
  release: 2,
  done: new Set(done),
  ...(waiting ? { waiting } : {}),
});

const line = (assignment: ReturnType<typeof assign> | undefined, state: DeviceState, now = NOW): string =>
  describePlan(plan(assignment, state, now));

test('an installation from the first to the last step', () => {
  const all = 'CHECK PREFLIGHT FETCH VERIFY LOAD GATE SWAP PROBATION COMMIT REPORT';
  assert.is(line(assign(1), FRESH), all);
  assert.is(line(assign(2), ONE), all);
  assert.is(line(assign(2, { shadowInputs: 5 }), ONE), all.replace('GATE', 'GATE SHADOW'));
  // Nothing runs that live inputs could come to.
  assert.is(line(assign(1, { shadowInputs: 5 }), FRESH), all);
});

test('steps that are done are not taken again, those of another assignment are', () => {
  const state = { ...ONE, progress: progress(['CHECK', 'PREFLIGHT', 'FETCH']) };
  assert.is(line(assign(2), state), 'VERIFY LOAD GATE SWAP PROBATION COMMIT REPORT');
  assert.match(line(assign(3), state), /^CHECK /);
  assert.match(line(assign(2, { release: 3 }), state), /^CHECK /);
});

test('idle, and why', () => {
  assert.is(line(undefined, ONE), 'IDLE (nothing is assigned)');
  assert.is(line(assign(1), ONE), 'IDLE (what is assigned runs)');
  assert.is(line(assign(2, { expires: NOW }), ONE), 'IDLE (what is assigned has expired)');
  const waiting = { milliseconds: 5, why: 'not between 2 and 4' };
  const state = { ...ONE, progress: progress(['CHECK'], waiting) };
  assert.equal(plan(assign(2), state, NOW), [{ name: 'IDLE', why: waiting.why, until: NOW + 5 }]);
  assert.match(line(assign(2), { ...ONE, progress: progress(['CHECK']) }), /^PREFLIGHT /);
});

test('expiry stops an installation at any step before the swap, and nothing after it', () => {
  const steps: InstallStep[] = ['CHECK', 'PREFLIGHT', 'FETCH', 'VERIFY', 'LOAD', 'GATE'];
  for (let done = 0; done <= steps.length; done++) {
    const state = { ...ONE, progress: progress(steps.slice(0, done)) };
    assert.is(line(assign(2, { expires: NOW - 1 }), state), 'IDLE (what is assigned has expired)');
  }
  const expired = assign(2, { expires: 0 });
  assert.is(line(expired, TRIAL), 'PROBATION COMMIT REPORT');
  assert.is(line(expired, { ...TRIAL, trial: { milliseconds: 1000 } }), 'COMMIT REPORT');
  assert.is(line(assign(1, { expires: 0 }), ONE), 'IDLE (what is assigned runs)');
});

test('a probation ends whatever is assigned', () => {
  for (const assignment of [undefined, assign(1), assign(2), assign(3)]) {
    assert.is(line(assignment, TRIAL), 'PROBATION COMMIT REPORT');
    assert.is(line(assignment, { ...TRIAL, trial: { milliseconds: 2000 } }), 'COMMIT REPORT');
    const bad = { ...TRIAL, trial: { milliseconds: 2000, unhealthy: 'it answers nonsense' } };
    assert.is(line(assignment, bad), 'ROLLBACK REPORT');
    assert.is(line(assignment, { ...TRIAL, serving: blobOf(1).sha256 }), 'ROLLBACK REPORT');
  }
  assert.equal(plan(undefined, { ...TRIAL, trial: { milliseconds: 300 } }, NOW)[0], {
    name: 'PROBATION',
    milliseconds: 700,
  });
});

test('after a failure it waits, longer every time, and not for ever the same among devices', () => {
  let before = 0;
  for (let attempts = 1; attempts < 8; attempts++) {
    const [idle] = plan(assign(2), { ...ONE, failure: failure({ attempts }) }, NOW);
    if (idle?.name !== 'IDLE') throw new Error(`not idle: ${idle?.name}`);
    assert.ok(idle.until! - NOW > before, `${attempts}`);
    before = (idle.until! - NOW) * 0.99;
    assert.match(line(assign(2), { ...ONE, failure: failure({ attempts }) }, idle.until), /^CHECK /);
  }
  const waits = ['a', 'b', 'c'].map((device) => plan(assign(2), { ...ONE, device, failure: failure() }, NOW)[0]);
  assert.is(new Set(waits.map((w) => w?.name === 'IDLE' && w.until)).size, 3);
});

test('a clock that was wrong when it failed holds up nothing', () => {
  const fromTheFuture = { ...ONE, failure: failure({ at: NOW * 1000 }) };
  assert.match(line(assign(2), fromTheFuture), /^CHECK /);
});

test('what would fail again is not tried again, but under a higher release', () => {
  const state = { ...ONE, failure: failure({ poisoned: true, step: 'GATE', reason: 'wrong outputs' }) };
  assert.is(line(assign(2), state, NOW * 1e6), 'IDLE (release 2 of it failed in GATE: wrong outputs)');
  assert.match(line(assign(2, { release: 3 }), state), /^CHECK /);
});

test('outcomes are reported when it is time to, and hold up nothing', () => {
  assert.is(line(assign(1), { ...ONE, reportDue: true }), 'REPORT IDLE (what is assigned runs)');
  assert.is(line(assign(1), { ...ONE, reportDue: false }), 'IDLE (what is assigned runs)');
  assert.match(line(assign(2), { ...ONE, reportDue: false }), /^CHECK /);
});

test('a model that runs in place of the active one is replaced', () => {
  const state: DeviceState = { ...ONE, serving: blobOf(2).sha256 };
  assert.match(line(assign(1), state), /^CHECK /);
});

test.run();
