import { readNpy, writeNpy } from './npy.ts';
import type { Tensor } from './tensor.ts';
import { readZip, writeZip } from './zip.ts';

const SUFFIX = '.npy';

/**
 * Reads a NumPy .npz archive: name -> array, in the order of the archive.
 * @throws EigenError EW3201_DATA_UNREADABLE with the reason.
 */
export function readNpz(bytes: Uint8Array, source = 'npz data'): Record<string, Tensor> {
  const entries = readZip(bytes, source).map(({ name: file, bytes: data }) => {
    const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : file;
    return [name, readNpy(data, `${source}: array '${name}'`)] as const;
  });
  return Object.fromEntries(entries);
}

/** Writes arrays as .npz, in the given order; the same arrays always give the same bytes. Deflated when `compress` is set. */
export function writeNpz(arrays: Readonly<Record<string, Tensor>>, options: { compress?: boolean } = {}): Uint8Array {
  const members = Object.entries(arrays).map(([name, t]) => ({ name: name + SUFFIX, bytes: writeNpy(t) }));
  return writeZip(members, options);
}
