import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../../sdk/testing/skip.ts';
import { crc32 } from '../../../sdk/util/crc32.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { writeNpy } from '../../../sdk/util/npy.ts';
import { readNpz, writeNpz } from '../../../sdk/util/npz.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { shared } from '../../support/shared.ts';

const a = tensor('f32', [2, 2], [1, 2, 3, 4]);
const b = tensor('i64', [3], [7, 8, 9]);

function reasonOf(bytes: Uint8Array): string {
  try {
    readNpz(bytes, 'x.npz');
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    assert.is(e.code, 'EW3201_DATA_UNREADABLE');
    return e.message;
  }
  return 'accepted';
}

/** One deflated member with zip64 sizes in both headers and a zip64 end record, as other writers make them. */
function zip64(name: string, data: Uint8Array): Uint8Array {
  const packed = deflateRawSync(data);
  const extra = Buffer.alloc(20);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(16, 2);
  extra.writeBigUInt64LE(BigInt(data.length), 4);
  extra.writeBigUInt64LE(BigInt(packed.length), 12);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(45, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(crc32(data), 10);
  common.fill(0xff, 14, 22);
  common.writeUInt16LE(name.length, 22);
  common.writeUInt16LE(extra.length, 24);
  const local = Buffer.concat([Buffer.from('504b0304', 'hex'), common, Buffer.from(name), extra, packed]);
  const central = Buffer.concat([
    Buffer.from('504b01022d00', 'hex'),
    common,
    Buffer.alloc(14),
    Buffer.from(name),
    extra,
  ]);
  const end64 = Buffer.alloc(56);
  end64.write('504b0606', 'hex');
  end64.writeBigUInt64LE(1n, 32);
  end64.writeBigUInt64LE(BigInt(central.length), 40);
  end64.writeBigUInt64LE(BigInt(local.length), 48);
  const locator = Buffer.alloc(20);
  locator.write('504b0607', 'hex');
  locator.writeBigUInt64LE(BigInt(local.length + central.length), 8);
  const end = Buffer.alloc(22, 0xff);
  end.write('504b0506', 'hex');
  end.writeUInt16LE(0, 20);
  return Buffer.concat([local, central, end64, locator, end]);
}

test('crc32 check value', () => {
  assert.is(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
});

test('stored and deflated archives survive, order kept', () => {
  for (const compress of [false, true]) {
    const back = readNpz(writeNpz({ z: a, b }, { compress }));
    assert.equal(back, { z: a, b });
    assert.equal(Object.keys(back), ['z', 'b']);
  }
  const many = tensor('f32', [64, 64]);
  assert.ok(writeNpz({ many }, { compress: true }).length < 1000);
});

test('the same arrays give the same bytes', () => {
  assert.equal(writeNpz({ a, b }, { compress: true }), writeNpz({ a, b }, { compress: true }));
  assert.not.equal(writeNpz({ a, b }), writeNpz({ b, a }));
});

test('archives of other writers: another zip library, zip64', () => {
  assert.equal(readNpz(zipSync({ 'a.npy': writeNpy(a), 'b.npy': writeNpy(b) })), { a, b });
  assert.equal(readNpz(zip64('a.npy', writeNpy(a))), { a });
});

test('a file of NumPy itself', () => {
  const path = shared('models', 'kws_dscnn', 'calib.npz');
  if (!path) return skip('a file of NumPy itself', 'no ../shared/models');
  const arrays = Object.values(readNpz(readFileSync(path)));
  assert.ok(arrays.length > 0 && arrays.every((t) => t.data.length > 0));
});

test('bad archives say why', () => {
  const good = writeNpz({ a, b }, { compress: true });
  assert.match(reasonOf(new Uint8Array(0)), /not a zip archive/);
  assert.match(reasonOf(new Uint8Array(100)), /not a zip archive/);
  for (const cut of [1, 30, 100, good.length - 5])
    assert.match(reasonOf(good.subarray(0, good.length - cut)), /not a zip archive|cut off/);
  const damaged = writeNpz({ a, b });
  damaged[170] ^= 1;
  assert.match(reasonOf(damaged), /member 'a\.npy': its checksum does not match/);
  assert.match(reasonOf(zipSync({ 'a.npy': new Uint8Array(5) })), /array 'a': not a \.npy file/);
  const method = writeNpz({ a });
  for (let i = 0; i < method.length - 4; i++)
    if (method[i] === 0x50 && method[i + 2] === 1 && method[i + 3] === 2) method[i + 10] = 12;
  assert.match(reasonOf(method), /compression method 12/);
});

test('any flipped byte is read the same, refused, or only renames', () => {
  const good = writeNpz({ a }, { compress: true });
  for (let i = 0; i < good.length; i++) {
    const bad = good.slice();
    bad[i] ^= 0x11;
    if (reasonOf(bad) === 'accepted') for (const t of Object.values(readNpz(bad))) assert.equal(t, a);
  }
});

test.run();
