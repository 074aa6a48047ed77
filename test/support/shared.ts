import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the project's checkout. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/**
 * A path in the folder of measuring data beside the checkout (`../shared`), or undefined where it is absent: such a test is
 * a named skip (sdk/testing/skip.ts).
 */
export function shared(...segments: string[]): string | undefined {
  const path = join(projectRoot, '..', 'shared', ...segments);
  return existsSync(path) ? path : undefined;
}
