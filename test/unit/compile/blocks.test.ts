import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blockBytesOf } from '../../../sdk/compile/blocks.ts';
import { listProfiles, loadProfile } from '../../../sdk/compile/profile.ts';

const KB = 1024;

test("a block fits a core's share of the second-level cache, and the memory of boards without one", () => {
  const of = (id: string): number => blockBytesOf(loadProfile(id)) / KB;
  assert.is(of('raspberry-pi-3b-plus'), 96);
  assert.is(of('raspberry-pi-4b'), 192);
  assert.is(of('raspberry-pi-5'), 192);
  assert.is(of('jetson-orin-nano-8gb'), 192);
  assert.is(of('raspberry-pi-pico-2'), 16);
  assert.is(of('coral-dev-board-micro'), 16);
  for (const { id } of listProfiles()) {
    if (id === 'host') continue;
    const { l2KB, count } = loadProfile(id).cpu.clusters[0]!;
    if (l2KB) assert.ok(of(id) * count <= l2KB, id);
  }
});

test.run();
