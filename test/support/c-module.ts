import { compileModule } from '../../sdk/device/engine/relaxed.ts';
import { compileKernels } from '../../targets/wasm/cc/index.ts';

/** C that is compiled and runs, for tests of the kernel compiler. */

export const C_TYPES = `typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64; typedef v128_t f4;
#define EW_INLINE static inline __attribute__((always_inline))
#define EW_SHARED static __attribute__((noinline))
#define EW_ROLLED _Pragma("clang loop unroll(disable)")\n`;

type Call = (...args: readonly (number | bigint)[]) => number;

export interface RunningC {
  readonly memory: WebAssembly.Memory;
  readonly exports: { readonly [name: string]: Call };
  /** Where nothing of the module's lies from on, as of all memory as bytes. */
  readonly heap: number;
  readonly bytes: Uint8Array;
  readonly stackPointer: WebAssembly.Global;
}

export const compileC = (source: string, exports: readonly string[], defines: readonly string[] = []): Uint8Array =>
  compileKernels([C_TYPES + source], defines, exports);

/** An instance with two pages of memory, or with one that there is. */
export function instantiate(module: Uint8Array, memory = newMemory()): RunningC {
  const { exports } = new WebAssembly.Instance(compileModule(module), { env: { memory } });
  const globals = exports as unknown as { __heap_base: WebAssembly.Global; __stack_pointer: WebAssembly.Global };
  return {
    memory,
    exports: exports as { [name: string]: Call },
    heap: globals.__heap_base.value as number,
    bytes: new Uint8Array(memory.buffer),
    stackPointer: globals.__stack_pointer,
  };
}

export function newMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
}

/** What a function `f` of ints returns. */
export function callC(source: string, ...args: readonly number[]): number {
  return instantiate(compileC(source, ['f'])).exports.f!(...args);
}
