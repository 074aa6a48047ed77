import type { CompiledProgram } from '../../sdk/compile/index.ts';
import { compileGraph } from '../../sdk/compile/index.ts';
import type { Target } from '../../sdk/compile/target.ts';
import { prepareWasm, WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { SET_EIGHT } from '../../sdk/device/engine/wasm-kernels.ts';
import type { Graph } from '../../sdk/ir/graph.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { feature } from '../../targets/wasm/toolchain.ts';
import { QUICK } from './compilers.ts';

/**
 * Kernels of engines whose dot product of bytes takes 8 bits, which few Nodes have: the vocabulary's one is written out in plain instructions,
 * with a second operand that has no sign or has one.
 */
export type SecondOperand = 'unsigned' | 'signed';

const KINDS: Readonly<Record<SecondOperand, number>> = { unsigned: 1, signed: 2 };

function written(kind: SecondOperand): string {
  const half = (part: 'low' | 'high'): string =>
    `wasm_i16x8_mul(wasm_i16x8_extend_${part}_i8x16(a), wasm_${kind === 'signed' ? 'i' : 'u'}16x8_extend_${part}_${kind === 'signed' ? 'i' : 'u'}8x16(w))`;
  return `static inline v128_t written_dot(v128_t a, v128_t w, v128_t acc) {
  const v128_t x = wasm_i32x4_extadd_pairwise_i16x8(${half('low')}), y = wasm_i32x4_extadd_pairwise_i16x8(${half('high')});
  return wasm_i32x4_add(acc, wasm_i32x4_add(wasm_i32x4_shuffle(x, y, 0, 2, 4, 6), wasm_i32x4_shuffle(x, y, 1, 3, 5, 7)));
}
`;
}

function targetOf(kind: SecondOperand): Target {
  const { header } = wasmTarget.vectors;
  const plain = header
    .replace('#include <wasm_simd128.h>', (include) => `${include}\n${written(kind)}`)
    .replaceAll('wasm_i8x16_relaxed_swizzle', 'wasm_i8x16_swizzle')
    .replaceAll('wasm_i32x4_relaxed_dot_i8x16_i7x16_add', 'written_dot');
  const variants = [
    { id: 'simd128', defines: ['EW_DOT7'], flags: [...feature('simd128'), ...feature('relaxed-simd')] },
  ];
  return { ...wasmTarget, vectors: { header: plain }, variants };
}

/** The kernels of a graph for such an engine, and what runs them. */
export async function eightBitEngine(
  graph: Graph,
  kind: SecondOperand,
  threads = 1,
): Promise<{ compiled: CompiledProgram; engine: WasmEngine }> {
  const compiled = await compileGraph(graph, targetOf(kind), { quick: QUICK });
  const { program, modules } = compiled;
  const options = { variant: 'simd128', threads, splitAll: true };
  const prepared = prepareWasm(program, modules, (block) => block.set(residentBlock(compiled)), options);
  const engine = await WasmEngine.open(program, { ...prepared, settings: { [SET_EIGHT]: KINDS[kind] } }, options);
  return { compiled, engine };
}
