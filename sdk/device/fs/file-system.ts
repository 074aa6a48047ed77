/**
 * What a device does to the file system that its models live on: single operations, each of which may fail or be the last one before
 * power goes. Paths are relative to the state folder, with '/'. Failures are the platform's own errors with a `code` (ENOSPC, EIO,
 * EROFS, ENOENT). Implementations: node.ts, and a simulation with power cuts in sdk/testing.
 *
 * What survives a power cut is what was synced: bytes by `OpenFile.sync`, names by `syncFolder`. Anything else may be there, or not, or
 * in part. Names change atomically.
 */
export interface DeviceFileSystem {
  /** Opens a file; for writing it is created where it is not there, and never emptied. */
  open(path: string, mode: 'read' | 'write'): Promise<OpenFile>;
  /** Creates a folder in one that is there; nothing happens where it exists. */
  makeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Renames a file, replacing what has the new name. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a folder, sorted. */
  list(path: string): Promise<string[]>;
  /** Bytes that may still be written. */
  freeBytes(): Promise<number>;
}

export interface OpenFile {
  size(): Promise<number>;
  /** The bytes from `at`; fewer than `length` only at the end of the file. They are put into `into` where it is given, which has room. */
  read(at: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Returns how many of the bytes were written: at least one, maybe not all. See writeFully. */
  write(at: number, bytes: Uint8Array): Promise<number>;
  truncate(size: number): Promise<void>;
  /** Returns when everything written so far is on the medium. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
