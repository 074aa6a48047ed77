import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../../sdk/util/errors.ts';
import { readNpy, writeNpy } from '../../../sdk/util/npy.ts';
import { DTYPE_BYTES, type DType, tensor } from '../../../sdk/util/tensor.ts';

/** An .npy file by the rules of the format, independent of the writer under test. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = `${header}\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(text.length, 0, length.length);
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(text),
    data,
  ]);
}

function fails(bytes: Uint8Array, reason: RegExp): void {
  try {
    readNpy(bytes, 'x.npy');
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    assert.is(e.code, 'EW3201_DATA_UNREADABLE');
    assert.match(e.message, reason);
    assert.ok(e.message.startsWith('x.npy: '));
    return;
  }
  assert.unreachable('not refused');
}

const f4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";

test('every dtype and rank survives', () => {
  for (const dtype of Object.keys(DTYPE_BYTES) as DType[]) {
    for (const shape of [[], [3], [2, 3], [0, 4], [1, 2, 3, 1]]) {
      const n = shape.reduce((a, b) => a * b, 1);
      const t = tensor(
        dtype,
        shape,
        Array.from({ length: n }, (_, i) => (dtype === 'bool' ? i % 2 : i)),
      );
      assert.equal(readNpy(writeNpy(t)), t);
    }
  }
});

test('the header is what NumPy writes', () => {
  const bytes = writeNpy(tensor('f32', [2], [1, 2]));
  assert.is(bytes.length, 64 + 64 + 8);
  assert.is(Buffer.from(bytes.subarray(0, 10)).toString('hex'), '934e554d5059010076'.concat('00'));
  assert.is(Buffer.from(bytes.subarray(10, 128)).toString('latin1'), `${f4.padEnd(117)}\n`);
});

test('versions 2 and 3, keys in any order, half precision, Fortran order, unaligned data', () => {
  const ones = new Uint8Array(Float32Array.of(1, 2).buffer);
  assert.equal(readNpy(npy(f4, ones, 2)).data, Float32Array.of(1, 2));
  assert.equal(
    readNpy(npy("{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}", ones, 3)).data,
    Float32Array.of(1, 2),
  );
  const half = readNpy(
    npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", Uint8Array.of(0, 0x3c, 0, 0xc0)),
  );
  assert.equal(half, tensor('f32', [2], [1, -2]));
  const fortran = readNpy(
    npy("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", Uint8Array.of(0, 10, 1, 11, 2, 12)),
  );
  assert.equal(fortran, tensor('i8', [2, 3], [0, 1, 2, 10, 11, 12]));
  const cube = Uint8Array.from({ length: 24 }, (_, i) => i);
  const c = readNpy(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", cube));
  for (let i = 0; i < 24; i++) assert.is(c.data[i], Math.floor(i / 12) + 2 * (Math.floor(i / 4) % 3) + 6 * (i % 4));
  const shifted = new Uint8Array(200);
  const file = npy(f4, ones);
  shifted.set(file, 3);
  assert.equal(readNpy(shifted.subarray(3, 3 + file.length)).data, Float32Array.of(1, 2));
});

test('bad files say why', () => {
  const data = new Uint8Array(8);
  fails(new Uint8Array(0), /not a \.npy file/);
  fails(new TextEncoder().encode('PK, or anything else'), /not a \.npy file/);
  fails(npy(f4, data, 9), /version 9\.0/);
  fails(npy(f4, data).subarray(0, 30), /ends before/);
  fails(npy(f4, data.subarray(1)), /needs 8 bytes of data, the file holds 7/);
  fails(npy(f4, new Uint8Array(9)), /needs 8 bytes of data, the file holds 9/);
  fails(npy(f4.replace('<f4', '>f4'), data), /'>f4' is big-endian/);
  fails(npy(f4.replace('<f4', '<c8'), data), /'<c8' is not supported/);
  fails(npy(f4.replace('<f4', '|O'), data), /'\|O' is not supported/);
  fails(npy(f4.replace("'<f4'", "[('a', '<f4')]"), data), /structured/);
  fails(npy(f4.replace('(2,)', '(2, -1)'), data), /not understood/);
  fails(npy(f4.replace('(2,)', '(99999999999999999999,)'), data), /not valid/);
  fails(npy('{}', data), /not understood/);
});

test.run();
