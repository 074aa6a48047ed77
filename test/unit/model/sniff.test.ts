import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, parse, relative } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sample } from '../../../sdk/ir/ops/lib/cases.ts';
import { readerBeside } from '../../../sdk/model/files.ts';
import { externalFiles } from '../../../sdk/model/onnx/index.ts';
import { ModelProtoSchema } from '../../../sdk/model/onnx/onnx_pb.ts';
import { loadModel, sniff } from '../../../sdk/model/sniff.ts';
import { onnxModel } from '../../../sdk/testing/onnx-builder.ts';
import { toNumbers } from '../../../sdk/util/tensor.ts';
import { refused } from '../../support/refusal.ts';

const weights = sample([4, 3]);
const model = onnxModel({
  inputs: [{ name: 'x', shape: [1, 4] }],
  outputs: ['y'],
  initializers: { w: weights },
  nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
});

/** The model with its weights moved to bytes `offset`.. of a file of that name. */
function withExternalData(location: string, offset: number, length = 48): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, model);
  const w = proto.graph!.initializer[0]!;
  w.rawData = new Uint8Array();
  w.dataLocation = 1;
  const entry = (key: string, value: string) => ({ $typeName: 'onnx.StringStringEntryProto' as const, key, value });
  w.externalData = [entry('location', location), entry('offset', String(offset)), entry('length', String(length))];
  return toBinary(ModelProtoSchema, proto);
}

const codeOf = (f: () => unknown) => refused(f)?.code ?? 'none';

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'ew-model-'));
  try {
    run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('formats are told by content', () => {
  assert.is(sniff(model), 'onnx');
  assert.is(
    sniff(new TextEncoder().encode('{"format": "graph-model", "modelTopology": {}, "weightsManifest": []}')),
    'tfjs',
  );
  assert.is(sniff(new TextEncoder().encode('\ufeff{"modelTopology": {}}')), 'tfjs', 'after a byte order mark');
  const header = new Uint8Array(512);
  header.set(new TextEncoder().encode('ustar'), 257);
  assert.is(sniff(header), 'unknown', 'some other archive');
  header.set(new TextEncoder().encode('manifest.json'));
  assert.is(sniff(header), 'ewb');
  assert.is(sniff(new TextEncoder().encode('hello, this is text')), 'unknown');
  assert.is(sniff(new Uint8Array()), 'unknown');
});

test('a model is read with its external data, and is named after its file', () =>
  inFolder((folder) => {
    writeFileSync(join(folder, 'net.onnx'), withExternalData('net.data', 16));
    writeFileSync(join(folder, 'net.data'), Buffer.concat([Buffer.alloc(16), Buffer.from(weights.data.buffer)]));
    const g = loadModel(join(folder, 'net.onnx'));
    assert.is(g.name, 'net');
    assert.equal(toNumbers(g.values.get('w')!.data!), toNumbers(weights));
  }));

test('files of external data are known by their names', () => {
  assert.equal(externalFiles(withExternalData('net.data', 16)), ['net.data']);
  assert.equal(externalFiles(model), []);
});

test('what cannot be a path is refused like a file that is not there', () =>
  inFolder((folder) => {
    const path = join(folder, 'net.onnx');
    writeFileSync(path, model);
    for (const wrong of [join(path, 'x'), join(folder, 'y'.repeat(300)), `${folder}/a\0b`])
      assert.is(
        codeOf(() => loadModel(wrong)),
        'EW1002_FILE_NOT_FOUND',
        wrong.slice(-20),
      );
  }));

test('a model in the root folder has its data beside it', () =>
  inFolder((folder) => {
    writeFileSync(join(folder, 'data'), 'x');
    const { root } = parse(folder);
    assert.is(readerBeside(root)(relative(root, join(folder, 'data'))).length, 1);
  }));

test('missing, truncated and outside data files', () =>
  inFolder((folder) => {
    const path = join(folder, 'net.onnx');
    assert.is(
      codeOf(() => loadModel(path)),
      'EW1002_FILE_NOT_FOUND',
    );
    writeFileSync(path, withExternalData('net.data', 0));
    assert.is(
      codeOf(() => loadModel(path)),
      'EW1002_FILE_NOT_FOUND',
    );
    writeFileSync(join(folder, 'net.data'), Buffer.alloc(20));
    assert.is(
      codeOf(() => loadModel(path)),
      'EW3001_MODEL_UNREADABLE',
    );
    writeFileSync(path, withExternalData('../net.data', 0));
    assert.is(
      codeOf(() => loadModel(path)),
      'EW3001_MODEL_UNREADABLE',
    );
    writeFileSync(path, 'plain text, no model');
    assert.is(
      codeOf(() => loadModel(path)),
      'EW3001_MODEL_UNREADABLE',
    );
  }));

test.run();
