/**
 * OLD DELTA OUT: applies a delta between files, and prints as JSON by how many bytes the memory of this process grew at most, and how many
 * were in use at most, as often as something is written; in between is what was not collected yet. Linux.
 */
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { applyDelta, type ByteSource } from '../../sdk/bundle/index.ts';

const [oldPath, deltaPath, outPath] = process.argv.slice(2) as [string, string, string];

async function sourceOf(file: FileHandle): Promise<ByteSource> {
  const { size } = await file.stat();
  return { bytes: size, read: (from, count) => readAt(file, from, Math.min(count, size - from)) };
}

async function readAt(file: FileHandle, from: number, count: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(new Uint8Array(count), 0, count, from);
  return buffer.subarray(0, bytesRead);
}

/** @param written is called after every write. */
async function apply(written: () => void): Promise<void> {
  const [old, delta, out] = await Promise.all([open(oldPath), open(deltaPath), open(outPath, 'w+')]);
  const target = {
    read: (from: number, count: number) => readAt(out, from, count),
    write: async (at: number, bytes: Uint8Array) => {
      await out.write(bytes, 0, bytes.length, at);
      written();
    },
  };
  await applyDelta({ delta: await sourceOf(delta), old: await sourceOf(old), target });
  for (const file of [old, delta, out]) await file.close();
}

async function residentBytes(name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)![1]);
}

function usedBytes(): number {
  globalThis.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

// Code that is loaded and compiled with the first use is not what a delta takes.
await apply(() => undefined);
const before = usedBytes();
let used = 0;
await apply(() => {
  used = Math.max(used, usedBytes() - before);
});
globalThis.gc!();
// The highest so far is forgotten.
await writeFile('/proc/self/clear_refs', '5');
const resident = await residentBytes('VmRSS');
await apply(() => undefined);
process.stdout.write(JSON.stringify({ used, grown: (await residentBytes('VmHWM')) - resident }));
