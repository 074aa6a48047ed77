import { EigenError } from '../../util/errors.ts';
import type { KernelId, KernelModule } from '../../wire/kernels.ts';
import { type DotProbe, type Eight, probeDot7 } from './probe.ts';
import { compileModule } from './relaxed.ts';

/** A relaxed dot product has to be this much faster than the plain one in the probe before it is used. */
const WORTH_IT = 1.1;

/** Ways to run the WebAssembly kernels of a bundle; the last two are one module. */
export const WASM_VARIANTS = ['simd128', 'dot7', 'dot7x16'] as const;
export type WasmVariant = (typeof WASM_VARIANTS)[number];

/** What a module of relaxed kernels exports that can sum in 16 bits; the first ones cannot. */
export const SET_CHAINED = 'ew_set_chained';
/** The same for one that takes codes of 8 bits where the engine does, with the number of how it does. */
export const SET_EIGHT = 'ew_set_eight';
const EIGHT: Readonly<Record<Eight, number>> = { none: 0, unsigned: 1, signed: 2 };

const faultOf = (probe: DotProbe): string => (probe.known ? 'computed wrongly by this Node' : 'not known to this Node');

/** How this machine runs kernels fastest, and why. */
export function preferredVariant(probe: DotProbe = probeDot7()): { variant: WasmVariant; reason: string } {
  const { whole, chained } = probe;
  if (!whole.right && !chained.right)
    return { variant: 'simd128', reason: `the relaxed dot product is ${faultOf(probe)}` };
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
  /** What is called before the first step, and with what. */
  readonly settings: Readonly<Record<string, number>>;
}

/**
 * The WebAssembly kernels for this machine, or those that are wanted. Throws EW5003_ENGINE_UNAVAILABLE when there are none, or when this
 * Node computes those that are wanted wrongly.
 */
export function wasmKernels(
  all: readonly KernelModule[],
  wanted?: string,
  probe: () => DotProbe = probeDot7,
): WasmKernels {
  const modules = all.filter((m) => m.platform === 'wasm');
  if (wanted !== undefined) return wantedKernels(modules, wanted, probe);
  for (const variant of byPreference(probe())) {
    const found = compiled(modules, variant, probe);
    if (found) return found;
  }
  throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'the bundle has no kernels that this machine can run', {
    hint: 'Build it again for this board.',
  });
}

/** Ways to run kernels here. Bundles made before sums in 16 bits do without them. */
function byPreference(probe: DotProbe): WasmVariant[] {
  const { variant } = preferredVariant(probe);
  const next = variant === 'dot7x16' && probe.whole.right && probe.whole.speedup >= WORTH_IT;
  return [variant, ...(next ? (['dot7'] as const) : []), 'simd128'];
}

function wantedKernels(modules: readonly KernelModule[], wanted: string, probe: () => DotProbe): WasmKernels {
  refuseWrong(wanted, probe);
  const found = compiled(modules, wanted, probe);
  if (found) return found;
  throw new EigenError(
    'EW5003_ENGINE_UNAVAILABLE',
    `no kernels of variant '${wanted}'; there are: ${modules.map((m) => m.variant).join(', ')}`,
  );
}

function refuseWrong(variant: string, probe: () => DotProbe): void {
  if (variant !== 'dot7' && variant !== 'dot7x16') return;
  const found = probe();
  if ((variant === 'dot7' ? found.whole : found.chained).right) return;
  throw new EigenError(
    'EW5003_ENGINE_UNAVAILABLE',
    `the relaxed dot product of kernels of variant '${variant}' is ${faultOf(found)}`,
    { hint: 'Use --engine wasm, which takes the fastest kernels that are right here; it gives the same outputs.' },
  );
}

function compiled(modules: readonly KernelModule[], variant: string, probe: () => DotProbe): WasmKernels | undefined {
  const chained = variant === 'dot7x16';
  const found = modules.find((m) => m.variant === (chained ? 'dot7' : variant));
  if (!found) return undefined;
  const module = compileModule(found.bytes);
  const has = (name: string): boolean => WebAssembly.Module.exports(module).some((e) => e.name === name);
  if (chained && !has(SET_CHAINED)) return undefined;
  const eight = variant === 'dot7' && has(SET_EIGHT) ? EIGHT[probe().eight] : 0;
  const settings = { ...(chained ? { [SET_CHAINED]: 1 } : {}), ...(eight ? { [SET_EIGHT]: eight } : {}) };
  return { kernels: { platform: 'wasm', variant }, module, settings };
}
