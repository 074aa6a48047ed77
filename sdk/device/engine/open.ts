import { type Bundle, installWeights, kernelIds, kernelsFor } from '../../bundle/open.ts';
import { isEigenError } from '../../util/errors.ts';
import { thisPlatform } from '../../wire/kernels.ts';
import type { Program } from '../../wire/program.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { NativeEngine, type PreparedNative, prepareNative, type ResidentWeights, type WeightsFor } from './native.ts';
import { residentWeights } from './resident.ts';
import { holdRowTiles } from './row-tiles.ts';
import { type PreparedWasm, prepareWasm, WasmEngine } from './wasm.ts';

/** An engine, and why it is not the one that could be faster, in words. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly note?: string;
}

/** What an engine is opened from, made on any thread; `note` as of the engine. */
export type PreparedEngine = { readonly note?: string } & (
  | { readonly native: PreparedNative }
  | { readonly wasm: PreparedWasm }
);

/** Of an engine that is to be opened. */
export interface PrepareOptions extends EngineOptions {
  /** Memory of a WebAssembly engine that was closed. */
  readonly spare?: WebAssembly.Memory;
}

/**
 * Loads a bundle into the fastest engine that runs it here: native kernels where it has some for this machine, else WebAssembly.
 * Throws EW5003_ENGINE_UNAVAILABLE when the bundle has nothing for it.
 */
export async function openEngine(bundle: Bundle, options: EngineOptions = {}): Promise<OpenedEngine> {
  return openPrepared(bundle.manifest.program, await prepareEngine(bundle, options), options);
}

/** Everything about opening an engine that takes long: decoding, compiling, trying. Throws what `openEngine` does. */
export async function prepareEngine(bundle: Bundle, options: PrepareOptions = {}): Promise<PreparedEngine> {
  if (!isNative(bundle)) return { wasm: wasmOf(bundle, options) };
  try {
    return { native: await nativeOf(bundle, options) };
  } catch (e) {
    if (!isEigenError(e) || e.code !== 'EW5003_ENGINE_UNAVAILABLE') throw e;
    return { wasm: wasmOf(bundle, options), note: `native kernels are not used: ${e.message}` };
  }
}

/** @param options those that it was prepared with. */
export async function openPrepared(
  program: Program,
  prepared: PreparedEngine,
  options: EngineOptions = {},
): Promise<OpenedEngine> {
  const { note } = prepared;
  const engine =
    'native' in prepared
      ? await NativeEngine.open(program, prepared.native, options)
      : await WasmEngine.open(program, prepared.wasm, options);
  return { engine, ...(note === undefined ? {} : { note }) };
}

/** Whether a bundle has native kernels for this machine. */
function isNative(bundle: Bundle): boolean {
  const here = thisPlatform();
  return kernelIds(bundle).some((id) => id.platform === here);
}

export async function openNative(bundle: Bundle, options: EngineOptions = {}): Promise<Engine> {
  return NativeEngine.open(bundle.manifest.program, await nativeOf(bundle, options), options);
}

export async function openWasm(bundle: Bundle, options: EngineOptions = {}): Promise<Engine> {
  return WasmEngine.open(bundle.manifest.program, wasmOf(bundle, options), options);
}

async function nativeOf(bundle: Bundle, options: EngineOptions): Promise<PreparedNative> {
  const here = thisPlatform();
  const weights: WeightsFor = (mostListed) => residentFile(bundle, mostListed);
  return prepareNative(bundle.manifest.program, here ? kernelsFor(bundle, here) : [], weights, options);
}

function wasmOf(bundle: Bundle, options: PrepareOptions): PreparedWasm {
  const fill = (block: Uint8Array): unknown => installWeights(bundle, block);
  return prepareWasm(bundle.manifest.program, kernelsFor(bundle, 'wasm'), fill, options);
}

function residentFile(bundle: Bundle, mostListed: number | undefined): Promise<ResidentWeights> {
  const received = bundle.received ? `-${bundle.received.segments}` : '';
  const form = mostListed === undefined ? '' : `-rows${1000 * mostListed}`;
  return residentWeights(`${bundle.digest}${received}${form}`, () => {
    const block = installWeights(bundle);
    if (mostListed !== undefined) holdRowTiles(bundle.manifest.program, block, mostListed);
    return block;
  });
}
