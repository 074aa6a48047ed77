import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findCompiler } from '../../../sdk/compile/toolchains/compiler.ts';
import { buildSharedObject } from '../../../sdk/compile/toolchains/shared-object.ts';
import { skip } from '../../../sdk/testing/skip.ts';
import { HIDDEN, hidingCode, maskOf } from '../../../tools/speed/avx2/hidden.ts';
import { AVX2_ENV } from '../../../tools/speed/avx2/host.ts';
import { shimSource } from '../../../tools/speed/avx2/shim.ts';
import { cpuidAddresses, trapped } from '../../../tools/speed/avx2/trap.ts';

const root = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'eigen-avx2-'));
const here = process.platform === 'linux' && process.arch === 'x64';
const compiler = here ? await findCompiler('linux-x64') : undefined;

test.after(() => rmSync(folder, { recursive: true, force: true }));

/** An ELF file with one stretch that runs: `code`, at the end of the file and at `address`. */
function library(code: readonly number[], address: number): Uint8Array {
  const [header, entry] = [64, 56];
  const file = new Uint8Array(header + 2 * entry + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(32, BigInt(header), true);
  view.setUint16(54, entry, true);
  view.setUint16(56, 2, true);
  // The first is data: mapped, and not to run.
  for (const [i, flags] of [4, 5].entries()) {
    const at = header + i * entry;
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, flags, true);
    view.setBigUint64(at + 8, BigInt(i === 0 ? 0 : file.length - code.length), true);
    view.setBigUint64(at + 16, BigInt(i === 0 ? 0 : address), true);
    view.setBigUint64(at + 32, BigInt(i === 0 ? 64 : code.length), true);
  }
  file.set(code, file.length - code.length);
  return file;
}

test('cpuid instructions are found in listings of both disassemblers, and in no symbol or comment', () => {
  const listing = [
    '0000000000b8d5d0 <cpuid_info>:',
    '  b8d5e8:\txor    %ecx,%ecx',
    '  b8d5ea:\tcpuid',
    '  b8d5ec:\tcall   1000 <read_cpuid>',
    '  b8d79f:      \tcpuid',
    ' 16aba0e:\tcpuid  ',
    '',
  ].join('\n');
  assert.equal(cpuidAddresses(listing), [0xb8d5ea, 0xb8d79f, 0x16aba0e]);
  assert.equal(cpuidAddresses(''), []);
});

test('the instructions named become traps, the same bytes elsewhere stay', () => {
  // mov $1, %eax; cpuid; lea displacement(%rip) with these bytes in it
  const code = [0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x48, 0x8d, 0x35, 0x0f, 0xa2, 0, 0];
  const file = library(code, 0x4000);
  const out = trapped(file, [0x4005]);
  const differing = [...out.keys()].filter((i) => out[i] !== file[i]);
  assert.equal(differing, [file.length - code.length + 5]);
  assert.is(out[differing[0]!], 0xcc);
});

test('an address without the instruction, or outside of what runs, is an error', () => {
  const file = library([0x90, 0x0f, 0xa2], 0x4000);
  for (const address of [0x4000, 0x4002, 0x3fff, 1]) assert.throws(() => trapped(file, [address]), /no cpuid/);
  assert.throws(() => trapped(new Uint8Array(100), []), /no ELF/);
});

test('what is hidden is what the manual gives these bits for, each once', () => {
  const masks = HIDDEN.map((h) => `${h.leaf}.${h.subleaf} ${h.register} ${maskOf(h).toString(16)}`);
  assert.equal(masks, [
    '7.0 ebx dc230000',
    '7.0 ecx 5842',
    '7.0 edx 3c0010c',
    '7.1 eax a00030',
    '7.1 edx 80530',
    '13.0 eax 600e0',
  ]);
  assert.match(hidingCode(), 'if (leaf == 7u && subleaf == 0u) r[1] &= ~0xdc230000u;');
});

/** What the system says that the processor has. */
const flags = (): string[] =>
  /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(' ') ?? [];

/** The shim, and a library of which `use` leaves a register of AVX-512 in use. */
async function libraries(): Promise<Record<'shim' | 'use', string>> {
  const paths = { shim: join(folder, 'shim.so'), use: join(folder, 'use.so') };
  writeFileSync(paths.shim, await buildSharedObject(shimSource(), compiler!, []));
  const use = `__attribute__((visibility("default"))) void use(void) {
    __asm__ volatile("vpternlogd $255, %zmm19, %zmm19, %zmm19");
  }`;
  writeFileSync(paths.use, await buildSharedObject(use, compiler!, []));
  return paths;
}

const start = `import koffi from 'koffi';
  const shim = koffi.load(process.argv[1]);
  const call = (declaration, ...args) => shim.func(declaration)(...args);
  if (call('int32_t restrain(void)') !== 0) throw new Error('not restrained');
  const told = (...args) => call('uint32_t told(uint32_t, uint32_t, int32_t)', ...args);`;

/** A restrained process that prints JSON, or ends with a signal. */
function restrained(script: string, ...more: string[]): { told: unknown; signal: string | null } {
  const args = ['--input-type=module', '-e', `${start}\n${script}`, ...more];
  const options = { cwd: root, env: { ...process.env, ...AVX2_ENV }, encoding: 'utf8' } as const;
  const { stdout, stderr, signal } = spawnSync(process.execPath, args, options);
  if (stdout === '' && signal === null) throw new Error(stderr);
  return { told: stdout === '' ? undefined : JSON.parse(stdout), signal };
}

/** Whether a test cannot run here, said. */
function skipped(name: string): boolean {
  if (!here) skip(name, 'it needs Linux on x86-64', 'unsupported');
  else if (!compiler) skip(name, 'there is no C compiler');
  return !compiler;
}

test('a trapped instruction is told of AVX2 and FMA where they are, and of nothing of AVX-512', async () => {
  if (skipped('the answers of a restrained processor')) return;
  const { shim } = await libraries();
  const script = `console.log(JSON.stringify({
    features: [told(1, 0, 2), ...[1, 2, 3].map((r) => told(7, 0, r)), told(7, 1, 0)],
    answered: call('uint32_t answered(void)'),
  }))`;
  const told = restrained(script, shim).told as {
    answered: number;
    features: [number, number, number, number, number];
  };
  assert.is(told.answered, 5);
  const [leaf1, ebx, ecx, edx, more] = told.features;
  assert.is((leaf1 >>> 12) & 1, flags().includes('fma') ? 1 : 0);
  assert.is((ebx >>> 5) & 1, flags().includes('avx2') ? 1 : 0);
  assert.equal([ebx & 0xdc230000, ecx & 0x5842, edx & 0x03c0010c, more & 0xa00030], [0, 0, 0, 0]);
});

test('traps of others still end the process', async () => {
  if (skipped('traps of others')) return;
  const { shim } = await libraries();
  const script = `process.kill(process.pid, 'SIGTRAP'); setTimeout(() => {}, 10_000);`;
  assert.is(restrained(script, shim).signal, 'SIGTRAP');
});

test('registers of AVX-512 that were used are seen, and forgotten', async () => {
  if (skipped('use of AVX-512 is seen')) return;
  if (!flags().includes('avx512f')) return skip('use of AVX-512 is seen', 'the processor has none', 'unsupported');
  const { shim, use } = await libraries();
  const script = `const [forget, inUse] = [shim.func('void forget(void)'), shim.func('uint32_t in_use(void)')];
    const useIt = koffi.load(process.argv[2]).func('void use(void)');
    forget(); const before = inUse(); useIt(); const after = inUse(); forget();
    console.log(JSON.stringify([before, after & 0x80, inUse()]));`;
  assert.equal(restrained(script, shim, use).told, [0, 0x80, 0]);
});

test.run();
