import { setFlagsFromString } from 'node:v8';
import { assemble } from './assemble.ts';
import { parse } from './parse.ts';

/**
 * Compiles kernels to a module of WebAssembly: the C that emitters write (sdk/compile/emit/c) and no more than that.
 * @param sources translation units, of which functions and variables that are not static are one for all that have them by that name.
 * @param defines symbols of the preprocessor, which are 1.
 * @param exports functions that the module exports, besides `__stack_pointer` and `__heap_base`.
 * @throws EigenError EW5002_COMPILER_FAILED where something is written otherwise: a defect of an emitter.
 */
export function compileKernels(
  sources: readonly string[],
  defines: readonly string[],
  exports: readonly string[],
): Uint8Array {
  return unoptimized(() =>
    assemble(
      sources.map((source) => parse(source, defines)),
      exports,
    ),
  );
}

/** The engine takes longer to optimize the compiler than the compiler takes as it is: three times as long for the first module. */
function unoptimized<T>(work: () => T): T {
  setFlagsFromString('--no-opt');
  try {
    return work();
  } finally {
    setFlagsFromString('--opt');
  }
}
