import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type HostSystem,
  parseCacheKB,
  parseCgroupPaths,
  parseCpuinfo,
  parseCpuList,
  parseMeminfo,
  probeHost,
} from '../../../sdk/device/probe.ts';

const EPYC = `processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1
cpu MHz\t\t: 2096.008
cache size\t: 1024 KB
flags\t\t: fpu sse sse2 ssse3 fma sse4_1 avx avx2 avx512f avx_vnni avx512_vnni aes
bogomips\t: 4192.01

processor\t: 1
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC
cpu MHz\t\t: 2096.008
flags\t\t: fpu sse sse2 ssse3 fma sse4_1 avx avx2 avx512f avx_vnni avx512_vnni aes
`;

const armCpu = (index: number, part: string, features: string) => `processor\t: ${index}
BogoMIPS\t: 108.00
Features\t: ${features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: ${part}
CPU revision\t: 3
`;
const PI4 = [0, 1, 2, 3].map((i) => armCpu(i, '0xd08', 'fp asimd evtstrm crc32 cpuid')).join('\n');
const PI4_TAIL = '\nHardware\t: BCM2835\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n';
const JETSON = [0, 1, 2, 3]
  .map((i) => armCpu(i, '0xd07', 'fp asimd evtstrm aes pmull sha1 sha2 crc32'))
  .map((block) => block.replace('BogoMIPS', 'model name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS'))
  .join('\n');
const ORIN_FEATURES = 'fp asimd aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp uscat ilrcpc flagm';

function machine(files: Record<string, string>, arch = 'arm64'): HostSystem {
  return {
    read: (path) => files[path],
    list: (folder) => [
      ...new Set(
        Object.keys(files)
          .filter((f) => f.startsWith(`${folder}/`))
          .map((f) => f.slice(folder.length + 1).split('/')[0]!),
      ),
    ],
    freeBytes: () => 123,
    arch,
    parallelism: 4,
    memoryBytes: 1000,
    now: () => 0,
  };
}

const cache = (cpu: number, index: number, level: number, type: string, size: string, shared: string) => {
  const root = `/sys/devices/system/cpu/cpu${cpu}/cache/index${index}`;
  return {
    [`${root}/level`]: `${level}\n`,
    [`${root}/type`]: `${type}\n`,
    [`${root}/size`]: `${size}\n`,
    [`${root}/shared_cpu_list`]: `${shared}\n`,
  };
};

test('cpuinfo of an x86 server', () => {
  const cpus = parseCpuinfo(EPYC);
  assert.is(cpus.length, 2);
  assert.is(cpus[0]!.name, 'AMD EPYC');
  assert.is(cpus[0]!.clockMHz, 2096);
  assert.equal(cpus[0]!.features, ['avx-vnni', 'avx2', 'avx512', 'avx512-vnni', 'crypto', 'fma', 'sse4.1']);
});

test('cpuinfo of a Raspberry Pi 4: core by part number, the trailing board block is no processor', () => {
  const cpus = parseCpuinfo(PI4 + PI4_TAIL);
  assert.is(cpus.length, 4);
  assert.is(cpus[3]!.name, 'cortex-a72');
  assert.equal(cpus[3]!.features, ['neon']);
  assert.is(cpus[3]!.clockMHz, null);
});

test('cpuinfo of Jetsons', () => {
  assert.is(parseCpuinfo(JETSON)[0]!.name, 'cortex-a57');
  assert.equal(parseCpuinfo(JETSON)[0]!.features, ['crypto', 'neon']);
  const orin = parseCpuinfo(armCpu(0, '0xd42', ORIN_FEATURES));
  assert.is(orin[0]!.name, 'cortex-a78ae');
  assert.equal(orin[0]!.features, ['crypto', 'dotprod', 'fp16', 'neon']);
  assert.is(parseCpuinfo(armCpu(0, '0xfff', ''))[0]!.name, 'implementer 0x41 part 0xfff');
});

test('the small formats of /proc and /sys', () => {
  assert.equal(parseMeminfo('MemTotal:  3884440 kB\nMemFree: 1 kB\nMemAvailable:  3000000 kB\n'), {
    totalBytes: 3884440 * 1024,
    availableBytes: 3000000 * 1024,
  });
  assert.equal(parseMeminfo(''), { totalBytes: undefined, availableBytes: undefined });
  assert.is(parseCacheKB('32K'), 32);
  assert.is(parseCacheKB('1M'), 1024);
  assert.is(parseCacheKB(''), null);
  assert.equal(parseCpuList('0-3,6'), [0, 1, 2, 3, 6]);
  assert.equal(parseCpuList(''), []);
  assert.equal(parseCgroupPaths('0::/user.slice/x\n'), [
    '/sys/fs/cgroup/user.slice/x/memory.max',
    '/sys/fs/cgroup/user.slice/memory.max',
    '/sys/fs/cgroup/memory.max',
  ]);
  assert.equal(parseCgroupPaths('5:cpu:/\n4:memory:/a\n'), [
    '/sys/fs/cgroup/memory/a/memory.limit_in_bytes',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
  ]);
});

test('a whole Pi 4: shared L2, clock from cpufreq, board name without its NUL', () => {
  const probe = probeHost(
    {},
    machine({
      '/proc/cpuinfo': PI4 + PI4_TAIL,
      '/proc/meminfo': 'MemTotal: 3884440 kB\nMemAvailable: 3000000 kB\n',
      '/proc/device-tree/model': 'Raspberry Pi 4 Model B Rev 1.4\0',
      '/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq': '1800000\n',
      ...cache(0, 0, 1, 'Data', '32K', '0'),
      ...cache(0, 1, 1, 'Instruction', '48K', '0'),
      ...cache(0, 2, 2, 'Unified', '1024K', '0-3'),
    }),
  );
  assert.is(probe.name, 'Raspberry Pi 4 Model B Rev 1.4');
  assert.is(probe.arch, 'aarch64');
  assert.is(probe.memoryTotalBytes, 3884440 * 1024);
  assert.is(probe.storageFreeBytes, 123);
  assert.is(probe.measured, null);
  assert.equal(probe.clusters, [
    {
      core: 'cortex-a72',
      count: 4,
      clockMHz: 1800,
      clockKnown: true,
      l1iKB: 48,
      l1dKB: 32,
      l2KB: 1024,
      l2Shared: true,
      l3KB: null,
      vectorBits: 128,
      vectorRegisters: 32,
      features: ['neon'],
    },
  ]);
});

test('private L2 caches add up, kinds of cores are separate clusters', () => {
  const text = [0, 1].map((i) => armCpu(i, '0xd0b', ORIN_FEATURES)).join('\n');
  const probe = probeHost(
    {},
    machine({
      '/proc/cpuinfo': `${text}\n${armCpu(2, '0xd03', 'fp asimd')}`,
      ...cache(0, 2, 2, 'Unified', '512K', '0'),
      ...cache(0, 3, 3, 'Unified', '2M', '0-1'),
    }),
  );
  assert.equal(
    probe.clusters.map((c) => [c.core, c.count, c.l2KB, c.l2Shared, c.l3KB]),
    [
      ['cortex-a76', 2, 1024, false, 2048],
      ['cortex-a53', 1, null, false, null],
    ],
  );
});

test('a container: the least limit of its groups counts, unlimited groups do not', () => {
  const files = {
    '/proc/meminfo': 'MemTotal: 8000000 kB\n',
    '/proc/self/cgroup': '0::/box/inner\n4:memory:/box\n',
    '/sys/fs/cgroup/box/inner/memory.max': 'max\n',
    '/sys/fs/cgroup/box/memory.max': '536870912\n',
    '/sys/fs/cgroup/memory/box/memory.limit_in_bytes': '9223372036854771712\n',
  };
  assert.is(probeHost({}, machine(files)).memoryTotalBytes, 536870912);
});

test('a machine that says nothing is still described', () => {
  const probe = probeHost({}, machine({}, 'x64'));
  assert.is(probe.memoryTotalBytes, 1000);
  assert.is(probe.clusters[0]!.count, 4);
  assert.is(probe.clusters[0]!.clockKnown, false);
});

test('this machine, timed', () => {
  const probe = probeHost({ measure: true });
  assert.ok(probe.clusters.length > 0 && probe.memoryTotalBytes > 0);
  assert.ok(probe.measured!.copyGBps > 0.1, `copy ${probe.measured!.copyGBps}`);
  assert.ok(probe.measured!.int16GMACps > 0.1, `int ${probe.measured!.int16GMACps}`);
  assert.ok(probe.measured!.fp32GMACps > 0.1, `float ${probe.measured!.fp32GMACps}`);
});

test.run();
