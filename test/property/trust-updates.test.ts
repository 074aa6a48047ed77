// timeout: 120
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MetadataVersions, Trust } from '../../sdk/device/trust/trust.ts';
import { CrashFileSystem, type Fault } from '../../sdk/testing/crash-file-system.ts';
import { LOSS_MODELS } from '../../sdk/testing/crash-image.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { blobOf } from '../support/device-updates.ts';
import { listed, pathOf, signerOf, World } from '../support/trust-world.ts';

/** What a device with version 1 meets: two rotations of keys, a delegation, and version 2 under it. */
async function fleetThatMoved(): Promise<{ world: World; before: CrashFileSystem; known: MetadataVersions }> {
  const world = await World.make();
  const before = new CrashFileSystem();
  const device = await world.device(before);
  await device.refresh(world.source(), world.now);
  await world.rotate({ timestamp: [signerOf(32)], director: [signerOf(42)] });
  await world.rotate({ timestamp: [signerOf(33)], director: [signerOf(42)], snapshot: [signerOf(23)] });
  const own = signerOf(61);
  world.ring.add(own);
  await world.repository.delegate({ name: 'kws', paths: ['kws/*/*'], keys: [own.key], threshold: 1 }, world.ring);
  await world.repository.unlist([pathOf(2)], world.ring);
  await world.repository.list({ [pathOf(2)]: listed(2) }, world.ring, 'kws');
  await world.assign(2);
  return { world, before: before.crash('lost'), known: device.versions };
}

const moved = await fleetThatMoved();

async function lastingOperations(): Promise<number[]> {
  const fs = moved.before.crash('kept');
  await (await moved.world.device(fs)).refresh(moved.world.source(), moved.world.now);
  return fs.lastingOperations();
}

/** What must hold for a device that starts: it believes nothing older than it did where the same keys sign, and no mixture. */
function checkBelieved(device: Trust, label: string): void {
  const { root, timestamp, snapshot, targets } = device.versions;
  assert.ok(root >= moved.known.root && root <= 3, `${label}: root ${root}`);
  // Other keys sign these from the second and the third root on: what the old ones signed is forgotten.
  if (root === 1)
    assert.ok(timestamp >= moved.known.timestamp && snapshot >= moved.known.snapshot, `${label}: went back`);
  if (snapshot > 0) assert.ok(targets >= moved.known.targets, `${label}: targets went back to ${targets}`);
  const sha256 = device.assignment?.blob.sha256;
  const may = root === 1 ? [blobOf(1).sha256] : [undefined, blobOf(2).sha256];
  assert.ok(may.includes(sha256), `${label}: ${sha256} is assigned under root ${root}`);
}

/** @param durable whether the medium kept its word so far: names whose syncing failed may be lost though they were seen. */
async function checkRecovery(fs: CrashFileSystem, label: string, durable = true): Promise<void> {
  const { world } = moved;
  const device = await world.device(fs);
  checkBelieved(device, label);
  const before = device.versions;
  const assignment = await device.refresh(world.source(), world.now);
  assert.is(assignment?.blob.sha256, blobOf(2).sha256, label);
  for (const [role, version] of Object.entries(device.versions))
    assert.ok(version >= before[role as keyof MetadataVersions], `${label}: ${role} went back`);
  const later = await world.device(fs.crash('lost'));
  if (!durable) await later.refresh(world.source(), world.now);
  assert.equal(later.assignment, assignment, `${label}: after another cut`);
}

test('power cuts at every operation of a refresh with rotation of keys', async () => {
  const { world, before } = moved;
  for (const point of await lastingOperations()) {
    const fs = before.crash('kept');
    const device = await world.device(fs);
    fs.cutPowerAt(point);
    await device.refresh(world.source(), world.now).catch(() => undefined);
    assert.not(fs.powered);
    for (const model of LOSS_MODELS) await checkRecovery(fs.crash(model, point), `cut at ${point}, ${model}`);
  }
});

test('a second power cut while the first is made good', async () => {
  const { world, before } = moved;
  const points = await lastingOperations();
  for (const [i, point] of points.entries()) {
    const fs = before.crash('kept');
    const first = await world.device(fs);
    fs.cutPowerAt(point);
    await first.refresh(world.source(), world.now).catch(() => undefined);
    const again = fs.crash(LOSS_MODELS[i % LOSS_MODELS.length]!, point);
    const second = await world.device(again);
    again.cutPowerAt(again.operations.length + ((7 * i) % 40));
    await second.refresh(world.source(), world.now).catch(() => undefined);
    for (const model of LOSS_MODELS) await checkRecovery(again.crash(model, i), `cut at ${point} and again, ${model}`);
  }
});

test('errors at every operation: nothing is believed that is not kept, and what was is', async () => {
  const { world, before } = moved;
  const dry = before.crash('kept');
  await (await world.device(dry)).refresh(world.source(), world.now);
  for (const fault of ['ENOSPC', 'EIO', 'EROFS', 'short'] satisfies Fault[])
    for (let point = 0; point < dry.operations.length; point += 5) {
      const fs = before.crash('kept');
      fs.failAt(point, fault, 5);
      const label = `${fault} at ${point}`;
      const device = await world.device(fs).catch(platformOnly);
      await device?.refresh(world.source(), world.now).catch(platformOnly);
      if (device) checkBelieved(device, label);
      fs.repair();
      await checkRecovery(fs, label, fault !== 'EIO');
    }
});

/** A medium that fails is no attack. */
function platformOnly(e: unknown): undefined {
  if (isEigenError(e)) throw new Error(`${e.code}: ${e.message}`);
}

test.run();
