import { readFileSync } from 'node:fs';

/** Float inputs of one run as plain files, so that no reader of archives is part of what is measured. */
export interface InputFile {
  readonly name: string;
  readonly shape: readonly number[];
  /** Little-endian f32. */
  readonly path: string;
}

export function valuesOf({ path }: InputFile): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
