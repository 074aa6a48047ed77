// timeout: 120
import { test } from 'uvu';
import type { Fault } from '../../sdk/testing/crash-file-system.ts';
import { LOSS_MODELS } from '../../sdk/testing/crash-image.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { MovedFleet } from '../support/trust-cuts.ts';

const moved = await MovedFleet.make();
const { all, lasting } = await moved.operations();

test('power cuts at every operation of a refresh with rotation of keys', async () => {
  for (const point of lasting) {
    const fs = await moved.cutAt(point);
    for (const model of LOSS_MODELS) await moved.checkRecovery(fs.crash(model, point), `cut at ${point}, ${model}`);
  }
});

test('a second power cut while the first is made good; test/e2e/trust-power-cuts.test.ts tries all', async () => {
  for (const [i, point] of lasting.entries())
    if (i % 3 === 0) await moved.cutTwice(point, LOSS_MODELS[i % 4]!, (operation) => operation % 16 === i % 16);
});

test('errors at every operation: nothing is believed that is not kept, and what was is', async () => {
  for (const fault of ['ENOSPC', 'EIO', 'EROFS', 'short'] satisfies Fault[])
    for (let point = 0; point < all; point += 5) {
      const fs = moved.deviceFiles();
      fs.failAt(point, fault, 5);
      const label = `${fault} at ${point}`;
      const device = await moved.world.device(fs).catch(platformOnly);
      await device?.refresh(moved.world.source(), moved.world.now).catch(platformOnly);
      if (device) moved.checkBelieved(device, label);
      fs.repair();
      await moved.checkRecovery(fs, label, fault !== 'EIO');
    }
});

/** A medium that fails is no attack. */
function platformOnly(e: unknown): undefined {
  if (isEigenError(e)) throw new Error(`${e.code}: ${e.message}`);
}

test.run();
