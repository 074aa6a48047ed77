import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applyDelta,
  type Bundle,
  type ByteSource,
  type ByteTarget,
  bytesSource,
  type DeltaReport,
  type DeltaResult,
  encodeIndex,
  indexBundle,
  makeDelta,
  newChunks,
  readBundle,
} from '../bundle/index.ts';
import { EigenError } from '../util/errors.ts';
import { nodeFileSystem, replaceAtomically, writeAtomic } from '../util/files.ts';

export interface DeltaFileReport extends DeltaReport {
  /** What a device with the old bundle would fetch without the delta: the index and the chunks that are new to it. */
  readonly chunkBytes: number;
}

/**
 * Two bundle files -> a delta from the first to the second, applied once before it is written. Without `out`: make it, write nothing.
 * Throws EW6001 to EW6003 for a bundle that is not whole and sound.
 */
export async function writeDelta(oldPath: string, newPath: string, out?: string): Promise<DeltaFileReport> {
  const [old, now] = [await readBundle(oldPath), await readBundle(newPath)];
  const { bytes, report } = makeDelta(old, now);
  await proveDelta(bytes, { oldPath, now });
  if (out !== undefined) await writeAtomic(out, bytes);
  const index = await withSource(newPath, (source) => indexBundle(source));
  const known = await withSource(oldPath, (source) => indexBundle(source));
  const fresh = newChunks(index, [known]);
  const chunkBytes = fresh.reduce((sum, c) => sum + c.bytes, encodeIndex(index).length);
  return { ...report, chunkBytes };
}

async function proveDelta(delta: Uint8Array, { oldPath, now }: { oldPath: string; now: Bundle }): Promise<void> {
  const built = new Uint8Array(now.bytes);
  const target: ByteTarget = {
    write: async (at, bytes) => built.set(bytes, at),
    read: async (from, count) => built.subarray(from, from + count),
  };
  await withSource(oldPath, (old) => applyDelta({ delta: bytesSource(delta), old, target, digest: now.digest }));
}

export interface AppliedDelta extends DeltaResult {
  readonly deltaBytes: number;
}

/**
 * Old bundle file and delta file -> new bundle file, never more than a part of them in memory. `out` holds the whole new bundle or what
 * it held before; without it nothing is left. Throws EW6008 when the delta is damaged, EW6009 when it is for another bundle.
 */
export async function applyDeltaFile(
  oldPath: string,
  deltaPath: string,
  { out, digest }: { readonly out?: string; readonly digest?: string } = {},
): Promise<AppliedDelta> {
  return withSource(oldPath, (old) =>
    withSource(deltaPath, async (delta) => {
      const build = async (path: string): Promise<DeltaResult> => {
        const file = await open(path, 'wx+');
        try {
          const result = await applyDelta({ delta, old, target: fileTarget(file), ...(digest ? { digest } : {}) });
          await file.sync();
          return result;
        } finally {
          await file.close();
        }
      };
      const result = await (out === undefined ? builtAside(build) : builtAs(out, build));
      return { ...result, deltaBytes: delta.bytes };
    }),
  );
}

type BuildFile = (path: string) => Promise<DeltaResult>;

async function builtAs(out: string, build: BuildFile): Promise<DeltaResult> {
  let result: DeltaResult | undefined;
  await replaceAtomically(out, nodeFileSystem, async (temporary) => {
    result = await build(temporary);
  });
  return result!;
}

async function builtAside(build: BuildFile): Promise<DeltaResult> {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-'));
  try {
    return await build(join(folder, 'bundle'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r').catch((e: unknown) => {
    throw notFound(path, e instanceof Error ? e.message : String(e), e);
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw notFound(path, 'it is not a file');
    return await use({ bytes: found.size, read: (from, count) => readRange(file, from, count) });
  } finally {
    await file.close();
  }
}

function notFound(path: string, reason: string, cause?: unknown): EigenError {
  return new EigenError('EW1002_FILE_NOT_FOUND', `${path}: ${reason}`, {
    hint: 'Check the path and its permissions.',
    cause,
  });
}

function fileTarget(file: FileHandle): ByteTarget {
  return {
    write: async (at, bytes) => void (await file.write(bytes, 0, bytes.length, at)),
    read: (from, count) => readRange(file, from, count),
  };
}

/** A range of a file; shorter where the file ends. */
async function readRange(file: FileHandle, from: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, count));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
  return bytes.subarray(0, bytesRead);
}
