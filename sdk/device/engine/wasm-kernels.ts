import { EigenError } from '../../util/errors.ts';
import type { KernelId, KernelModule } from '../../wire/kernels.ts';
import { type DotProbe, probeDot7 } from './probe.ts';
import { compileModule } from './relaxed.ts';

/** A relaxed dot product has to be this much faster than the plain one in the probe before it is used. */
const WORTH_IT = 1.1;

/** Ways to run the WebAssembly kernels of a bundle; the last two are one module. */
export const WASM_VARIANTS = ['simd128', 'dot7', 'dot7x16'] as const;
export type WasmVariant = (typeof WASM_VARIANTS)[number];

/** What a module of relaxed kernels exports that can sum in 16 bits; the first ones cannot. */
export const SET_CHAINED = 'ew_set_chained';

/** How this machine runs kernels fastest, and why. */
export function preferredVariant(probe: DotProbe = probeDot7()): { variant: WasmVariant; reason: string } {
  const { whole, chained } = probe;
  if (!whole.right && !chained.right) {
    const fault = probe.known ? 'computed wrongly by this Node' : 'not known to this Node';
    return { variant: 'simd128', reason: `the relaxed dot product is ${fault}` };
  }
  const [variant, speedup] =
    chained.speedup > whole.speedup ? (['dot7x16', chained.speedup] as const) : (['dot7', whole.speedup] as const);
  const sums = variant === 'dot7x16' ? ', with sums in 16 bits,' : '';
  const times = `${speedup.toFixed(2)} times as fast as the plain one (measured)`;
  if (speedup >= WORTH_IT) return { variant, reason: `the relaxed dot product${sums} is right and ${times}` };
  return { variant: 'simd128', reason: `the relaxed dot product is right, but only ${times}; ${WORTH_IT} is needed` };
}

/** Compiled kernels, and how they are run. */
export interface WasmKernels {
  readonly kernels: KernelId;
  readonly module: WebAssembly.Module;
  /** Products are summed in 16 bits first. */
  readonly chained: boolean;
}

/** The WebAssembly kernels for this machine, or those that are wanted. Throws EW5003_ENGINE_UNAVAILABLE when there are none. */
export function wasmKernels(all: readonly KernelModule[], wanted?: string): WasmKernels {
  const modules = all.filter((m) => m.platform === 'wasm');
  const variant = wanted ?? preferredVariant().variant;
  const found = compiled(modules, variant) ?? (wanted === undefined ? compiled(modules, 'simd128') : undefined);
  if (found) return found;
  if (wanted !== undefined)
    throw new EigenError(
      'EW5003_ENGINE_UNAVAILABLE',
      `no kernels of variant '${wanted}'; there are: ${modules.map((m) => m.variant).join(', ')}`,
    );
  throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'the bundle has no kernels that this machine can run', {
    hint: 'Build it again for this board.',
  });
}

function compiled(modules: readonly KernelModule[], variant: string): WasmKernels | undefined {
  const chained = variant === 'dot7x16';
  const found = modules.find((m) => m.variant === (chained ? 'dot7' : variant));
  if (!found) return undefined;
  const module = compileModule(found.bytes);
  if (chained && !WebAssembly.Module.exports(module).some((e) => e.name === SET_CHAINED)) return undefined;
  return { kernels: { platform: 'wasm', variant }, module, chained };
}
