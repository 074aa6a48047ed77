import { inflateRawSync } from 'node:zlib';
import { deflateSync } from 'fflate';
import { crc32 } from './crc32.ts';
import { EigenError } from './errors.ts';

/**
 * The part of zip (PKWARE APPNOTE 6.3) that .npz files use: stored and deflated members, zip64 sizes, no encryption.
 * Reading trusts the central directory and checks every CRC. Writing is reproducible: no clock, order as given, and
 * fflate's deflate, whose output does not depend on the Node version.
 */
export interface ZipMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const STORED = 0;
const DEFLATED = 8;
const MAX32 = 0xffffffff;
const DOS_DATE = 0x21; // 1980-01-01, the zero of the format

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
  readonly next: number;
}

function unreadable(source: string, reason: string, cause?: unknown): EigenError {
  return new EigenError('EW3201_DATA_UNREADABLE', `${source}: ${reason}`, {
    hint: 'The file is damaged or not a zip archive; write it again (numpy.savez, numpy.savez_compressed).',
    details: { source },
    cause,
  });
}

/**
 * All members of an archive, in directory order.
 * @throws EigenError EW3201_DATA_UNREADABLE with the reason.
 */
export function readZip(bytes: Uint8Array, source: string): ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const { count, start } = findDirectory(view, source);
    const out: ZipMember[] = [];
    let at = start;
    for (let i = 0; i < count; i++) {
      const entry = readEntry(view, at, source);
      at = entry.next;
      out.push({ name: entry.name, bytes: readMember(view, entry, source) });
    }
    return out;
  } catch (e) {
    // DataView throws RangeError for every read past the end, so a cut-off or lying archive ends here.
    if (e instanceof RangeError) throw unreadable(source, 'the zip archive is cut off', e);
    throw e;
  }
}

function findDirectory(view: DataView, source: string): { count: number; start: number } {
  const lowest = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) !== END || at + 22 + view.getUint16(at + 20, true) !== view.byteLength) continue;
    if (at >= 20 && view.getUint32(at - 20, true) === END64_LOCATOR) {
      const end64 = uint64(view, at - 12);
      if (view.getUint32(end64, true) !== END64) throw unreadable(source, 'the zip64 end record is damaged');
      return { count: uint64(view, end64 + 32), start: uint64(view, end64 + 48) };
    }
    return { count: view.getUint16(at + 10, true), start: view.getUint32(at + 16, true) };
  }
  throw unreadable(source, 'not a zip archive (no end-of-directory record): not a .npz file, or cut off');
}

function readEntry(view: DataView, at: number, source: string): Entry {
  if (view.getUint32(at, true) !== CENTRAL) throw unreadable(source, `zip directory entry at byte ${at} is damaged`);
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const nameStart = at + 46;
  const sizes = {
    size: view.getUint32(at + 24, true),
    packed: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  };
  let extra = nameStart + nameLength;
  const extraEnd = extra + extraLength;
  while (extra + 4 <= extraEnd) {
    const id = view.getUint16(extra, true);
    let field = extra + 4;
    extra = field + view.getUint16(extra + 2, true);
    if (id !== 1) continue;
    // Zip64: the 64-bit values stand for the saturated fields only, in this order.
    for (const key of ['size', 'packed', 'offset'] as const) {
      if (sizes[key] !== MAX32) continue;
      sizes[key] = uint64(view, field);
      field += 8;
    }
  }
  return {
    ...sizes,
    name: new TextDecoder().decode(slice(view, nameStart, nameLength)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    next: extraEnd + view.getUint16(at + 32, true),
  };
}

function readMember(view: DataView, entry: Entry, source: string): Uint8Array {
  const where = `${source}: member '${entry.name}'`;
  if (entry.flags & 1) throw unreadable(where, 'is encrypted');
  if (view.getUint32(entry.offset, true) !== LOCAL) throw unreadable(where, 'its local header is damaged');
  const dataStart =
    entry.offset + 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  const packed = slice(view, dataStart, entry.packed);
  const data = unpack(packed, entry, where);
  if (data.length !== entry.size)
    throw unreadable(where, `holds ${data.length} bytes, the directory says ${entry.size}`);
  if (crc32(data) !== entry.crc) throw unreadable(where, 'its checksum does not match: the data is damaged');
  return data;
}

function unpack(packed: Uint8Array, entry: Entry, where: string): Uint8Array {
  if (entry.method === STORED) return packed;
  if (entry.method !== DEFLATED)
    throw unreadable(where, `compression method ${entry.method} is not supported (0 and 8 are)`);
  // Deflate packs at most 1032:1, so a larger claim is a lie that must not be allocated.
  if (entry.size > packed.length * 1040 + 64)
    throw unreadable(where, `claims ${entry.size} bytes out of ${packed.length}`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
  } catch (e) {
    throw unreadable(where, 'its compressed data is damaged', e);
  }
}

/** A zip archive with these members, in this order. */
export function writeZip(members: readonly ZipMember[], options: { compress?: boolean } = {}): Uint8Array {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const member of members) {
    const name = new TextEncoder().encode(member.name);
    const data = options.compress ? deflateSync(member.bytes, { level: 6 }) : member.bytes;
    const common = commonFields(member.bytes, data.length, name.length, options.compress ? DEFLATED : STORED);
    const local = record(LOCAL, [common, name]);
    directory.push(record(CENTRAL, [Uint8Array.of(20, 0), common, centralFields(offset), name]));
    chunks.push(local, data);
    offset += local.length + data.length;
  }
  const directorySize = directory.reduce((sum, d) => sum + d.length, 0);
  if (offset + directorySize > MAX32 || members.length > 0xffff) {
    throw new RangeError(
      `zip: ${offset + directorySize} bytes in ${members.length} members need zip64, which is only read`,
    );
  }
  const end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, members.length, true);
  end.setUint16(6, members.length, true);
  end.setUint32(8, directorySize, true);
  end.setUint32(12, offset, true);
  return concat([...chunks, ...directory, record(END, [new Uint8Array(end.buffer)])]);
}

/** The 26 bytes that local and central headers share: version needed to the length of the extra field. */
function commonFields(data: Uint8Array, packed: number, nameLength: number, method: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(26));
  view.setUint16(0, 20, true);
  view.setUint16(2, 0x800, true); // names are UTF-8
  view.setUint16(4, method, true);
  view.setUint16(8, DOS_DATE, true);
  view.setUint32(10, crc32(data), true);
  view.setUint32(14, packed, true);
  view.setUint32(18, data.length, true);
  view.setUint16(22, nameLength, true);
  return new Uint8Array(view.buffer);
}

/** Comment length, disk, attributes (all zero), offset of the local header. */
function centralFields(offset: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(14));
  view.setUint32(10, offset, true);
  return new Uint8Array(view.buffer);
}

function record(signature: number, fields: readonly Uint8Array[]): Uint8Array {
  const head = new DataView(new ArrayBuffer(4));
  head.setUint32(0, signature, true);
  return concat([new Uint8Array(head.buffer), ...fields]);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, c) => sum + c.length, 0));
  let at = 0;
  for (const c of chunks) {
    out.set(c, at);
    at += c.length;
  }
  return out;
}

function slice(view: DataView, start: number, length: number): Uint8Array {
  if (start + length > view.byteLength) throw new RangeError('past the end');
  return new Uint8Array(view.buffer, view.byteOffset + start, length);
}

function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
