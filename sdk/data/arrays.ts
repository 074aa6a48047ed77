import { readBytes, writeAtomic } from '../util/files.ts';
import { readNpz, writeNpz } from '../util/npz.ts';
import type { Tensor } from '../util/tensor.ts';

/** Reads a .npz file: name to array. Throws EW1002_FILE_NOT_FOUND, EW3201_DATA_UNREADABLE. */
export async function readArrays(path: string): Promise<Record<string, Tensor>> {
  return readNpz(await readBytes(path), path);
}

/** Writes a .npz file, whole or not at all. Throws EW1003_WRITE_FAILED. */
export async function writeArrays(path: string, arrays: Readonly<Record<string, Tensor>>): Promise<void> {
  await writeAtomic(path, writeNpz(arrays));
}
