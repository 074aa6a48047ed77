import type { Target } from '../../sdk/compile/target.ts';
import { endCompiler } from './compiler.ts';
import { WASM_SIMD_HEADER } from './simd.ts';
import { buildWasm, feature } from './toolchain.ts';

/** WebAssembly SIMD: runs wherever Node runs, compiled by the clang that npm carries. */
export const wasmTarget: Target = {
  id: 'wasm',
  summary: 'WebAssembly SIMD, any board with Node; no toolchain needed',
  platform: 'wasm',
  vectors: { header: WASM_SIMD_HEADER },
  variants: [
    { id: 'simd128', defines: [], flags: feature('simd128') },
    // Signed 8 bit by unsigned 7 bit dot products; an engine uses it only after a known-answer test (sdk/device/engine/probe.ts).
    { id: 'dot7', defines: ['EW_DOT7'], flags: [...feature('simd128'), ...feature('relaxed-simd')] },
  ],
  serves: () => true,
  toolchain: async () => '@yowasp/clang',
  build: buildWasm,
  rest: endCompiler,
};
