import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import { specOf } from './versions.ts';

/** A folder of assignments and blobs that an agent reads; its board is `board` where nothing else is said. */
export class DepotFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, 'blobs'), { recursive: true });
  }

  /** Assigns a file: the blob first, and the assignment at once. */
  assign(
    kind: 'model' | 'agent',
    bytes: Uint8Array,
    change: Partial<Assignment> & { readonly release: number },
    pieceBytes = 64 << 10,
  ): string {
    const blob = specOf(bytes, pieceBytes);
    this.put(join('blobs', blob.sha256), bytes);
    const assignment = { board: 'board', blob, probation: { milliseconds: 0 }, ...change };
    this.put(`${kind}.json`, JSON.stringify(assignment));
    return blob.sha256;
  }

  private put(name: string, content: string | Uint8Array): void {
    const path = join(this.path, name);
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  }
}
