import type { Rng } from '../../../sdk/util/rng.ts';

const WAYS = ['flip', 'set', 'number', 'swap', 'cut', 'drop', 'double', 'zero', 'splice', 'insert'] as const;

/** What lengths and counts are wrong by. */
const NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/** Bytes with one to four things wrong; `others` are what pieces are taken from. */
export function mutated(bytes: Uint8Array, others: readonly Uint8Array[], rng: Rng): Uint8Array {
  let result = bytes;
  for (let n = 1 + rng.below(4); n > 0; n--) result = changed(result, others, rng);
  return result;
}

function changed(bytes: Uint8Array, others: readonly Uint8Array[], rng: Rng): Uint8Array {
  if (bytes.length === 0) return randomBytes(rng, 1 + rng.below(40));
  const copy = bytes.slice();
  const [at, span] = [rng.below(bytes.length), 1 + rng.below(32)];
  switch (oneOf(WAYS, rng)) {
    case 'flip':
      copy[at]! ^= 1 << rng.below(8);
      return copy;
    case 'set':
      copy[at] = rng.below(256);
      return copy;
    case 'number':
      if (bytes.length >= at + 4) new DataView(copy.buffer).setUint32(at, oneOf(NUMBERS, rng), rng.below(2) === 0);
      return copy;
    case 'swap': {
      const other = rng.below(bytes.length);
      [copy[at], copy[other]] = [copy[other]!, copy[at]!];
      return copy;
    }
    case 'cut':
      return copy.subarray(0, at);
    case 'drop':
      return joined(bytes.subarray(0, at), bytes.subarray(at + span));
    case 'double':
      return joined(bytes.subarray(0, at + span), bytes.subarray(at));
    case 'zero':
      return copy.fill(0, at, at + span);
    case 'splice': {
      const other = others.length > 0 ? oneOf(others, rng) : bytes;
      return joined(bytes.subarray(0, at), other.subarray(rng.below(other.length + 1)));
    }
    case 'insert':
      return joined(bytes.subarray(0, at), randomBytes(rng, span), bytes.subarray(at));
  }
}

export function randomBytes(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => rng.below(256));
}

export function oneOf<T>(list: readonly T[], rng: Rng): T {
  return list[rng.below(list.length)]!;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Values that programs do not expect; CBOR and JSON can both have them. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 1.5, -0.5, 255, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53, 1e300],
  ...[
    '',
    '..',
    '../x',
    '__proto__',
    'constructor',
    'toString',
    '\0',
    'ü',
    'a'.repeat(3000),
    '1e9',
    '2099-01-01T00:00:00Z',
  ],
  ...[[], {}, [[]], [null], { type: 'chunk' }, Array(300).fill(0), nested(60)],
];

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** A tree of values with one to three things wrong: values that are others, are gone, doubled or under another name. */
export function mutatedTree(tree: unknown, rng: Rng): unknown {
  let result = tree;
  for (let n = 1 + rng.below(3); n > 0; n--) {
    const chosen = { left: rng.below(sizeOf(result)) };
    result = changedAt(result, chosen, rng);
  }
  return result;
}

function sizeOf(value: unknown): number {
  return isTree(value) ? Object.values(value).reduce((sum: number, v) => sum + sizeOf(v), 1) : 1;
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

function changedAt(value: unknown, chosen: { left: number }, rng: Rng): unknown {
  if (chosen.left-- === 0) return changedValue(value, rng);
  if (!isTree(value)) return value;
  if (Array.isArray(value)) return value.map((item) => changedAt(item, chosen, rng));
  const members = Object.entries(value).flatMap(([name, item]): [string, unknown][] => {
    if (chosen.left !== 0 || rng.below(3) > 0) return [[name, changedAt(item, chosen, rng)]];
    chosen.left--;
    return rng.below(2) === 0 ? [] : [[oneOf(['__proto__', '', 'v', `${name}x`], rng), item]];
  });
  return Object.fromEntries(members);
}

function changedValue(value: unknown, rng: Rng): unknown {
  const way = rng.below(6);
  if (way === 0) return [value, value];
  if (way === 1 && typeof value === 'number') return value + oneOf([-1, 1, 2 ** 32], rng);
  if (way === 1 && typeof value === 'string') return value.slice(0, rng.below(value.length + 1));
  if (way === 1 && value instanceof Uint8Array) return mutated(value, [], rng);
  if (way === 1 && Array.isArray(value)) return [...value, ...value];
  return oneOf(ODD, rng);
}
