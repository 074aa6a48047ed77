import type { Target } from '../../sdk/compile/target.ts';

/** Whether C compilers and emulators of this machine are called: `npm test` needs nothing but npm, and leaves them to `npm run test:full`. */
export const CALLS_COMPILERS = process.env.EIGEN_WITHOUT_COMPILERS !== '1';

/** Whether kernels of a target are compiled here. */
export async function compilesFor(target: Target): Promise<boolean> {
  return CALLS_COMPILERS && (await target.toolchain()) !== undefined;
}

/** Why they are not. */
export const WITHOUT_COMPILER = CALLS_COMPILERS
  ? 'no compiler for it here'
  : 'npm run test:full compiles for it, npm test does not';

/** Kernels for WebAssembly by the quick compiler in `npm test`, by clang, whose are shipped, where everything is tested. */
export const QUICK = !CALLS_COMPILERS;
