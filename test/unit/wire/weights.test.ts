import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../../sdk/util/errors.ts';
import { scaleFromLog8 } from '../../../sdk/util/log8.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { packWeight, residentBytes } from '../../../sdk/wire/layout.ts';
import { panelLayout } from '../../../sdk/wire/panels.ts';
import type { WeightLayout, WeightSlot } from '../../../sdk/wire/program.ts';
import {
  decodeWeights,
  encodeWeights,
  residentBlockBytes,
  type WireEncoding,
  type WireItem,
  wireSizes,
} from '../../../sdk/wire/weights.ts';

const codes = Int8Array.from({ length: 660 }, (_, i) => ((i * i) % 15) - 7);

interface Case {
  tensor: Tensor;
  layout: WeightLayout;
  encoding?: WireEncoding;
}

const exponents = Array.from({ length: 20 }, (_, i) => (i % 7) - 30);
const cases: Case[] = [
  {
    tensor: tensor('i8', [20, 33], codes),
    layout: panelLayout(codes, 20, 33),
    encoding: { kind: 'codes', bits: 4 },
  },
  {
    tensor: tensor(
      'f32',
      [20],
      exponents.map((e) => scaleFromLog8(0.5, e)),
    ),
    layout: { kind: 'log8', base: 0.5 },
    encoding: { kind: 'log8', base: 0.5, exponents },
  },
  { tensor: tensor('f32', [3], [0.5, -2, 0]), layout: { kind: 'f16' }, encoding: { kind: 'f16' } },
  { tensor: tensor('i32', [4], [1, -70000, 3, 2 ** 31 - 1]), layout: { kind: 'plain' }, encoding: { kind: 'ints' } },
  { tensor: tensor('i64', [2], [5, -6]), layout: { kind: 'narrow', to: 'i8' }, encoding: { kind: 'ints' } },
  { tensor: tensor('i64', [1], [2 ** 40]), layout: { kind: 'plain' }, encoding: { kind: 'ints' } },
  {
    tensor: tensor(
      'f32',
      [2, 9],
      Array.from({ length: 18 }, (_, i) => i / 3),
    ),
    layout: { kind: 'panelsF32', rows: 2, cols: 9 },
  },
  {
    tensor: tensor('i8', [3, 9], new Array(27).fill(5)),
    layout: { kind: 'transposed', rows: 3, cols: 9, multiple: 16 },
    encoding: { kind: 'codes', bits: 8 },
  },
  { tensor: tensor('f32', [0]), layout: { kind: 'plain' } },
];
const items: WireItem[] = cases.map((c, i) => ({
  name: `w${i}`,
  tensor: c.tensor,
  ...(c.encoding ? { encoding: c.encoding } : {}),
}));

function slotsOf(list: readonly Case[]): WeightSlot[] {
  let offset = 0;
  return list.map(({ tensor: t, layout }, i) => {
    const bytes = residentBytes(layout, t.dtype, t.shape);
    const slot = { name: `w${i}`, dtype: t.dtype, shape: t.shape, offset, bytes, layout };
    offset += Math.ceil(bytes / 64) * 64;
    return slot;
  });
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    return `${e.code} ${e.message}`;
  }
  return 'accepted';
}

test('every encoding and layout is installed as packed directly', () => {
  const { bytes, sizes } = encodeWeights(items);
  const slots = slotsOf(cases);
  const block = decodeWeights(bytes, slots);
  assert.is(block.length, residentBlockBytes(slots));
  cases.forEach((c, i) => {
    const want = packWeight(c.layout, c.tensor);
    assert.equal(block.slice(slots[i].offset, slots[i].offset + slots[i].bytes), want.slice());
  });
  assert.equal(
    sizes.map((s) => s.kind),
    ['codes', 'log8', 'f16', 'ints', 'ints', 'plain', 'plain', 'codes', 'plain'],
  );
  assert.is(
    sizes.reduce((sum, s) => sum + s.headerBytes + s.payloadBytes, 0),
    bytes.length,
  );
  assert.equal(wireSizes(bytes, slots), sizes);
  const shared = new Uint8Array(new SharedArrayBuffer(residentBlockBytes(slots)));
  assert.equal([...decodeWeights(bytes, slots, shared)], [...block]);
  assert.equal(encodeWeights(items).bytes, bytes);
});

test('an encoding that would lose something is refused', () => {
  const t = tensor('f32', [1], [0.1]);
  assert.throws(
    () => encodeWeights([{ name: 'w', tensor: t, encoding: { kind: 'f16' } }]),
    /'w': not exact in half precision/,
  );
  assert.throws(
    () => encodeWeights([{ name: 'w', tensor: t, encoding: { kind: 'log8', base: 1, exponents: [0] } }]),
    /do not agree/,
  );
  assert.throws(() => encodeWeights([{ name: 'w', tensor: t, encoding: { kind: 'codes', bits: 4 } }]), /codes are i8/);
});

test('streams and slots that do not match are refused by name', () => {
  const { bytes } = encodeWeights(items);
  const slots = slotsOf(cases);
  assert.match(
    codeOf(() => decodeWeights(bytes, slots.slice(1))),
    /EW6002.*holds 9 constants, the program has 8/,
  );
  assert.match(
    codeOf(() => decodeWeights(bytes.subarray(0, bytes.length - 1), slots)),
    /EW6002.*ends too early/,
  );
  const changed = (i: number, change: Partial<WeightSlot>) =>
    codeOf(() =>
      decodeWeights(
        bytes,
        slots.map((s, k) => (k === i ? { ...s, ...change } : s)),
      ),
    );
  assert.match(changed(2, { shape: [400], bytes: 800 }), /EW6002.*'w2'/);
  assert.match(changed(0, { layout: { ...panelLayout(codes, 20, 33), bits: 3 } }), /EW6002.*'w0'.*does not fit 3 bits/);
  const short = panelLayout(codes, 20, 33).bytes - 1;
  assert.match(
    changed(0, { layout: { ...panelLayout(codes, 20, 33), bytes: short }, bytes: short }),
    /EW6002.*'w0'.*the codes take/,
  );
  assert.match(changed(3, { bytes: 12 }), /EW6002.*'w3'.*does not match its layout/);
  assert.match(changed(6, { offset: 3 }), /EW6002.*'w6'.*offset/);
  assert.match(
    codeOf(() => decodeWeights(bytes, slots, new Uint8Array(64))),
    /EW6002/,
  );
});

test('any flipped byte: an EigenError or other weights, nothing else', () => {
  const { bytes } = encodeWeights(items);
  const slots = slotsOf(cases);
  for (let i = 0; i < bytes.length; i++) {
    for (const flip of [1, 0x80, 0xff]) {
      const bad = bytes.slice();
      bad[i] ^= flip;
      codeOf(() => decodeWeights(bad, slots));
    }
  }
});

test('matrices in a stack are coded like the same rows in one matrix', () => {
  const [rows, cols] = [64, 128];
  // Two kinds of rows, so that classes of rows pay.
  const codes = Array.from({ length: rows * cols }, (_, i) => ((i * i * 7) % (Math.floor(i / cols) % 2 ? 31 : 3)) - 1);
  const bytes = (shape: number[]): Uint8Array =>
    encodeWeights([{ name: 'w', tensor: tensor('i8', shape, codes), encoding: { kind: 'codes', bits: 6 } }]).bytes;
  assert.equal(bytes([1, rows, cols]), bytes([rows, cols]));
  assert.equal(bytes([2, rows / 2, cols]), bytes([rows, cols]));
});

test.run();
