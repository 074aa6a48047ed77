import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FOREIGN, type ForeignFormat, foreignFormat } from '../../../sdk/model/foreign.ts';
import { sniff } from '../../../sdk/model/sniff.ts';
import { onnxModel } from '../../../sdk/testing/onnx-builder.ts';
import { writeZip } from '../../../sdk/util/zip.ts';

const text = (s: string): number[] => [...s].map((c) => c.charCodeAt(0));
const bytes = (...parts: (number | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === 'string' ? text(p) : [p])));
const member = (name: string): { name: string; bytes: Uint8Array } => ({ name, bytes: new Uint8Array(100) });

/** Field 1, a node with a name and an operator. */
function graphDef(name: string, op: string): Uint8Array {
  const node = bytes(0x0a, name.length, name, 0x12, op.length, op);
  return Uint8Array.from([0x0a, node.length, ...node]);
}

const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
const FILES: Readonly<Record<ForeignFormat, readonly Uint8Array[]>> = {
  tflite: [bytes(0x1c, 0, 0, 0, 'TFL3', 0x14, 0, 0x20, 0)],
  'tf-saved-model': [bytes(8, 1, 0x12, 8, 0x0a, 6, 0x22, 4, 't', 'a', 'g', 's')],
  'tf-graph': [graphDef('input', 'Placeholder'), graphDef('weights/kernel', 'Const')],
  keras: [writeZip(['metadata.json', 'config.json', 'model.weights.h5'].map(member))],
  hdf5: [bytes(0x89, 'HDF\r\n', 0x1a, '\n', 0, 0, 0)],
  torch: [
    writeZip(['archive/data.pkl', 'archive/data/0', 'archive/version'].map(member)),
    bytes(0x80, 2, 0x8a, 0x0a, 'l', 0xfc, 0x9c, 'F', 0xf9, ' ', 'j', 0xa8, 'P', 0x19, '.'),
  ],
  safetensors: [bytes(header.length, 0, 0, 0, 0, 0, 0, 0, header, 0, 0, 0, 0)],
};

test('models of other tools are told by content, with the way to ONNX', () => {
  for (const [format, files] of Object.entries(FILES) as [ForeignFormat, readonly Uint8Array[]][]) {
    for (const file of files) {
      assert.is(foreignFormat(file), format);
      assert.is(sniff(file), format);
    }
    assert.match(
      FOREIGN[format].convert('some/model'),
      /tf2onnx\.convert --.* --output model\.onnx|torch\.onnx\.export/,
    );
  }
});

test('the folder of a SavedModel is what is converted', () => {
  const { convert } = FOREIGN['tf-saved-model'];
  assert.ok(convert('nets/a/saved_model.pb').includes('--saved-model nets/a '));
  assert.ok(convert('saved_model.pb').includes('--saved-model . '));
  assert.ok(convert('/saved_model.pb').includes('--saved-model / '));
});

test('a path is one word of the command', () => {
  assert.ok(FOREIGN.tflite.convert("my nets/it's.tflite").includes(`--tflite 'my nets/it'\\''s.tflite' `));
  assert.ok(FOREIGN.hdf5.convert('netze/größe-2.h5').includes('--keras netze/größe-2.h5 '));
});

test('an ONNX file and other archives are none of them', () => {
  const relu = onnxModel({
    inputs: [{ name: 'x', shape: [1, 4] }],
    outputs: ['y'],
    nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
  });
  assert.is(foreignFormat(relu), undefined);
  assert.is(foreignFormat(writeZip([member('x.npy')])), undefined);
  assert.is(foreignFormat(bytes(0x0a)), undefined);
  assert.is(foreignFormat(bytes(8, 1, 0x12)), undefined);
  assert.is(foreignFormat(new Uint8Array()), undefined);
});

test.run();
