import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fitPath } from '../../../sdk/app/inspect.ts';
import { packBundle } from '../../../sdk/bundle/index.ts';
import type { KernelModule } from '../../../sdk/wire/kernels.ts';
import { smallSpec } from '../../support/small-bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'eigenweights-inspect-'));
test.after(() => rmSync(folder, { recursive: true }));

function bundleWith(...more: readonly KernelModule[]): string {
  const path = join(folder, `${more.length}.ewb`);
  const { kernels } = smallSpec();
  writeFileSync(path, packBundle(smallSpec({ kernels: [...kernels, ...more] })));
  return path;
}

test('a bundle is expected to run natively where it has kernels for the board', async () => {
  const native = { platform: 'linux-arm64', variant: 'cortex-a72', bytes: new Uint8Array([1]) } as const;
  const runtime = async (path: string, target: string) => (await fitPath({ path }, target)).runtime;
  assert.is(await runtime(bundleWith(), 'raspberry-pi-4b'), 'wasm');
  assert.is(await runtime(bundleWith(native), 'raspberry-pi-4b'), 'native');
  const chosen = await fitPath({ path: bundleWith(native) }, 'raspberry-pi-4b', { runtime: 'wasm' });
  assert.is(chosen.runtime, 'wasm');
});

test.run();
