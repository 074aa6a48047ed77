import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packBundle } from '../../../../sdk/bundle/index.ts';
import { BundleOpener } from '../../../../sdk/device/agent/open-elsewhere.ts';
import { codeOf } from '../../../support/fake-model.ts';
import { smallSpec } from '../../../support/small-bundle.ts';

test('bundles are opened on another thread, one after another; what is none is refused as it is here', async () => {
  const opener = new BundleOpener();
  const kernels = smallSpec().kernels.filter((k) => k.platform === 'wasm');
  const bytes = packBundle(smallSpec({ kernels }));
  const [first, refused, second] = await Promise.all([
    opener.open(bytes),
    codeOf(opener.open(Uint8Array.of(1, 2, 3))),
    opener.open(bytes),
  ]);
  assert.is(refused, 'EW6001_BUNDLE_UNREADABLE');
  assert.is(first.bundle.digest, second.bundle.digest);
  assert.is((first.weights as Uint8Array).length, first.bundle.manifest.program.weightBytes);
  const changed = bytes.slice();
  changed[bytes.length - 2000]! ^= 1;
  assert.match(await codeOf(opener.open(changed)), /^EW6/);
});

test.run();
