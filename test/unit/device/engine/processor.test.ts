import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { processorFlags, runnable } from '../../../../sdk/device/engine/processor.ts';

const KERNELS = [
  { platform: 'linux-x64', variant: 'avx2' },
  { platform: 'linux-x64', variant: 'avx512vnni' },
  { platform: 'linux-x64', variant: 'avxvnni' },
  { platform: 'linux-x64', variant: 'sse4' },
  { platform: 'wasm', variant: 'simd128' },
] as const;

test('flags are those of the first processor, on x86 and on Arm', () => {
  assert.equal([...processorFlags('processor : 0\nflags\t\t: fpu avx2\n\nflags : sse\n')], ['fpu', 'avx2']);
  assert.ok(processorFlags('processor : 0\nFeatures\t: fp asimd asimddp\n').has('asimddp'));
  assert.is(processorFlags('').size, 0);
});

test('kernels that the processor runs come best first, others not at all', () => {
  const variants = (flags: string[], platform = 'linux-x64') =>
    runnable(KERNELS, platform, new Set(flags)).map((k) => k.variant);
  assert.equal(variants(['sse4_2', 'popcnt', 'avx2']), ['avx2', 'sse4']);
  assert.equal(variants(['sse4_2', 'popcnt', 'avx512f', 'avx512_vnni']), ['sse4']);
  assert.equal(variants(['avx2', 'avx_vnni', 'popcnt']), ['avxvnni', 'avx2']);
  assert.equal(variants(['sse4_2']), []);
  assert.equal(variants(['sse4_2', 'popcnt', 'avx2'], 'linux-arm64'), []);
});

test.run();
