import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { BuildOptions, KernelVariant } from '../../sdk/compile/target.ts';
import { cached } from '../../sdk/util/cache.ts';
import type { KernelModule } from '../../sdk/wire/kernels.ts';
import { compileKernels } from './cc/index.ts';
import { compileC, type ModuleRequest } from './compiler.ts';

/** Bumped when flags below change, so that cached modules are not reused. */
const RECIPE = 2;

/** The compiler proper, without the driver in front, which takes as long as the linker to say what its arguments mean. */
const COMPILE = [
  '-cc1',
  '-triple',
  'wasm32',
  '-emit-obj',
  '-std=gnu11',
  '-fgnuc-version=4.2.1',
  '-ffp-contract=off',
  '-fno-rounding-math',
  '-ffreestanding',
  '-fvisibility=hidden',
  '-mrelocation-model',
  'static',
  '-mframe-pointer=none',
  '-target-cpu',
  'generic',
  ...feature('atomics'),
  ...feature('bulk-memory'),
  '-resource-dir',
  '/usr',
  '-internal-isystem',
  '/usr/include',
  '-disable-free',
  '-clear-ast-before-backend',
  '-Wno-unused',
  '-x',
  'c',
] as const;

const LINK = [
  '-m',
  'wasm32',
  '--no-entry',
  '--import-memory',
  '--shared-memory',
  '--max-memory=4294967296',
  '--stack-first',
  '-z',
  'stack-size=65536',
  '--export=__stack_pointer',
  '--export=__heap_base',
] as const;

/** Instructions beyond the first version of WebAssembly, for the compiler. */
export function feature(name: string): string[] {
  return ['-target-feature', `+${name}`];
}

/** Compiles a C file to a WebAssembly module that imports a shared memory `env.memory`: with clang, or at once (see cc/index.ts). */
export async function buildWasm(
  source: string,
  variant: KernelVariant,
  exportNames: readonly string[],
  { quick }: BuildOptions = {},
): Promise<KernelModule> {
  const own = variant.defines.includes('EW_DOT7') ? ['ew_set_chained', 'ew_set_eight'] : [];
  const wanted = [...exportNames, ...own];
  const bytes = quick ? compileKernels([source], variant.defines, wanted) : await optimized(source, variant, wanted);
  return { platform: 'wasm', variant: variant.id, bytes };
}

async function optimized(source: string, variant: KernelVariant, wanted: readonly string[]): Promise<Uint8Array> {
  const request = moduleRequest(source, ['-O3', ...variant.flags, ...variant.defines.map((d) => `-D${d}`)], wanted);
  const key = createHash('sha256')
    .update(JSON.stringify([RECIPE, request.compile, request.link, source]))
    .digest('hex');
  // Not validated: Node 20 does not know the relaxed instructions.
  return cached(join('kernels', `${key}.wasm`), () => compileC(request));
}

/** What clang and its linker are asked for. */
export function moduleRequest(source: string, flags: readonly string[], exports: readonly string[]): ModuleRequest {
  return { source, compile: [...COMPILE, ...flags], link: [...LINK, ...exports.map((e) => `--export=${e}`)] };
}
