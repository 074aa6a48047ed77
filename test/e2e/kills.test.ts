// timeout: 2400
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../sdk/testing/skip.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { hasStrace, KILLED_UPDATES, KillBench } from '../support/kills.ts';

/**
 * The real agent, killed by the system at calls that change files, at every one with EIGEN_KILLS=all and at some of every kind of
 * update without it; started again it must run the old model or the new one, and come to the end of the update. Prints how many there were.
 */
const ALL = process.env.EIGEN_KILLS === 'all';
const SAMPLE = 10;

let [points, kills] = [0, 0];

for (const update of KILLED_UPDATES)
  test(`kills: ${update.name}`, async () => {
    if (!hasStrace()) return skip(`kills: ${update.name}`, 'no strace (apt install strace)');
    const bench = await KillBench.open(update);
    try {
      const all = await bench.points();
      points += all.length;
      const chosen = ALL
        ? all
        : [...new Rng(all.length).strata(all.length, Math.min(SAMPLE, all.length))].map((i) => all[i]!);
      for (const point of chosen) {
        await bench.killAt(point);
        kills++;
      }
    } finally {
      await bench.close();
    }
  });

test('enough of them', () => {
  if (!hasStrace()) return;
  console.log(`${kills} kills at ${points} calls`);
  assert.ok(points >= 400, `${points} calls`);
});

test.run();
