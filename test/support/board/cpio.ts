/** A file of an archive: its bytes, the target of a symbolic link, or nothing for a folder. */
export type CpioEntry =
  | { readonly path: string; readonly bytes: Uint8Array; readonly executable?: boolean }
  | { readonly path: string; readonly link: string }
  | { readonly path: string };

/** An archive as Linux takes it for its first file system (cpio, "newc"). Folders come before what is in them. */
export function packCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.map((entry, i) => record(entry, i + 1));
  return Buffer.concat([...parts, record({ path: 'TRAILER!!!' }, 0)]);
}

function record(entry: CpioEntry, inode: number): Buffer {
  const content = contentOf(entry);
  const fields = [inode, modeOf(entry), 0, 0, 1, 0, content.length, 0, 0, 0, 0, entry.path.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${entry.path}\0`;
  return Buffer.concat([padded(Buffer.from(header)), padded(content)]);
}

function contentOf(entry: CpioEntry): Buffer {
  if ('bytes' in entry) return Buffer.from(entry.bytes);
  return Buffer.from('link' in entry ? entry.link : '');
}

function modeOf(entry: CpioEntry): number {
  if ('link' in entry) return 0o120777;
  if ('bytes' in entry) return entry.executable ? 0o100755 : 0o100644;
  return 0o040755;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
