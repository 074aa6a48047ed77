import { type Bundle, installWeights, kernelIds, kernelsFor } from '../../bundle/index.ts';
import { isEigenError } from '../../util/errors.ts';
import { thisPlatform } from '../../wire/kernels.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { NativeEngine } from './native.ts';
import { residentWeights } from './resident.ts';
import { WasmEngine } from './wasm.ts';

/** An engine, and why it is not the one that could be faster, in words. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly note?: string;
}

/**
 * Loads a bundle into the fastest engine that runs it here: native kernels where it has some for this machine, else WebAssembly.
 * Throws EW5003_ENGINE_UNAVAILABLE when the bundle has nothing for it.
 */
export async function openEngine(bundle: Bundle, options: EngineOptions = {}): Promise<OpenedEngine> {
  const here = thisPlatform();
  if (!kernelIds(bundle).some((id) => id.platform === here)) return { engine: await openWasm(bundle, options) };
  try {
    return { engine: await openNative(bundle, options) };
  } catch (e) {
    if (!isEigenError(e) || e.code !== 'EW5003_ENGINE_UNAVAILABLE') throw e;
    return { engine: await openWasm(bundle, options), note: `native kernels are not used: ${e.message}` };
  }
}

export async function openNative(bundle: Bundle, options: EngineOptions = {}): Promise<Engine> {
  const here = thisPlatform();
  const received = bundle.received ? `-${bundle.received.segments}` : '';
  const weights = await residentWeights(`${bundle.digest}${received}`, () => installWeights(bundle));
  return NativeEngine.load(bundle.manifest.program, here ? kernelsFor(bundle, here) : [], weights, options);
}

export function openWasm(bundle: Bundle, options: EngineOptions = {}): Promise<Engine> {
  return WasmEngine.load(bundle.manifest.program, kernelsFor(bundle, 'wasm'), installWeights(bundle), options);
}
