import { setFlagsFromString } from 'node:v8';

/**
 * Compiles a module that may have relaxed instructions. Node 20 has them behind a flag, which is set for as long as this takes, so that
 * nobody else in the process finds instructions of which some are computed wrongly there.
 */
export function compileModule(bytes: Uint8Array): WebAssembly.Module {
  const source = bytes as Uint8Array<ArrayBuffer>;
  try {
    return new WebAssembly.Module(source);
  } catch (e) {
    if (!(e instanceof WebAssembly.CompileError)) throw e;
  }
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  try {
    return new WebAssembly.Module(source);
  } finally {
    setFlagsFromString('--no-experimental-wasm-relaxed-simd');
  }
}
