import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { abort, pause, resume, start } from '../../../sdk/fleet/rollout/commands.ts';
import type { RolloutInput } from '../../../sdk/fleet/rollout/spec.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import {
  type Answer,
  devices,
  MINUTE,
  NEW,
  OLD,
  SimulatedFleet,
  simulatedDevice,
  specOf,
} from '../../support/fleet/rollout-simulation.ts';

const HOUR = 60 * MINUTE;

const size = fc.oneof(
  fc.integer({ min: 1, max: 12 }).map((count) => ({ count })),
  fc.constantFrom(0.05, 0.1, 0.3).map((share) => ({ share })),
);
const waves = fc
  .tuple(size, fc.constantFrom([], [{ share: 0.4 }], [{ count: 3 }], [{ share: 0.5 }, { share: 0.8 }]))
  .map(([canary, rest]) => [canary, ...rest, { share: 1 }]);

const spec: fc.Arbitrary<Partial<RolloutInput>> = fc.record({
  waves,
  seed: fc.nat(1000),
  control: fc.option(size, { nil: undefined }),
  onStop: fc.constantFrom('revert' as const, 'leave' as const),
  deadlineMilliseconds: fc.constant(HOUR),
  endMilliseconds: fc.constant(60 * HOUR),
  retries: fc.record({ most: fc.nat(2) }),
  rate: fc.constantFrom({}, { perMinute: 5 }, { atOnce: 3 }),
  windows: fc.constantFrom([], [{ from: '22:00', to: '04:00' }]),
  gate: fc.record({
    soakMilliseconds: fc.constantFrom(0, 10 * MINUTE),
    minExecuted: fc.integer({ min: 1, max: 5 }),
    errors: fc.constantFrom({ count: 2 }, { share: 0.1 }, { count: 0 }, { count: 1000 }),
    success: fc.constantFrom({ least: 0.5 }, { least: 0.8 }),
    absent: fc.constantFrom(0, 0.2, 1),
  }),
});

const clean = (given: Partial<RolloutInput>): RolloutInput => specOf(JSON.parse(JSON.stringify(given)));

/** Answers of all kinds, drawn by device and bundle so that they do not depend on the order of questions. */
function drawn(seed: number, failing: number): (name: string, target: string) => Answer | undefined {
  const answers = new Map<string, Answer | undefined>();
  return (name, target) => {
    const key = `${name}/${target}`;
    if (!answers.has(key)) {
      const rng = new Rng(seed + [...key].reduce((sum, c) => (sum * 31 + c.codePointAt(0)!) | 0, 7));
      const kinds: (Answer | undefined)[] = [
        { state: 'failed' },
        { state: 'refused', code: 'EW7005_GATE_FAILED' },
        { state: 'rolled-back' },
        undefined,
      ];
      answers.set(key, rng.uniform() < failing ? kinds[rng.below(kinds.length)] : { state: 'committed' });
    }
    return answers.get(key);
  };
}

test('every rollout ends, whatever devices do and people leave', () => {
  const run = (given: Partial<RolloutInput>, seed: number, failing: number, away: number): void => {
    const rng = new Rng(seed);
    const fleet = new SimulatedFleet(
      devices(40, () => ({ online: rng.uniform() >= away })),
      clean(given),
    );
    fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
    const answer = drawn(seed, failing);
    fleet.behaviour = ({ name }, target) => answer(name, target);
    let joined = 0;
    fleet.run(5 * MINUTE, 200 * HOUR, () => {
      for (const device of fleet.devices) if (rng.below(20) === 0) device.online = rng.uniform() >= away;
      if (joined < 20 && rng.below(10) === 0) fleet.devices.push(simulatedDevice(`late${joined++}`));
      const people = [
        () => pause(fleet.rollout, 'a person', fleet.now),
        () => resume(fleet.rollout, fleet.now),
        () => (rng.below(50) === 0 ? abort(fleet.rollout, 'revert', 'a person', fleet.now) : []),
      ];
      if (rng.below(30) > 0) return;
      try {
        fleet.take(people[rng.below(3)]!());
      } catch (e) {
        assert.ok(isEigenError(e) && e.code === 'EW7301_ROLLOUT_STATE');
      }
    });
    assert.ok(fleet.isOver, `${fleet.rollout.phase} ${fleet.rollout.reason}`);
  };
  fc.assert(fc.property(spec, fc.nat(), fc.constantFrom(0, 0.1, 0.5, 1), fc.constantFrom(0, 0.1, 0.6), run), {
    numRuns: 40,
  });
});

test('a bundle that fails in places reaches no more devices than its wave and the errors that are allowed', () => {
  const run = (given: Partial<RolloutInput>, seed: number, failing: number, allowed: number): void => {
    const fleet = new SimulatedFleet(
      devices(60),
      clean({ ...given, gate: { ...given.gate, errors: { count: allowed } } }),
    );
    fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
    const answer = drawn(seed, failing);
    fleet.behaviour = ({ name }, target) => answer(name, target);
    fleet.run(5 * MINUTE, 200 * HOUR);
    const bad = new Set(
      fleet.log.flatMap((d) =>
        d.kind === 'offer' && answer(d.device, d.target)?.state !== 'committed' ? [d.device] : [],
      ),
    );
    const inWave = [...fleet.members.values()].filter((m) => m.wave === fleet.rollout.wave).length;
    assert.ok(bad.size <= inWave + allowed, `${bad.size} devices, ${inWave} in the wave, ${allowed} errors allowed`);
  };
  fc.assert(fc.property(spec, fc.nat(), fc.constantFrom(0.05, 0.3, 1), fc.nat(4), run), { numRuns: 40 });
});

test('a bundle that fails its gate on every device is committed nowhere and goes to the canary only', () => {
  const run = (given: Partial<RolloutInput>): void => {
    const fleet = new SimulatedFleet(devices(60), clean(given));
    fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
    const canary = [...fleet.members.values()].filter((m) => m.wave === 0).length;
    fleet.behaviour = () => ({ state: 'refused', code: 'EW7005_GATE_FAILED' });
    fleet.run(5 * MINUTE, 200 * HOUR);
    assert.is(fleet.rollout.phase, 'FAILED');
    assert.not(fleet.log.some((d) => d.kind === 'outcome' && d.state === 'COMMITTED'));
    assert.ok(fleet.devices.every((d) => d.running === OLD));
    assert.ok(fleet.offered <= canary);
  };
  fc.assert(fc.property(spec, run), { numRuns: 40 });
});

test('the same reports in any order, some of them twice, come to the same end', () => {
  const run = (given: Partial<RolloutInput>, seed: number, failing: number): void => {
    const ends = [0, 1, 2].map((shuffle) => {
      const fleet = new SimulatedFleet(devices(40), clean({ ...given, rate: {} }));
      fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
      const answer = drawn(seed, failing);
      fleet.behaviour = ({ name }, target) => answer(name, target);
      const rng = new Rng(shuffle);
      for (let i = 0; i < 2000 && !fleet.isOver; i++, fleet.now += 5 * MINUTE) {
        const order = rng.permutation(40).map((k) => fleet.devices[k]!);
        fleet.answer(order);
        fleet.answer(order.slice(0, 10));
        fleet.settle();
      }
      const states = [...fleet.members.values()].map(({ device, state }) => `${device} ${state}`).sort();
      return {
        phase: fleet.rollout.phase,
        wave: fleet.rollout.wave,
        running: fleet.devices.map((d) => d.running === NEW),
        states,
      };
    });
    assert.equal(ends[1], ends[0]);
    assert.equal(ends[2], ends[0]);
  };
  fc.assert(fc.property(spec, fc.nat(), fc.constantFrom(0, 0.05, 0.3), run), { numRuns: 20 });
});

test('decisions that a dead controller had begun to take come to the same', () => {
  const run = (given: Partial<RolloutInput>, seed: number): void => {
    const ends = [false, true].map((dies) => {
      const fleet = new SimulatedFleet(devices(30), clean(given));
      const rng = new Rng(seed);
      const take = fleet.take.bind(fleet);
      // All of a batch or none is taken, as in a transaction; a second controller says the same once more.
      fleet.take = (decisions) => {
        if (dies && rng.below(3) === 0) take(decisions);
        take(decisions);
      };
      fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
      const answer = drawn(seed, 0.1);
      fleet.behaviour = ({ name }, target) => answer(name, target);
      fleet.run(5 * MINUTE, 200 * HOUR);
      return { log: fleet.log, rollout: fleet.rollout };
    });
    assert.equal(ends[1], ends[0]);
  };
  fc.assert(fc.property(spec, fc.nat(), run), { numRuns: 20 });
});

test.run();
