import { type Bundle, installWeights, kernelIds, kernelsFor } from '../../bundle/index.ts';
import { isEigenError } from '../../util/errors.ts';
import { thisPlatform } from '../../wire/kernels.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { NativeEngine, type ResidentWeights } from './native.ts';
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
 * @param weights what `decodeResident` gave, where somebody has called it.
 */
export async function openEngine(
  bundle: Bundle,
  options: EngineOptions = {},
  weights?: ResidentWeights,
): Promise<OpenedEngine> {
  if (!isNative(bundle)) return { engine: await openWasm(bundle, options, weights) };
  try {
    return { engine: await openNative(bundle, options, weights) };
  } catch (e) {
    if (!isEigenError(e) || e.code !== 'EW5003_ENGINE_UNAVAILABLE') throw e;
    return { engine: await openWasm(bundle, options), note: `native kernels are not used: ${e.message}` };
  }
}

/** Whether a bundle has native kernels for this machine. */
function isNative(bundle: Bundle): boolean {
  const here = thisPlatform();
  return kernelIds(bundle).some((id) => id.platform === here);
}

/** Decodes the weights for `openEngine`: the part of loading that takes long. Bytes are in memory that threads share. */
export async function decodeResident(bundle: Bundle): Promise<ResidentWeights> {
  if (isNative(bundle)) return residentFile(bundle);
  return installWeights(bundle, new Uint8Array(new SharedArrayBuffer(bundle.manifest.program.weightBytes)));
}

export async function openNative(
  bundle: Bundle,
  options: EngineOptions = {},
  weights?: ResidentWeights,
): Promise<Engine> {
  const here = thisPlatform();
  const resident = weights ?? (await residentFile(bundle));
  return NativeEngine.load(bundle.manifest.program, here ? kernelsFor(bundle, here) : [], resident, options);
}

/** @param weights in a file they are of no use here, and decoded again. */
export function openWasm(bundle: Bundle, options: EngineOptions = {}, weights?: ResidentWeights): Promise<Engine> {
  const bytes = weights instanceof Uint8Array ? weights : installWeights(bundle);
  return WasmEngine.load(bundle.manifest.program, kernelsFor(bundle, 'wasm'), bytes, options);
}

function residentFile(bundle: Bundle): Promise<ResidentWeights> {
  const received = bundle.received ? `-${bundle.received.segments}` : '';
  return residentWeights(`${bundle.digest}${received}`, () => installWeights(bundle));
}
