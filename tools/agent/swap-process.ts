import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SwapFigures } from './swaps.ts';

/** Changes between the models of two bundles so many times under load, in a process that has nothing else in it. */
export async function swapBundles(bundles: readonly [Uint8Array, Uint8Array], count: number): Promise<SwapFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'ew-swap-'));
  try {
    const files = bundles.map((_, i) => join(folder, `${i}.ewb`));
    for (const [i, bytes] of bundles.entries()) await writeFile(files[i]!, bytes);
    const program = fileURLToPath(new URL('./swap-child.ts', import.meta.url));
    const words = ['--import', import.meta.resolve('tsx'), program, ...files, String(count)];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    return JSON.parse(stdout) as SwapFigures;
  } finally {
    await rm(folder, { recursive: true });
  }
}
