import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createCostModel, productTimeOn, worstOrigin } from '../../../sdk/compile/cost.ts';
import { referenceSteps } from '../../../sdk/compile/cost-calibrate.ts';
import { type HostFacts, loadProfile, type RuntimeKind } from '../../../sdk/compile/profile.ts';
import { REFERENCE_NETWORKS } from '../../../sdk/compile/reference-networks.ts';

test('the reference networks have the multiplications their papers state', () => {
  const macs = (n: string) => REFERENCE_NETWORKS[n]!.reduce((s, l) => s + l.macs, 0) / 1e6;
  for (const [name, millions] of Object.entries({
    mobilenet_v1: 569,
    mobilenet_v2: 300,
    mobilenet_v3: 219,
    shufflenet_v2: 146,
    efficientnet_b0: 390,
    resnet18: 1820,
    resnet50: 4100,
    vgg16: 15470,
  })) {
    assert.ok(Math.abs(macs(name) / millions - 1) < 0.02, `${name}: ${macs(name)} against ${millions}`);
  }
});

test('every figure says where it comes from', () => {
  const steps = referenceSteps(REFERENCE_NETWORKS.resnet18!, 'int8');
  const pi = createCostModel(loadProfile('raspberry-pi-4b'), { runtime: 'native' }).estimate(steps, {
    precision: 'int8',
  });
  assert.is(pi.ms.origin, 'calibrated');
  assert.match(pi.ms.why, 'published latencies of this board (ncnn)');
  const wasm = createCostModel(loadProfile('raspberry-pi-4b'), { runtime: 'wasm' }).estimate(steps, {
    precision: 'int8',
  });
  assert.is(wasm.ms.origin, 'estimated');
  const unknown = createCostModel(loadProfile('jetson-orin-nx-8gb'), { runtime: 'native' }).estimate(steps);
  assert.is(unknown.ms.origin, 'estimated');
  const host = createCostModel(loadProfile('host', { probe: () => TIMED_HOST })).estimate(steps, { precision: 'int8' });
  assert.is(host.ms.origin, 'measured');
  assert.match(host.ms.why, '50.0 GMAC/s on this machine');
  const native = createCostModel(loadProfile('host', { probe: () => TIMED_HOST }), { runtime: 'native' });
  assert.is(native.estimate(steps).ms.origin, 'estimated');
  assert.is(worstOrigin('exact', 'calibrated', 'measured'), 'calibrated');
});

test('steps add up; more threads, fewer multiplications and int8 are never slower', () => {
  const model = createCostModel(loadProfile('raspberry-pi-5'), { runtime: 'native' });
  const steps = referenceSteps(REFERENCE_NETWORKS.mobilenet_v1!, 'int8');
  const one = model.estimate(steps, { precision: 'int8' });
  assert.ok(Math.abs(one.steps.reduce((s, x) => s + x.ms, 0) - one.ms.value) < 1e-9);
  assert.ok(model.estimate(steps, { precision: 'int8', threads: 4 }).ms.value < one.ms.value);
  assert.is(model.estimate(steps, { threads: 64 }).threads, 4);
  assert.ok(model.estimate(steps.slice(1), { precision: 'int8' }).ms.value < one.ms.value);
  const original = model.estimate(referenceSteps(REFERENCE_NETWORKS.mobilenet_v1!, 'fp32'), { precision: 'fp32' });
  assert.ok(original.ms.value > one.ms.value);
});

test('a kind that starts with q is integer arithmetic, others are float', () => {
  const model = createCostModel(loadProfile('raspberry-pi-5'), { runtime: 'native' });
  const cost = (kind: string) => model.estimate([{ kind, macs: 1e8, bytes: 1e6 }]).ms.value;
  assert.ok(cost('qconv') < cost('conv'));
});

test('products of 16-bit activations take as much longer as the instruction set says', () => {
  const work = { macs: 1e8, elements: 1e5 };
  const ratio = (board: string, runtime: RuntimeKind, few = work): number => {
    const time = productTimeOn(loadProfile(board, { probe: () => TIMED_HOST }), runtime);
    return time(few, 16) / time(few, 8);
  };
  assert.is(ratio('raspberry-pi-4b', 'native'), 2);
  assert.is(ratio('raspberry-pi-5', 'native'), 8);
  assert.is(ratio('raspberry-pi-3b-plus', 'native'), 1);
  assert.is(ratio('raspberry-pi-pico-2', 'firmware'), 1);
  assert.is(ratio('host', 'native'), 2);
  assert.ok(Math.abs(ratio('host', 'wasm') - 1.6) < 1e-9);
  assert.is(ratio('host', 'native', { macs: 1e6, elements: 1e5 }), 1, 'depthwise layers');
  const model = createCostModel(loadProfile('raspberry-pi-4b'), { runtime: 'native' });
  const step = { kind: 'qconv', macs: 1e8, bytes: 1e6 };
  assert.ok(model.estimate([{ ...step, wide: true }]).ms.value > 1.5 * model.estimate([step]).ms.value);
});

test('what is planned for this machine is the same on another one', () => {
  const timesOn = (facts: HostFacts, runtime: RuntimeKind): number[] => {
    const time = productTimeOn(loadProfile('host', { probe: () => facts }), runtime);
    const dense = { macs: 1e8, elements: 1e5 };
    const light = { macs: 1e6, elements: 1e5 };
    return [time(dense, 8), time(dense, 16), time(light, 8), time(light, 16)];
  };
  const cluster = TIMED_HOST.clusters[0]!;
  const x86 = {
    ...TIMED_HOST,
    clusters: [{ ...cluster, clockMHz: 2601, features: ['avx2', 'avx512', 'avx512-vnni'] }],
  };
  const arm = { ...TIMED_HOST, arch: 'aarch64', clusters: [{ ...cluster, core: 'cortex-a76', features: ['dotprod'] }] };
  for (const runtime of ['native', 'wasm'] as const)
    for (const other of [x86, arm]) assert.equal(timesOn(other, runtime), timesOn(TIMED_HOST, runtime));
});

const TIMED_HOST: HostFacts = {
  name: 'test machine',
  arch: 'x86_64',
  clusters: [
    {
      core: 'some core',
      count: 2,
      clockMHz: 4000,
      clockKnown: true,
      l1iKB: null,
      l1dKB: null,
      l2KB: null,
      l2Shared: false,
      l3KB: null,
      vectorBits: 256,
      vectorRegisters: 16,
      features: ['avx2', 'fma'],
    },
  ],
  memoryTotalBytes: 2 ** 33,
  storageFreeBytes: null,
  measured: { copyGBps: 20, int16GMACps: 50, fp32GMACps: 25 },
};

test.run();
