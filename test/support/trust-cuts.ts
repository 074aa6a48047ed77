import * as assert from 'uvu/assert';
import type { MetadataVersions, Trust } from '../../sdk/device/trust/trust.ts';
import { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { LOSS_MODELS, type LossModel } from '../../sdk/testing/crash-image.ts';
import { listed, pathOf, signerOf, World } from './trust-world.ts';
import { blobOf } from './versions.ts';

/** Operations that a refresh after a cut has at most. */
const MOST_AGAIN = 120;

/**
 * A device with version 1 whose fleet has moved on: two rotations of keys, a delegation, and version 2 under it. Every check is of what a
 * start finds after a power cut.
 */
export class MovedFleet {
  readonly world: World;
  private readonly before: CrashFileSystem;
  private readonly known: MetadataVersions;

  private constructor(world: World, before: CrashFileSystem, known: MetadataVersions) {
    this.world = world;
    this.before = before;
    this.known = known;
  }

  static async make(): Promise<MovedFleet> {
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
    return new MovedFleet(world, before.crash('lost'), device.versions);
  }

  /** The device as it was before. */
  deviceFiles(): CrashFileSystem {
    return this.before.crash('kept');
  }

  /** Starts a device and brings it up to date, until power goes. */
  async refresh(fs: CrashFileSystem): Promise<void> {
    const device = await this.world.device(fs);
    await device.refresh(this.world.source(), this.world.now);
  }

  /** Operations of a refresh, and those of them that change what a power cut leaves. */
  async operations(): Promise<{ readonly all: number; readonly lasting: number[] }> {
    const fs = this.deviceFiles();
    await this.refresh(fs);
    return { all: fs.operations.length, lasting: fs.lastingOperations() };
  }

  /** Power goes at an operation. */
  async cutAt(point: number): Promise<CrashFileSystem> {
    const fs = this.deviceFiles();
    fs.cutPowerAt(point);
    await this.refresh(fs).catch(() => undefined);
    assert.not(fs.powered, `there is no operation ${point}`);
    return fs;
  }

  /** What must hold for a device that starts: it believes nothing older than it did where the same keys sign, and no mixture. */
  checkBelieved(device: Trust, label: string): void {
    const { root, timestamp, snapshot, targets } = device.versions;
    const { known } = this;
    assert.ok(root >= known.root && root <= 3, `${label}: root ${root}`);
    // Other keys sign these from the second and the third root on: what the old ones signed is forgotten.
    if (root === 1) assert.ok(timestamp >= known.timestamp && snapshot >= known.snapshot, `${label}: went back`);
    if (snapshot > 0) assert.ok(targets >= known.targets, `${label}: targets went back to ${targets}`);
    const sha256 = device.assignment?.blob.sha256;
    const may = root === 1 ? [blobOf(1).sha256] : [undefined, blobOf(2).sha256];
    assert.ok(may.includes(sha256), `${label}: ${sha256} is assigned under root ${root}`);
  }

  /** @param durable whether the medium kept its word so far: names whose syncing failed may be lost though they were seen. */
  async checkRecovery(fs: CrashFileSystem, label: string, durable = true): Promise<void> {
    const { world } = this;
    const device = await world.device(fs);
    this.checkBelieved(device, label);
    const before = device.versions;
    const assignment = await device.refresh(world.source(), world.now);
    assert.is(assignment?.blob.sha256, blobOf(2).sha256, label);
    for (const [role, version] of Object.entries(device.versions))
      assert.ok(version >= before[role as keyof MetadataVersions], `${label}: ${role} went back`);
    const later = await world.device(fs.crash('lost'));
    if (!durable) await later.refresh(world.source(), world.now);
    assert.equal(later.assignment, assignment, `${label}: after another cut`);
  }

  /** A second cut while the first, at this point, is made good. `chosen` of the operations after it are tried; returns how many there were. */
  async cutTwice(point: number, model: LossModel, chosen: (operation: number) => boolean): Promise<number> {
    const cut = await this.cutAt(point);
    for (let operation = 0, cases = 0; ; operation++) {
      if (operation === MOST_AGAIN) throw new Error(`a refresh after a cut at ${point} has no end`);
      if (!chosen(operation)) continue;
      const fs = cut.crash(model, point);
      const device = await this.world.device(fs);
      fs.cutPowerAt(fs.operations.length + operation);
      await device.refresh(this.world.source(), this.world.now).catch(() => undefined);
      if (fs.powered) return cases;
      const second = LOSS_MODELS[(point + operation) % LOSS_MODELS.length]!;
      const label = `cut at ${point}, ${model}, and ${operation} later, ${second}`;
      await this.checkRecovery(fs.crash(second, operation), label);
      cases++;
    }
  }
}
