import { offsetsOf } from '../../wire/blob.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { withFile } from '../fs/whole-files.ts';
import type { PieceSource } from './fetch.ts';

/** Pieces from files in a folder that are named by their SHA-256: a memory stick, a mounted share. */
export function folderSource(fs: DeviceFileSystem, folder: string): PieceSource {
  return {
    async *fetch(blob, pieces) {
      const offsets = offsetsOf(blob.pieces);
      for (const index of pieces) {
        const { bytes } = blob.pieces[index]!;
        const read = withFile(fs, `${folder}/${blob.sha256}`, 'read', (file) => file.read(offsets[index]!, bytes));
        yield { index, bytes: await read };
      }
    },
  };
}
