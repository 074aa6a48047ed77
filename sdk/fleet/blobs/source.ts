import type { BlobSpec } from '../../wire/blob.ts';

/** Files by the SHA-256 of what is in them, as devices fetch them. */
export interface BlobSource {
  /** Undefined where there is no such file. */
  spec(sha256: string): Promise<BlobSpec | undefined>;
  /** A stretch of a file that is there. */
  read(sha256: string, from: number, bytes: number): Promise<Uint8Array>;
}

/** Files of metadata: TUF's, and assignments. */
export interface MetadataFiles {
  /**
   * Undefined where there is none.
   * @param version the newest where it is absent.
   */
  read(role: string, version?: number): Promise<{ readonly version: number; readonly bytes: Uint8Array } | undefined>;
}
