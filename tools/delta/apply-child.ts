/** OLD DELTA OUT: applies a delta between files, and prints by how many bytes the memory of this process grew at most. Linux. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { applyDeltaFile } from '../../sdk/index.ts';

const [old, delta, out] = process.argv.slice(2) as [string, string, string];

async function apply(): Promise<void> {
  await rm(out, { force: true });
  await applyDeltaFile(old, delta, { out });
}

async function residentBytes(name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
}

// Code that is loaded and compiled with the first use is not what a delta takes.
await apply();
globalThis.gc!();
// The highest so far is forgotten.
await writeFile('/proc/self/clear_refs', '5');
const before = await residentBytes('VmRSS');
await apply();
process.stdout.write(String((await residentBytes('VmHWM')) - before));
