/** Why a test cannot run here: `missing` can be installed or put in place, `unsupported` cannot on this platform. */
export type SkipKind = 'missing' | 'unsupported';

/**
 * Names a test that cannot run here. Call it inside the test and return: `return skip('name', 'no aarch64 compiler')`. tools/test.ts
 * counts the printed line as skipped instead of passed; with EIGEN_REQUIRE_ALL=1 a `missing` one is a failure.
 */
export function skip(name: string, reason: string, kind: SkipKind = 'missing'): void {
  console.log(`\n# skip ${name}: ${reason}${kind === 'unsupported' ? ' [unsupported]' : ''}`);
}
