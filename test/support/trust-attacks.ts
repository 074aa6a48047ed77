import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MetadataSource } from '../../sdk/device/trust/source.ts';
import type { Trust } from '../../sdk/device/trust/trust.ts';
import type { Attack } from '../../sdk/wire/attacks.ts';
import { formatTime, MOST_BYTES } from '../../sdk/wire/metadata.ts';
import { assertRefused, DAY, START, World } from './trust-world.ts';
import { blobOf } from './versions.ts';

/** What somebody does to a fleet whose device has installed version 1. */
export interface AttackCase {
  readonly attack: Attack;
  readonly name: string;
  /** Changes what the fleet serves. */
  readonly act?: (world: World) => Promise<void>;
  /** Those who may have signed that what was assigned is not listed as it was. */
  readonly withdrawn?: true;
  /** Serves something else. */
  readonly serve?: (world: World, device: Trust) => Promise<MetadataSource>;
}

/** More bytes than metadata of any kind has. */
export const MANY = new Uint8Array(MOST_BYTES.targets + 1);

/** What makes metadata one that has expired. */
export const STALE = { expires: formatTime(START - DAY) };

export function text(s: string): Uint8Array {
  return new TextEncoder().encode(s);
}

/** Serves other bytes for a role. */
export function instead(world: World, role: string, bytes: Uint8Array | undefined): MetadataSource {
  return world.source((r, served) => (r === role ? bytes : served));
}

/** A test for each: it is refused under its name, what was assigned before counts, and the fleet goes on once the attacker is gone. */
export function testAttacks(part: string, cases: readonly AttackCase[]): void {
  for (const { attack, name, act, serve, withdrawn } of cases)
    test(`${part}: ${name}: ${attack}`, async () => {
      const world = await World.make();
      const device = await world.device();
      await device.refresh(world.source(), world.now);
      const served = world.copy();

      await act?.(world);
      const source = (await serve?.(world, device)) ?? world.source();
      await assertRefused(device.refresh(source, world.now), attack);
      // What was assigned, and runs, is what counts.
      assert.is(device.assignment?.blob.sha256, withdrawn ? undefined : blobOf(1).sha256);

      // Without whoever that was, the fleet goes on.
      world.restore(served);
      await world.goOn();
      const next = await device.refresh(world.source(), world.now);
      assert.is(next?.blob.sha256, blobOf(2).sha256);
    });
  test.run();
}
