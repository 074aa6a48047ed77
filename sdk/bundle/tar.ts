import { EigenError } from '../util/errors.ts';

/**
 * POSIX ustar (IEEE 1003.1, pax "ustar interchange format"), reduced to one byte form: plain files, mode 644, owner 0, time
 * 0, names of at most 100 characters, two zero blocks at the end. Reading accepts that form only, so that nothing in an archive
 * can change unnoticed.
 */
export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;
const NAME_BYTES = 100;
const MAX_SIZE = 8 ** 11 - 1;

/** True for relative names without `..`, hidden files or special characters, that fit the header. */
export function isPartName(name: string): boolean {
  return name.length <= NAME_BYTES && NAME.test(name);
}

export function writeTar(files: readonly TarFile[]): Uint8Array {
  const size = files.reduce((sum, f) => sum + BLOCK + roundUp(f.bytes.length), 2 * BLOCK);
  const out = new Uint8Array(size);
  let at = 0;
  for (const { name, bytes } of files) {
    if (!isPartName(name)) throw new RangeError(`tar: name '${name}' is not allowed`);
    if (bytes.length > MAX_SIZE)
      throw new RangeError(`tar: '${name}' has ${bytes.length} bytes, the format holds ${MAX_SIZE}`);
    out.set(headerOf(name, bytes.length), at);
    out.set(bytes, at + BLOCK);
    at += BLOCK + roundUp(bytes.length);
  }
  return out;
}

/**
 * Files of an archive, as views into it.
 * @throws EigenError EW6001_BUNDLE_UNREADABLE when it is no such archive or cut off, EW6002_BUNDLE_TAMPERED when a byte is not as written.
 */
export function readTar(archive: Uint8Array): readonly TarFile[] {
  const { files, cut, end: at } = readTarPrefix(archive);
  if (cut) {
    const missing = cut.size - cut.bytes.length;
    throw unreadable(`it ends inside part '${cut.name}': ${missing} bytes are missing`);
  }
  if (files.length === 0) throw unreadable(archive.length === 0 ? 'the file is empty' : 'it is not a tar archive');
  if (!reachesEnd(archive, at)) throw unreadable('its end is missing');
  if (archive.length > at + 2 * BLOCK || !isZero(archive.subarray(at))) throw tampered('there are bytes after its end');
  return files;
}

/** What there is of an archive that may be cut off anywhere. */
export interface TarPrefix {
  readonly files: readonly TarFile[];
  /** The file in which it ends, of which `size` bytes there should be. */
  readonly cut?: TarFile & { readonly size: number };
  /** Where the next header would be, or the two zero blocks that end an archive. */
  readonly end: number;
}

/**
 * The files of an archive of which the end may be missing.
 * @throws EigenError EW6001_BUNDLE_UNREADABLE when it is no such archive, EW6002_BUNDLE_TAMPERED when a byte is not as written.
 */
export function readTarPrefix(archive: Uint8Array): TarPrefix {
  const files: TarFile[] = [];
  let at = 0;
  while (at + BLOCK <= archive.length && archive[at] !== 0) {
    const { name, size } = readHeader(archive.subarray(at, at + BLOCK), files.length);
    const end = at + BLOCK + size;
    const file = { name, bytes: archive.subarray(at + BLOCK, end) };
    at += BLOCK + roundUp(size);
    if (end > archive.length) return { files, cut: { ...file, size }, end: at };
    files.push(file);
    if (!isZero(archive.subarray(end, at))) throw tampered(`bytes after part '${name}' are not zero`);
  }
  return { files, end: at };
}

/** Whether the bytes reach the end of an archive whose last file ends at `end`. */
export function reachesEnd(archive: Uint8Array, end: number): boolean {
  return archive.length >= end + 2 * BLOCK;
}

/** Bytes of an archive from its start to the content of a file after others of these sizes. */
export function offsetAfter(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + BLOCK + roundUp(size), BLOCK);
}

/** Where a file's header and content lie in an archive. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
  readonly header: number;
  readonly from: number;
}

/** The layout of an archive of files of these sizes. */
export function tarLayout(files: readonly { readonly name: string; readonly bytes: number }[]): {
  readonly entries: readonly TarEntry[];
  /** Bytes of the archive. */
  readonly bytes: number;
} {
  let at = 0;
  const entries = files.map(({ name, bytes }) => {
    const header = at;
    at += BLOCK + roundUp(bytes);
    return { name, bytes, header, from: header + BLOCK };
  });
  return { entries, bytes: at + 2 * BLOCK };
}

/** Everything of an archive that is no file's content: headers, padding and the end, with where they belong. */
export function tarFrame(files: readonly { readonly name: string; readonly bytes: number }[]): {
  readonly at: number;
  readonly bytes: Uint8Array;
}[] {
  const { entries, bytes: size } = tarLayout(files);
  const frame = entries.flatMap((e) => [
    { at: e.header, bytes: headerOf(e.name, e.bytes) },
    { at: e.from + e.bytes, bytes: new Uint8Array(roundUp(e.bytes) - e.bytes) },
  ]);
  return [...frame, { at: size - 2 * BLOCK, bytes: new Uint8Array(2 * BLOCK) }].filter((f) => f.bytes.length > 0);
}

/** Bytes of the file that starts an archive, by its header. @throws EigenError as readTar. */
export function firstFile(block: Uint8Array): { readonly name: string; readonly bytes: number } {
  if (block.length < BLOCK) throw unreadable('it is not a tar archive');
  const { name, size } = readHeader(block.subarray(0, BLOCK), 0);
  return { name, bytes: size };
}

function headerOf(name: string, size: number): Uint8Array {
  const header = new Uint8Array(BLOCK);
  put(header, 0, name);
  put(header, 100, '0000644');
  put(header, 108, '0000000');
  put(header, 116, '0000000');
  put(header, 124, octal(size, 11));
  put(header, 136, octal(0, 11));
  put(header, 148, '        ');
  put(header, 156, '0');
  put(header, 257, 'ustar');
  put(header, 263, '00');
  put(header, 329, '0000000');
  put(header, 337, '0000000');
  put(
    header,
    148,
    `${octal(
      header.reduce((sum, b) => sum + b, 0),
      6,
    )}\0 `,
  );
  return header;
}

function readHeader(header: Uint8Array, index: number): { name: string; size: number } {
  const text = new TextDecoder('latin1').decode(header);
  if (text.slice(257, 262) !== 'ustar') {
    if (index === 0) throw unreadable('it is not a tar archive');
    throw tampered(`the header of part ${index} is damaged`);
  }
  const name = text.slice(0, NAME_BYTES).split('\0', 1)[0];
  const size = /^[0-7]{11}\0$/.test(text.slice(124, 136)) ? Number.parseInt(text.slice(124, 135), 8) : Number.NaN;
  if (!isPartName(name) || Number.isNaN(size)) throw tampered(`the header of part ${index} is damaged`);
  const canonical = headerOf(name, size);
  if (!header.every((b, i) => b === canonical[i]))
    throw tampered(`the header of part '${name}' is not as it was written`);
  return { name, size };
}

function put(header: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) header[at + i] = text.charCodeAt(i);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((b) => b === 0);
}

function roundUp(n: number): number {
  return Math.ceil(n / BLOCK) * BLOCK;
}

export function unreadable(reason: string, cause?: unknown): EigenError {
  return new EigenError('EW6001_BUNDLE_UNREADABLE', `bundle cannot be read: ${reason}`, {
    hint: 'Check that this is an .ewb file and that it arrived whole; `eigenweights compress` or `compile` makes a new one.',
    cause,
  });
}

export function tampered(reason: string): EigenError {
  return new EigenError('EW6002_BUNDLE_TAMPERED', `bundle was changed after it was made: ${reason}`, {
    hint: 'Do not use it. Fetch it again and compare its digest with the one `eigenweights inspect` prints where it was made.',
  });
}
