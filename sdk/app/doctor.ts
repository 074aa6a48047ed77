import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { TARGETS } from '../../targets/index.ts';
import type { Target } from '../compile/target.ts';
import { COMPILER_SETTING } from '../compile/toolchains/compiler.ts';
import { probeDot7 } from '../device/engine/probe.ts';
import { processorFlags, runnable } from '../device/engine/processor.ts';
import { preferredVariant } from '../device/engine/wasm-kernels.ts';
import { probeHost } from '../device/probe.ts';
import { profileDigest } from '../device/profile-digest.ts';
import { hasOracle } from '../measure/oracle/ort.ts';
import { cacheFolder } from '../util/cache.ts';
import { isNoPlace, makeFolder } from '../util/folders.ts';
import { thisPlatform } from '../wire/kernels.ts';

export interface Finding {
  readonly name: string;
  /** ok: there; optional: absent, some feature needs it; missing: absent, and the main job does not work without it. */
  readonly status: 'ok' | 'optional' | 'missing';
  /** What was found: a version, a path, a measure. */
  readonly found: string;
  /** What it is for, and how to get it; present unless ok. */
  readonly remedy?: string;
}

const OLDEST_NODE = 20;

/** Tools that later stages use when they are there: program, what for, Debian package. */
const TOOLS = [
  ['qemu-aarch64-static', 'running those kernels here', 'qemu-user-static'],
  ['arm-none-eabi-gcc', 'firmware for microcontrollers', 'gcc-arm-none-eabi'],
  ['qemu-system-arm', 'running firmware here', 'qemu-system-arm'],
] as const;

/** Looks at this machine: what the SDK needs, what it can use, and how to get what is absent. Changes nothing but an empty cache folder. */
export async function diagnose(env: Readonly<Record<string, string | undefined>> = process.env): Promise<Finding[]> {
  const own = env[COMPILER_SETTING]?.trim() || undefined;
  const tools = await Promise.all(TOOLS.map(([program, purpose, debian]) => findTool(program, purpose, debian)));
  return [
    nodeFinding(),
    ...machineFindings(),
    ...wasmFindings(),
    await cacheFinding(env),
    clangFinding(),
    koffiFinding(),
    processorFinding(),
    ...(await Promise.all(TARGETS.filter((t) => t.platform !== 'wasm').map((t) => compilerFinding(t, own)))),
    ...oracleFindings(),
    ...tools,
  ];
}

function nodeFinding(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  const found = `${process.version} (V8 ${process.versions.v8}, ${process.platform} ${process.arch})`;
  if (major >= OLDEST_NODE) return { name: 'node', status: 'ok', found };
  return { name: 'node', status: 'missing', found, remedy: `Node ${OLDEST_NODE} or newer is needed` };
}

function machineFindings(): Finding[] {
  const host = probeHost();
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  return [
    { name: 'cores', status: 'ok', found: `${host.availableCores} x ${host.name}` },
    { name: 'memory', status: 'ok', found: `${gb(host.memoryAvailableBytes)} free of ${gb(host.memoryTotalBytes)}` },
    { name: 'profile', status: 'ok', found: profileDigest(host) },
  ];
}

/** (module (func (drop (i32x4.splat (i32.const 0))))): valid only where 128-bit SIMD is. */
const SIMD_MODULE = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  4,
  1,
  96,
  0,
  0,
  3,
  2,
  1,
  0,
  10,
  9,
  1,
  7,
  0,
  65,
  0,
  253,
  17,
  26,
  11,
);

function wasmFindings(): Finding[] {
  const simd = WebAssembly.validate(SIMD_MODULE);
  const { variant, reason } = preferredVariant(probeDot7());
  const fast = variant !== 'simd128';
  return [
    simd
      ? { name: 'wasm simd', status: 'ok', found: 'yes' }
      : {
          name: 'wasm simd',
          status: 'missing',
          found: 'no',
          remedy: 'a processor and a Node that support WebAssembly SIMD are needed',
        },
    {
      name: 'wasm kernels',
      status: fast ? 'ok' : 'optional',
      found: `${variant}: ${reason}`,
      ...(fast
        ? {}
        : {
            remedy:
              'for faster integer kernels use Node 20 or newer on a processor that gains from them; the results are the same',
          }),
    },
  ];
}

async function cacheFinding(env: Readonly<Record<string, string | undefined>>): Promise<Finding> {
  if (env.EIGEN_CACHE === 'off')
    return {
      name: 'cache',
      status: 'optional',
      found: 'off',
      remedy: 'compiled kernels are not kept: unset EIGEN_CACHE',
    };
  const folder = cacheFolder(env)!;
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
    return { name: 'cache', status: 'ok', found: folder };
  } catch (e) {
    if (isNoPlace(e))
      return {
        name: 'cache',
        status: 'missing',
        found: `no folder can be made at ${folder}`,
        remedy: 'nothing can be compiled: set EIGEN_CACHE to a folder that can be written, or to off',
      };
    return {
      name: 'cache',
      status: 'optional',
      found: `${folder} cannot be written`,
      remedy: 'compiled kernels are kept nowhere: set EIGEN_CACHE to a folder that can be written',
    };
  }
}

function clangFinding(): Finding {
  try {
    return { name: 'clang', status: 'ok', found: createRequire(import.meta.url).resolve('@yowasp/clang/package.json') };
  } catch (e) {
    // A package that does not export its package.json is there all the same.
    if (e instanceof Error && 'code' in e && e.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED')
      return { name: 'clang', status: 'ok', found: '@yowasp/clang' };
    return {
      name: 'clang',
      status: 'missing',
      found: 'no',
      remedy: 'kernels cannot be compiled: npm install @yowasp/clang',
    };
  }
}

function koffiFinding(): Finding {
  try {
    createRequire(import.meta.url).resolve('koffi');
    return { name: 'koffi', status: 'ok', found: 'yes' };
  } catch {
    return { name: 'koffi', status: 'optional', found: 'no', remedy: 'native kernels run by it: npm install koffi' };
  }
}

/** Which native kernels this processor runs. */
function processorFinding(): Finding {
  const platform = thisPlatform();
  const all = TARGETS.filter((t) => t.platform === platform).flatMap((t) =>
    t.variants.map((v) => ({ platform: t.platform, variant: v.id })),
  );
  const best = runnable(all, platform, processorFlags())[0];
  return best
    ? { name: 'native kernels', status: 'ok', found: `${best.platform} ${best.variant}` }
    : {
        name: 'native kernels',
        status: 'optional',
        found: `none for ${process.platform}-${process.arch} with this processor`,
        remedy: 'bundles run on WebAssembly; the results are the same',
      };
}

/** Debian packages of the compilers that are looked for, by platform. */
const COMPILERS: Readonly<Record<string, { readonly here: string; readonly cross: string }>> = {
  'linux-x64': { here: 'gcc', cross: 'gcc-x86-64-linux-gnu libc6-dev-amd64-cross' },
  'linux-arm64': { here: 'gcc', cross: 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross' },
};

async function compilerFinding(target: Target, own: string | undefined): Promise<Finding> {
  const name = `compiler for ${target.id}`;
  const compiler = await target.toolchain(own);
  if (compiler !== undefined) return { name, status: 'ok', found: compiler };
  if (own) {
    const remedy = `correct ${COMPILER_SETTING}, or unset it for the compilers that are found`;
    return { name, status: 'optional', found: `'${own}' does not answer`, remedy };
  }
  const debian = COMPILERS[target.platform]![target.platform === thisPlatform() ? 'here' : 'cross'];
  const remedy = `native kernels (${target.summary}): apt-get install ${debian}, or zig, or name a compiler in ${COMPILER_SETTING}`;
  return { name, status: 'optional', found: 'no', remedy };
}

function oracleFindings(): Finding[] {
  return (['onnxruntime-web', 'onnxruntime-node'] as const).map((name) =>
    hasOracle(name)
      ? { name, status: 'ok' as const, found: 'yes' }
      : {
          name,
          status: 'optional' as const,
          found: 'no',
          remedy: `compares speed with it: ${name === 'onnxruntime-node' ? 'ONNXRUNTIME_NODE_INSTALL=skip ' : ''}npm install ${name}`,
        },
  );
}

async function findTool(program: string, purpose: string, debian: string): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 10_000 });
    return { name: program, status: 'ok', found: stdout.split('\n')[0]!.trim() };
  } catch {
    return { name: program, status: 'optional', found: 'no', remedy: `${purpose}: apt-get install ${debian}` };
  }
}
