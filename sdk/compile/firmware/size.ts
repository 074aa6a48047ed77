import type { PlannedProgram } from '../index.ts';

/**
 * What a library needs beside its constants and its static array, as bounds that hold for GCC with -Os in Thumb-2; test/e2e/firmware.test.ts
 * compares them with what the compiler and the linker say.
 */

/** Stack of a run with everything it calls, bytes. */
export const STACK_BYTES = 1024;

/** Machine code of a character of kernel text at most, bytes, and of what surrounds the kernels. */
const BYTES_A_CHARACTER = 0.6;
const AROUND = 512;

/** Machine code of the kernels, bytes at most. */
export function codeBytes({ source }: Pick<PlannedProgram, 'source'>): number {
  return Math.ceil(source.replace(/\/\*.*?\*\//gs, '').length * BYTES_A_CHARACTER) + AROUND;
}
