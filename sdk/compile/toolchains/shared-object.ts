import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from '../../util/cache.ts';
import { EigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import type { Target } from '../target.ts';
import { COMPILER_SETTING, type Compiler, findCompiler, type NativePlatform } from './compiler.ts';

/** Bumped when flags below change, so that cached modules are not reused. */
const RECIPE = 1;

/**
 * Nothing of the machine that compiles is in what it makes: no paths, build ids or time. Linked with no library: the few functions of
 * the C library that are needed are found in the process that loads it, whichever version it has.
 */
const FLAGS = [
  '-std=gnu11',
  '-O2',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-fwrapv',
  '-fPIC',
  '-shared',
  '-nostdlib',
  '-fvisibility=hidden',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-g0',
  '-Wno-psabi',
  '-Wl,--build-id=none',
  '-Wl,-s',
  '-Wl,-z,noexecstack',
] as const;

/** The toolchain of a target whose kernels are a shared object. */
export function sharedObjects(platform: NativePlatform): Pick<Target, 'toolchain' | 'build'> {
  return {
    toolchain: async (own) => {
      const compiler = await findCompiler(platform, own);
      return compiler && `${compiler.command}: ${compiler.version}`;
    },
    build: async (source, variant, _names, { own } = {}) => {
      const compiler = await findCompiler(platform, own);
      if (!compiler)
        throw new EigenError('EW5001_TOOL_MISSING', `no C compiler for ${platform}`, {
          hint: `Install one that eigenweights doctor names, or name one in ${COMPILER_SETTING}.`,
        });
      const flags = [...variant.flags, ...variant.defines.map((d) => `-D${d}`)];
      return { platform, variant: variant.id, bytes: await buildSharedObject(source, compiler, flags) };
    },
  };
}

/** As the compiler knows them: zig spells cores in its own way, leaves out the C library's headers with the library, and has no other way of scheduling. */
function flagsFor({ command }: Compiler, flags: readonly string[]): readonly string[] {
  if (!/(^|\/)zig$/.test(command)) return flags;
  const known = flags.filter((f) => f !== '-nostdlib' && f !== '-fno-schedule-insns' && !f.startsWith('-mfix-'));
  return known.map((f) => (f.startsWith('-mcpu=') ? `-mcpu=${f.slice(6).replaceAll('-', '_')}` : f));
}

/** Compiles one C file to a shared object, or takes it from the cache. Throws EW5002_COMPILER_FAILED with what the compiler says. */
export async function buildSharedObject(
  source: string,
  compiler: Compiler,
  flags: readonly string[],
): Promise<Uint8Array> {
  const all = [...compiler.args, ...flagsFor(compiler, [...FLAGS, ...flags])];
  const key = sha256(`${RECIPE}\n${compiler.version}\n${compiler.command} ${all.join(' ')}\n${source}`);
  return cached(join('kernels', `${key}.so`), () => compile(source, compiler, all));
}

async function compile(source: string, { command, kind }: Compiler, args: readonly string[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-'));
  const out = join(folder, 'kernels.so');
  try {
    const { code, log } = await call(command, [...args, '-x', 'c', '-', '-o', out], source);
    if (code !== 0) {
      throw new EigenError(
        'EW5002_COMPILER_FAILED',
        `${command} failed: ${log.split('\n').find((l) => l.includes('error')) ?? `exit status ${code}`}`,
        {
          hint:
            kind === 'own'
              ? `It was named by --toolchain or ${COMPILER_SETTING}, for boards of every kind: name one that makes code for this board, or none.`
              : 'Check the compiler and its flags with eigenweights doctor.',
          details: { log: log.slice(0, 4000) },
        },
      );
    }
    return new Uint8Array(await readFile(out));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function call(command: string, args: readonly string[], input: string): Promise<{ code: number | null; log: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, log }));
    // A compiler that ends early says why itself.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
