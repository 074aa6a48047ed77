import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { KernelVariant } from '../../sdk/compile/target.ts';
import { cached } from '../../sdk/util/cache.ts';
import type { KernelModule } from '../../sdk/wire/kernels.ts';
import { compileC } from './compiler.ts';

/** Bumped when flags below change, so that cached modules are not reused. */
const RECIPE = 1;

const FLAGS = [
  '--target=wasm32',
  '-std=gnu11',
  '-O3',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-ffreestanding',
  '-fno-vectorize',
  '-fno-slp-vectorize',
  '-nostdlib',
  '-matomics',
  '-mbulk-memory',
  '-Wno-unused',
  '-Wl,--no-entry',
  '-Wl,--import-memory',
  '-Wl,--shared-memory',
  '-Wl,--max-memory=4294967296',
  '-Wl,--stack-first',
  '-Wl,-z,stack-size=65536',
  '-Wl,--export=__stack_pointer',
  '-Wl,--export=__heap_base',
] as const;

/** Compiles one C file to a WebAssembly module that imports a shared memory `env.memory`. */
export async function buildWasm(
  source: string,
  variant: KernelVariant,
  exportNames: readonly string[],
): Promise<KernelModule> {
  const flags = [
    ...FLAGS,
    ...variant.flags,
    ...variant.defines.map((d) => `-D${d}`),
    ...exportNames.map((e) => `-Wl,--export=${e}`),
    ...(variant.defines.includes('EW_DOT7') ? ['-Wl,--export=ew_set_chained'] : []),
  ];
  const key = createHash('sha256')
    .update(`${RECIPE}\n${flags.join(' ')}\n${source}`)
    .digest('hex');
  // Not validated: Node 20 does not know the relaxed instructions.
  const bytes = await cached(join('kernels', `${key}.wasm`), () => compileC(source, flags));
  return { platform: 'wasm', variant: variant.id, bytes };
}
