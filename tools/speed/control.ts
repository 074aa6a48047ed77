import { NativeEngine } from '../../sdk/device/engine/native.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import type { EngineName } from '../../sdk/index.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import type { Program } from '../../sdk/wire/program.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';

/**
 * What two threads are worth on the machine at this moment: integer dot products in registers, shared out by an engine's own threads. There is
 * no memory to wait for and nothing to hand over, so that what two threads gain here less than twofold is the machine's and the engine's doing.
 */

/** Bytes of memory for the result of each part, apart from others'. */
const APART = 64;
const MOST_PARTS = 8;
const SUMS = 8;

/** Arithmetic enough for threads to be woken for it; how much there is, an input tells. */
const PROGRAM: Program = {
  name: 'control',
  inputs: [{ name: 'rounds', dtype: 'i32', shape: [1], offset: 0 }],
  outputs: [{ name: 'sums', dtype: 'i32', shape: [4], offset: APART }],
  steps: [{ node: 'control', kind: 'control', macs: 100e6, bytes: 0, live: [] }],
  arenaBytes: APART * (1 + MOST_PARTS),
  scratchBytes: 64,
  weights: [],
  weightBytes: 0,
};

const list = Array.from({ length: SUMS }, (_, i) => i);

/** In the words that all kernels are written in. */
const KERNEL = `
void ew_step_0(const u8 *W, u8 *A, u8 *S, i32 part, i32 parts) {
  (void)W; (void)S;
  const i32 rounds = *(const i32 *)A, from = (i32)((i64)rounds * part / parts), to = (i32)((i64)rounds * (part + 1) / parts);
  h8 a = h8_splat((i16)from); const h8 one = h8_splat(1);
  i4 ${list.map((i) => `s${i} = i4_splat(0)`).join(', ')};
  for (i32 i = from; i < to; i++) {
    ${list.map((i) => `s${i} = i4_add(s${i}, h8_dot(a, h8_splat(${i + 1})));`).join(' ')}
    a = h8_add(a, one);
  }
  i4_store((i32 *)(A + ${APART} * (1 + part)), ${list.slice(1).reduce((sum, i) => `i4_add(${sum}, s${i})`, 's0')});
}
`;

export interface Control {
  run(rounds: number): Record<string, Tensor>;
  close(): void;
}

/** The same text on either engine, by the target's plainest kernels. */
export async function openControl(engine: EngineName, threads: number): Promise<Control> {
  const target = engine === 'native' ? hostTarget : wasmTarget;
  const { vectors, variants } = target;
  const source = `${vectors.header}${KERNEL}${vectors.entry?.(PROGRAM) ?? ''}`;
  const module = await target.build(source, variants[0]!, ['ew_step_0']);
  const loader = engine === 'native' ? NativeEngine : WasmEngine;
  const opened = await loader.load(PROGRAM, [module], new Uint8Array(0), { threads });
  return {
    run: (rounds) => opened.run({ rounds: tensor('i32', [1], [rounds]) }),
    close: () => opened.close(),
  };
}
