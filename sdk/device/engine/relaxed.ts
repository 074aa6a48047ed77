import { setFlagsFromString } from 'node:v8';

/** The smallest module with a relaxed dot product: (func (param v128 v128) (result v128) local.get 0 local.get 1 i16x8.relaxed_dot_i8x16_i7x16_s). */
export const RELAXED_MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x07, 0x01, 0x60, 0x02, 0x7b, 0x7b, 0x01, 0x7b],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x0b, 0x01, 0x09, 0x00, 0x20, 0x00, 0x20, 0x01, 0xfd, 0x92, 0x02, 0x0b],
]);

/** A module is at fault after so many failures that nothing else explains; other threads have set and reset the flag again where it is not. */
const FAILURES = 3;
const TRIES = 100;

/** Whether relaxed instructions are compiled at this moment, in the whole process. */
export const knowsRelaxed = (): boolean => WebAssembly.validate(RELAXED_MODULE);

/**
 * Compiles a module that may have relaxed instructions. Node 20 has them behind a flag of the whole process, which is set for as long as this
 * takes, so that nobody else finds instructions of which some are computed wrongly there. Where they are known without it, it is left alone.
 * Another thread that does the same may reset the flag before this one has compiled: then it is tried again.
 */
export function compileModule(bytes: Uint8Array): WebAssembly.Module {
  const source = bytes as Uint8Array<ArrayBuffer>;
  let failures = 0;
  for (let left = TRIES; ; left--) {
    const setting = left < TRIES && !knowsRelaxed();
    if (setting) setFlagsFromString('--experimental-wasm-relaxed-simd');
    const known = knowsRelaxed();
    try {
      return new WebAssembly.Module(source);
    } catch (e) {
      if (!(e instanceof WebAssembly.CompileError) || left === 0) throw e;
      // With the instructions known all the time, or not even by the flag.
      if ((known && knowsRelaxed()) || (setting && !known)) failures++;
      if (failures === FAILURES) throw e;
    } finally {
      if (setting) setFlagsFromString('--no-experimental-wasm-relaxed-simd');
    }
  }
}
