// timeout: 1800
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOSS_MODELS } from '../../sdk/testing/crash-image.ts';
import { UPDATES } from '../support/device-updates.ts';
import { allOperations, cutAt, failAt, operationsOf } from '../support/update-faults.ts';

/**
 * Power cuts and errors at every operation of every kind of update, and second cuts at some operation of what follows; of bundles in 100
 * pieces. Prints how many there were.
 */
const FINE = UPDATES.map((update) => ({ ...update, pieceBytes: update.pieceBytes ?? 50 }));

test('power cuts at every operation, under every loss model', async () => {
  let [points, cases] = [0, 0];
  for (const update of FINE) {
    const { lasting } = await operationsOf(update);
    points += lasting.length;
    cases += await cutAt(update, lasting, LOSS_MODELS);
  }
  console.log(`${points} points, ${cases} power cuts`);
  assert.ok(points >= 1500 && cases >= 4 * points, `${points} points, ${cases} cuts`);
});

test('second power cuts', async () => {
  let cases = 0;
  for (const [i, update] of FINE.entries()) {
    const { lasting } = await operationsOf(update);
    cases += await cutAt(update, lasting, LOSS_MODELS, { seed: 10_000 * i, cuts: 2 });
  }
  console.log(`${cases} second power cuts`);
  assert.ok(cases >= 10_000, `${cases} cuts`);
});

test('errors at every operation, once and lasting', async () => {
  let cases = 0;
  for (const update of FINE) {
    const { all } = await operationsOf(update);
    cases += await failAt(update, allOperations(all), ['ENOSPC', 'EIO', 'EROFS', 'short']);
  }
  console.log(`${cases} injected errors`);
  assert.ok(cases >= 6000, `${cases} errors`);
});

test.run();
