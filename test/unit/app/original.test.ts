import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readOriginal } from '../../../sdk/app/original.ts';
import { relativeError } from '../../../sdk/app/reference-test.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { sample } from '../../../sdk/ir/ops/lib/cases.ts';
import { openOracle } from '../../../sdk/measure/oracle/ort.ts';
import { ModelProtoSchema } from '../../../sdk/model/onnx/onnx_pb.ts';
import { loadModel } from '../../../sdk/model/sniff.ts';
import { onnxModel } from '../../../sdk/testing/onnx-builder.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { layer } from '../../support/tfjs/layer-cases.ts';
import { smallModel } from '../../support/tfjs/small.ts';

const folder = mkdtempSync(join(tmpdir(), 'ew-original-'));
test.after(() => rmSync(folder, { recursive: true }));

test('a TensorFlow.js model is compared as ONNX, in the sizes of the bundle', async () => {
  const conv = layer(
    'Conv1D',
    { filters: 2, kernel_size: [3], padding: 'same', batch_input_shape: [null, null, 2] },
    'c',
  );
  const { json, weights } = smallModel([conv, layer('GlobalMaxPooling1D', {}, 'top')], {
    'c/kernel': [3, 2, 2],
    'c/bias': [2],
  });
  writeFileSync(join(folder, 'model.json'), json);
  writeFileSync(join(folder, 'weights.bin'), weights);
  const dims = { 'c_input.1': 5 };
  const { bytes, externalData, fixed } = await readOriginal(folder, { dims, fixed: {} });
  assert.equal([externalData, fixed], [[], {}]);
  const oracle = await openOracle('onnxruntime-web', bytes);
  const inputs = { c_input: sample([1, 5, 2]) };
  const [ours, theirs] = [evaluateGraph(loadModel(folder, { dims }), inputs), await oracle.run(inputs)];
  await oracle.close();
  assert.ok(relativeError(ours.top!, theirs.top!) < 1e-5);
});

test('an ONNX file is what it is, with the inputs that the bundle has no more', async () => {
  const path = join(folder, 'add.onnx');
  const spec = { nodes: [{ op: 'Add', inputs: ['x', 'k'], outputs: ['y'] }], outputs: ['y'] };
  const bytes = onnxModel({ ...spec, inputs: ['x', 'k'].map((name) => ({ name, shape: [1] })) });
  writeFileSync(path, bytes);
  const original = await readOriginal(path, { dims: {}, fixed: { k: 3 } });
  assert.is(Buffer.compare(original.bytes, bytes), 0);
  assert.equal(original.fixed.k!.data, Float32Array.from([3]));
});

test('weights outside the folder of the model are refused', async () => {
  const spec = { nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], outputs: ['y'] };
  const inputs = [{ name: 'x', shape: [1, 4] }];
  const proto = fromBinary(ModelProtoSchema, onnxModel({ ...spec, inputs, initializers: { w: sample([4, 3]) } }));
  const w = proto.graph!.initializer[0]!;
  w.rawData = new Uint8Array();
  w.dataLocation = 1;
  w.externalData = [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: '../../w.data' }];
  const path = join(folder, 'outside.onnx');
  writeFileSync(path, toBinary(ModelProtoSchema, proto));
  const refused = await readOriginal(path, { dims: {}, fixed: {} }).catch((e: unknown) => e);
  assert.ok(isEigenError(refused) && refused.code === 'EW3001_MODEL_UNREADABLE', String(refused));
});

test.run();
