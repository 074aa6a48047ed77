import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostProbe } from '../../../sdk/device/probe.ts';
import { probeHost } from '../../../sdk/device/probe.ts';
import { profileDigest } from '../../../sdk/device/profile-digest.ts';

const GIB = 2 ** 30;
const CORES = {
  core: 'Cortex-A76',
  count: 4,
  clockMHz: 2400,
  clockKnown: true,
  l1iKB: 64,
  l1dKB: 64,
  l2KB: 2048,
  l2Shared: false,
  l3KB: 2048,
  vectorBits: 128,
  vectorRegisters: 32,
  features: ['dotprod', 'neon'],
};
const PI: HostProbe = {
  name: 'Raspberry Pi 5 Model B Rev 1.0',
  arch: 'aarch64',
  clusters: [CORES],
  availableCores: 4,
  memoryTotalBytes: 7.87 * GIB,
  memoryAvailableBytes: 5 * GIB,
  storageFreeBytes: 9e9,
  measured: null,
};

test('devices of a kind have one profile, whatever they are doing', () => {
  const same: Partial<HostProbe>[] = [
    { name: 'Raspberry Pi 5 Model B Rev 1.1' },
    { memoryTotalBytes: 7.63 * GIB, memoryAvailableBytes: GIB, storageFreeBytes: 1 },
    { availableCores: 2, clusters: [{ ...CORES, clockMHz: 1500, features: ['neon', 'dotprod'] }] },
  ];
  for (const change of same) assert.is(profileDigest({ ...PI, ...change }), profileDigest(PI));
  assert.is(profileDigest(probeHost()), profileDigest(probeHost()));
});

test('devices that differ in what decides about speed and memory have others', () => {
  const others: Partial<HostProbe>[] = [
    { name: 'Raspberry Pi 500' },
    { arch: 'armv7' },
    { memoryTotalBytes: 3.9 * GIB },
    { memoryTotalBytes: 5.8 * GIB },
    { clusters: [{ ...CORES, count: 2 }] },
    { clusters: [{ ...CORES, features: ['neon'] }] },
    { clusters: [{ ...CORES, l2KB: null }] },
  ];
  const digests = [PI, ...others.map((change) => ({ ...PI, ...change }))].map(profileDigest);
  assert.is(new Set(digests).size, digests.length);
});

test.run();
