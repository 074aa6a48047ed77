import { ByteReader, ByteWriter, damaged } from '../../wire/bits.ts';
import { unzigzag, zigzag } from '../../wire/tokens.ts';
import { deflate, inflate } from '../deflate.ts';

/**
 * Differences of plain bytes: a list of runs, each a number of new bytes, then a number of bytes copied from the old ones, and how far
 * that is from where the last copy ended. Manifests and kernels of like models share long stretches; numbers in them differ.
 *
 *   varint bytes inflated, deflated: varint bytes of the list, the list, the new bytes.
 */
const WORD = 8;
const TABLE_BITS = 16;

/** Shorter copies cost more than their bytes. */
const LEAST = 12;

export function encodePatch(old: Uint8Array, now: Uint8Array): Uint8Array {
  const list = new ByteWriter();
  const fresh = new ByteWriter();
  const table = tableOf(old);
  let copied = 0;
  let written = 0;
  let at = 0;
  while (at < now.length) {
    const { from, length } = longestCopy(old, now, { at, table, expected: copied + (at - written) });
    if (length < LEAST) {
      at++;
      continue;
    }
    list.varint(at - written);
    list.varint(length);
    list.varint(zigzag(from - copied));
    fresh.bytes(now.subarray(written, at));
    at += length;
    written = at;
    copied = from + length;
  }
  fresh.bytes(now.subarray(written));
  const runs = list.finish();
  const content = new ByteWriter();
  content.varint(runs.length);
  content.bytes(runs);
  content.bytes(fresh.finish());
  const plain = content.finish();
  const out = new ByteWriter();
  out.varint(plain.length);
  out.bytes(deflate(plain));
  return out.finish();
}

/** The last place of every word, by a hash of it. */
function tableOf(old: Uint8Array): Int32Array {
  const table = new Int32Array(2 ** TABLE_BITS).fill(-1);
  for (let at = 0; at + WORD <= old.length; at++) table[hashOf(old, at)] = at;
  return table;
}

function hashOf(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < WORD; i++) hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193);
  return (hash ^ (hash >>> TABLE_BITS)) & (2 ** TABLE_BITS - 1);
}

/** The better of going on where the last copy would be by now, and where the next word was. */
function longestCopy(
  old: Uint8Array,
  now: Uint8Array,
  { at, table, expected }: { readonly at: number; readonly table: Int32Array; readonly expected: number },
): { readonly from: number; readonly length: number } {
  const straight = { from: expected, length: commonLength(old, expected, now, at) };
  if (at + WORD > now.length) return straight;
  const from = table[hashOf(now, at)]!;
  if (from < 0) return straight;
  const found = { from, length: commonLength(old, from, now, at) };
  return found.length > straight.length ? found : straight;
}

function commonLength(old: Uint8Array, from: number, now: Uint8Array, at: number): number {
  let n = 0;
  while (from + n < old.length && at + n < now.length && old[from + n] === now[at + n]) n++;
  return n;
}

/**
 * The new bytes, exactly `size` of them.
 * @throws EigenError EW6001 or EW6002 when the patch is not one of these old bytes.
 */
export function decodePatch(patch: Uint8Array, old: Uint8Array, size: number): Uint8Array {
  const outer = new ByteReader(patch);
  const plain = outer.varint();
  // A run takes three bytes and more and gives at least LEAST.
  if (plain > 2 * size + 64) throw damaged('a patch is larger than what it makes');
  const reader = new ByteReader(inflate(outer.bytes(outer.remaining), plain, 'patch'));
  const runs = new ByteReader(reader.bytes(reader.varint()));
  const out = new Uint8Array(size);
  let written = 0;
  let copied = 0;
  const put = (bytes: Uint8Array): void => {
    if (written + bytes.length > size) throw damaged('a patch makes too many bytes');
    out.set(bytes, written);
    written += bytes.length;
  };
  while (runs.remaining > 0) {
    put(reader.bytes(runs.varint()));
    const length = runs.varint();
    const from = copied + unzigzag(runs.varint());
    if (from < 0 || from + length > old.length) throw damaged('a patch copies what is not there');
    put(old.subarray(from, from + length));
    copied = from + length;
  }
  put(reader.bytes(reader.remaining));
  if (written !== size) throw damaged('a patch makes too few bytes');
  return out;
}
