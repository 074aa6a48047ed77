import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cohortOf, cutsOf } from '../../../../sdk/fleet/rollout/cohorts.ts';

const names = Array.from({ length: 1000 }, (_, i) => `device-${i}`);

function sizes(cuts: ReturnType<typeof cutsOf>, seed: number, all = names, late = false): number[] {
  const counts = new Array<number>(cuts.waves.length + 1).fill(0);
  for (const name of all) {
    const cohort = cohortOf(cuts, seed, name, late);
    counts['control' in cohort ? cuts.waves.length : cohort.wave]!++;
  }
  return counts;
}

test('waves have the sizes that were asked for', () => {
  const counts = { seed: 1, control: { count: 50 }, waves: [{ count: 10 }, { count: 90 }, { share: 1 }] };
  assert.equal(sizes(cutsOf(counts, names), 1), [10, 90, 850, 50]);
  const shares = { seed: 2, control: { share: 0.1 }, waves: [{ share: 0.01 }, { share: 0.5 }, { share: 1 }] };
  assert.equal(sizes(cutsOf(shares, names), 2), [9, 441, 450, 100]);
  // Fewer devices than asked for: all are in the canary.
  assert.equal(
    sizes(cutsOf({ seed: 3, waves: [{ count: 10 }, { share: 1 }] }, names.slice(0, 4)), 3, names.slice(0, 4)),
    [4, 0, 0],
  );
  assert.equal(
    sizes(cutsOf({ seed: 3, waves: [{ share: 0.01 }, { share: 1 }] }, names.slice(0, 20)), 3, names.slice(0, 20)),
    [1, 19, 0],
  );
});

test('another seed is another canary; who comes later is in no wave that is counted', () => {
  const spec = { waves: [{ count: 10 }, { share: 1 }] };
  const canary = (seed: number): string[] => {
    const cuts = cutsOf({ ...spec, seed }, names);
    return names.filter((n) => (cohortOf(cuts, seed, n, false) as { wave: number }).wave === 0);
  };
  assert.not.equal(canary(1), canary(2));
  const cuts = cutsOf({ ...spec, seed: 1 }, names);
  assert.equal(
    sizes(
      cuts,
      1,
      Array.from({ length: 5000 }, (_, i) => `late-${i}`),
      true,
    ),
    [0, 5000, 0],
  );
});

test('devices keep their cohort however many there are', () => {
  const spec = { seed: 4, control: { share: 0.2 }, waves: [{ share: 0.1 }, { share: 1 }] };
  const cuts = cutsOf(spec, names.slice(0, 100));
  for (const name of names.slice(0, 100)) assert.equal(cohortOf(cuts, 4, name, false), cohortOf(cuts, 4, name, true));
});

test.run();
