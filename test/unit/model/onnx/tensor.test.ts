import { create } from '@bufbuild/protobuf';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TensorProtoSchema } from '../../../../sdk/model/onnx/onnx_pb.ts';
import { readTensor } from '../../../../sdk/model/onnx/tensor.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';

const nibbles = { name: 't', dims: [5n] };

test('4-bit integers, two a byte, as raw data and in int32_data', () => {
  const rawData = Uint8Array.of(0xf1, 0x87, 0x03);
  const int4 = readTensor(create(TensorProtoSchema, { ...nibbles, dataType: 22, rawData }), undefined);
  assert.is(int4.dtype, 'i8');
  assert.equal([...int4.data], [1, -1, 7, -8, 3]);
  const fields = create(TensorProtoSchema, { ...nibbles, dataType: 21, int32Data: [0xf1, 0x87, 0x03] });
  const uint4 = readTensor(fields, undefined);
  assert.is(uint4.dtype, 'u8');
  assert.equal([...uint4.data], [1, 15, 7, 8, 3]);
});

test('a byte too few is named', () => {
  const short = create(TensorProtoSchema, { ...nibbles, dataType: 22, rawData: Uint8Array.of(1, 2) });
  try {
    readTensor(short, undefined);
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW3002_MODEL_INVALID');
    assert.match((e as Error).message, /needs 3 bytes, the file has 2/);
  }
});

test.run();
