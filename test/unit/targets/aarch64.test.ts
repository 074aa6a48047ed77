import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listProfiles, loadProfile, type Profile } from '../../../sdk/compile/profile.ts';
import { processorFlags, runnable } from '../../../sdk/device/engine/processor.ts';
import { coralTarget, jetsonTarget, raspberryPiTarget } from '../../../targets/aarch64/index.ts';
import { TARGETS } from '../../../targets/index.ts';

const variantsOf = (profile: Profile): string[] =>
  TARGETS.filter((t) => t.platform !== 'wasm' && t.serves(profile)).flatMap((t) => [
    ...(t.variantsFor?.(profile) ?? t.variants.map((v) => v.id)),
  ]);

test('every board with 64-bit Arm cores has kernels of its own core', () => {
  for (const { id, form } of listProfiles()) {
    if (form !== 'board') continue;
    const profile = loadProfile(id);
    const cores = profile.cpu.arch === 'aarch64' ? profile.cpu.clusters.map((c) => c.core) : [];
    assert.equal(variantsOf(profile), cores, id);
  }
});

test('other cores get kernels whose instructions they have; so does the machine at hand', () => {
  const pi = loadProfile('raspberry-pi-4b');
  const [cluster] = pi.cpu.clusters;
  const withCore = (core: string, features: readonly ('neon' | 'dotprod')[]): Profile => ({
    ...pi,
    family: 'host',
    cpu: { ...pi.cpu, clusters: [{ ...cluster!, core, features: [...features] }] },
  });
  assert.equal(variantsOf(withCore('cortex-a55', ['neon', 'dotprod'])), ['cortex-a76']);
  assert.equal(variantsOf(withCore('cortex-a73', ['neon'])), ['cortex-a72']);
});

test('an engine takes what the processor lists', () => {
  const all = [raspberryPiTarget, jetsonTarget, coralTarget].flatMap((t) =>
    t.variants.map(({ id }) => ({ platform: t.platform, variant: id })),
  );
  const names = (features: string): string[] =>
    runnable(all, 'linux-arm64', processorFlags(`Features\t: ${features}\n`)).map((k) => k.variant);
  const plain = ['cortex-a72', 'cortex-a57', 'cortex-a53', 'cortex-a53', 'cortex-a35'];
  assert.equal(names('fp asimd evtstrm crc32 cpuid'), plain);
  assert.equal(names('fp asimd atomics fphp asimdhp cpuid asimddp'), ['cortex-a78ae', 'cortex-a76', ...plain]);
  assert.equal(names('fp'), []);
});

test.run();
