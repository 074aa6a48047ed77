import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { start } from '../../../sdk/fleet/rollout/commands.ts';
import type { HealthSums } from '../../../sdk/fleet/rollout/health.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import {
  devices,
  MINUTE,
  NEW,
  type SimulatedDevice,
  SimulatedFleet,
  specOf,
} from '../../support/fleet/rollout-simulation.ts';

const RUNS = 200;
const ROUND = 10 * MINUTE;

/** Inferences whose answer is known, a device and round; between a tenth of it and all of it, as devices are used. */
const ANSWERS = 200;

/**
 * Accuracy as devices report it: each has its own (standard deviation 4 points), the day has its own (a random walk of half a point a
 * round that all share, and so has each device), and a round's answers are a sample.
 */
class Accuracies {
  private readonly rng: Rng;
  private readonly loss: number;
  private readonly own = new Map<string, { base: number; use: number; before: Sum; after: Sum }>();
  private day = 0;

  /** @param loss share of its accuracy that the new model lacks. */
  constructor(seed: number, loss: number) {
    this.rng = new Rng(seed);
    this.loss = loss;
  }

  round(all: readonly SimulatedDevice[], isTreated: (d: SimulatedDevice) => boolean, since: boolean): void {
    this.day += 0.005 * this.rng.normal();
    for (const device of all) {
      const d = this.of(device.name);
      d.base += 0.003 * this.rng.normal();
      const right = Math.min(1, Math.max(0, d.base + this.day));
      const lost = device.running === NEW ? this.loss : 0;
      const answers = Math.ceil(d.use * ANSWERS);
      const share = right * (1 - lost);
      const value = share + this.rng.normal() * Math.sqrt(Math.max(0, share * (1 - share)) / answers);
      const isAfter = since && (device.running === NEW || !isTreated(device));
      if (since && !isAfter) continue;
      const sum = isAfter ? d.after : d.before;
      sum.count++;
      sum.sum += value;
    }
  }

  sums(name: string): { before: HealthSums; after: HealthSums } {
    const { before, after } = this.of(name);
    return { before: { accuracy: { ...before } }, after: { accuracy: { ...after } } };
  }

  private of(name: string) {
    let found = this.own.get(name);
    if (!found) {
      const fresh = (): Sum => ({ count: 0, sum: 0 });
      found = {
        base: 0.85 + 0.04 * this.rng.normal(),
        use: 0.1 + 0.9 * this.rng.uniform(),
        before: fresh(),
        after: fresh(),
      };
      this.own.set(name, found);
    }
    return found;
  }
}

interface Sum {
  count: number;
  sum: number;
}

/** What becomes of the canary: 30 devices, 30 held back, watched for three hours and at most nine. */
function canary(seed: number, loss: number): SimulatedFleet {
  const spec = specOf({
    waves: [{ count: 30 }, { share: 1 }],
    control: { count: 30 },
    seed,
    gate: { soakMilliseconds: 18 * ROUND, metrics: [{ name: 'accuracy', better: 'higher', margin: 0.03 }] },
  });
  const fleet = new SimulatedFleet(devices(90), spec);
  const accuracies = new Accuracies(seed, loss);
  for (let i = 0; i < 18; i++) accuracies.round(fleet.devices, () => true, false);
  fleet.take(start(fleet.rollout, fleet.views(), fleet.now));
  fleet.health = ({ name }) => accuracies.sums(name);
  const isTreated = ({ name }: SimulatedDevice): boolean => fleet.members.get(name)!.wave === 0;
  while (fleet.rollout.phase === 'CANARY') {
    fleet.settle();
    fleet.answer();
    fleet.settle();
    accuracies.round(fleet.devices, isTreated, true);
    fleet.now += ROUND;
  }
  return fleet;
}

test('a model that is silently worse by 5 % stops in the canary, one that is not goes on', () => {
  const [worse, same] = [0.05, 0].map((loss) => Array.from({ length: RUNS }, (_, i) => canary(1000 + i, loss)));
  const stopped = worse!.filter((f) => f.rollout.phase !== 'WAVE');
  const falseStops = same!.filter((f) => f.rollout.phase !== 'WAVE');
  const hours = stopped.map((f) => (f.now - f.rollout.started!) / 3_600_000).sort((a, b) => a - b);
  console.log(
    `worse by 5 %: stopped in the canary in ${stopped.length} of ${RUNS} runs, after ${hours[RUNS >> 1]!.toFixed(1)} hours (median); ` +
      `as good: stopped in ${falseStops.length} of ${RUNS}`,
  );
  const asked = stopped.filter((f) => f.rollout.phase === 'PAUSED');
  console.log(`of those that were worse ${asked.length} were undecided in the end and left to a person`);
  assert.ok(stopped.length >= 0.99 * RUNS);
  assert.ok(falseStops.length <= 0.02 * RUNS);
  const others = stopped.filter((f) => f.rollout.aborting?.how === 'revert');
  assert.is(others.length + asked.length, stopped.length);
});

test.run();
