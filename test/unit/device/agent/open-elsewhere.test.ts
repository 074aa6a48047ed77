import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BundleOpener } from '../../../../sdk/device/agent/open-elsewhere.ts';
import { codeOf } from '../../../support/fake-model.ts';
import { bundleOf } from '../../../support/scale-bundle.ts';

test('bundles are opened on another thread, one after another; what is none is refused as it is here', async () => {
  const opener = new BundleOpener();
  const bytes = await bundleOf(3);
  const [first, refused, second] = await Promise.all([
    opener.open(bytes.slice()),
    codeOf(opener.open(Uint8Array.of(1, 2, 3))),
    opener.open(bytes.slice()),
  ]);
  assert.is(refused, 'EW6001_BUNDLE_UNREADABLE');
  assert.equal(first.program, second.program);
  assert.ok('wasm' in first.prepared && first.prepared.wasm.memory.buffer.byteLength > first.program.weightBytes);
  const changed = bytes.slice();
  changed[bytes.length - 2000]! ^= 1;
  assert.match(await codeOf(opener.open(changed)), /^EW6/);
});

test.run();
