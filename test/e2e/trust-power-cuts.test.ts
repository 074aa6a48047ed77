// timeout: 900
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOSS_MODELS } from '../../sdk/testing/crash-image.ts';
import { MovedFleet } from '../support/trust-cuts.ts';

test('two power cuts, at every operation of a refresh with rotation of keys and every one of the next', async () => {
  const moved = await MovedFleet.make();
  const { lasting } = await moved.operations();
  let cases = 0;
  for (const [i, point] of lasting.entries()) cases += await moved.cutTwice(point, LOSS_MODELS[i % 4]!, () => true);
  console.log(`${lasting.length} points, ${cases} double cuts`);
  assert.ok(cases > 1500);
});

test.run();
