import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findCompiler } from '../../../sdk/compile/toolchains/compiler.ts';
import { buildSharedObject } from '../../../sdk/compile/toolchains/shared-object.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { COMPETITORS } from '../packages.ts';
import { shimSource } from './shim.ts';
import { cpuidAddresses, trapped } from './trap.ts';

/** What makes this machine one with AVX2 alone, for a process. */
export interface Avx2Host {
  /** Environment to start it with. */
  readonly env: Readonly<Record<string, string>>;
  /** Library that it loads first. */
  readonly shim: string;
  /** Folder whose node_modules hold an onnxruntime-node that asks the shim what the processor has. */
  readonly from: string;
}

const PACKAGE = 'onnxruntime-node';
const BINARIES = 'bin/napi-v6/linux/x64';
const LIBRARY = 'libonnxruntime.so.1';
/** Environment of a process in which the C library does without AVX-512, with which it copies and searches otherwise. */
export const AVX2_ENV = { GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ' };
/** Disassemblers with the same options. */
const DISASSEMBLERS = ['objdump', 'llvm-objdump'];

/**
 * onnxruntime chooses its kernels by cpuid, which has no option, and which the system cannot make trap on every machine. So a copy of its
 * library gets a trap instruction in place of each cpuid, and the shim answers. Resolves to why there is none where something is missing.
 */
export async function openAvx2Host(tell: (text: string) => void): Promise<Avx2Host | string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it is made on Linux on x86-64 only';
  const compiler = await findCompiler('linux-x64');
  if (!compiler) return 'there is no C compiler';
  const original = join(COMPETITORS, 'node_modules', PACKAGE);
  const library = await readFile(join(original, BINARIES, LIBRARY)).catch(() => undefined);
  if (!library) return `there is no ${BINARIES}/${LIBRARY} in ${PACKAGE}`;
  try {
    const from = join(COMPETITORS, `avx2-${sha256(library).slice(0, 16)}`);
    if (!existsSync(from)) await copyPackage(original, library, from, tell);
    const bytes = await buildSharedObject(shimSource(), compiler, []);
    const shim = join(from, `shim-${sha256(bytes).slice(0, 16)}.so`);
    if (!existsSync(shim)) await writeFile(shim, bytes);
    return { env: AVX2_ENV, shim, from };
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Beside the original's dependencies, which are found from there. */
async function copyPackage(
  original: string,
  library: Uint8Array,
  to: string,
  tell: (text: string) => void,
): Promise<void> {
  const path = join(original, BINARIES, LIBRARY);
  const addresses = await disassembled(path);
  if (addresses.length === 0) throw new Error(`no cpuid instruction was found in ${LIBRARY}`);
  const temporary = `${to}.${process.pid}.tmp`;
  const copy = join(temporary, 'node_modules', PACKAGE);
  try {
    await mkdir(join(copy, dirname(BINARIES)), { recursive: true });
    for (const part of ['package.json', 'dist', BINARIES])
      await cp(join(original, part), join(copy, part), { recursive: true });
    await writeFile(join(copy, BINARIES, LIBRARY), trapped(library, addresses));
    await rename(temporary, to);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  tell(`made a copy of ${PACKAGE} whose ${addresses.length} cpuid instructions trap, in ${to}`);
}

async function disassembled(path: string): Promise<number[]> {
  for (const command of DISASSEMBLERS) {
    const found = await cpuidsBy(command, path);
    if (found) return found;
  }
  throw new Error(`there is no disassembler (${DISASSEMBLERS.join(', ')})`);
}

/** Undefined where there is no such command, or it fails. */
function cpuidsBy(command: string, path: string): Promise<number[] | undefined> {
  return new Promise((done) => {
    const child = spawn(command, ['-d', '--no-show-raw-insn', path], { stdio: ['ignore', 'pipe', 'ignore'] });
    const found: number[] = [];
    let rest = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const whole = text.lastIndexOf('\n') + 1;
      if (whole > 0) found.push(...cpuidAddresses(rest + text.slice(0, whole)));
      rest = whole > 0 ? text.slice(whole) : rest + text;
    });
    child.on('error', () => done(undefined));
    child.on('close', (code) => done(code === 0 ? found : undefined));
  });
}
