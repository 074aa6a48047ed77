import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import { loadModel, modelDigest } from '../../../../sdk/model/sniff.ts';
import { readTfjs, tfjsShards } from '../../../../sdk/model/tfjs/index.ts';
import { toNumbers } from '../../../../sdk/util/tensor.ts';
import { refusal } from '../../../support/refusal.ts';
import { graphDef, type NodeLine } from '../../../support/tfjs/graph-def.ts';
import { layer } from '../../../support/tfjs/layer-cases.ts';
import { counted, encode, type SmallModel, smallModel } from '../../../support/tfjs/small.ts';

const dense = smallModel([layer('Dense', { units: 2, batch_input_shape: [null, 3] }, 'out')], {
  'out/kernel': [3, 2],
  'out/bias': [2],
});
const open = ({ json, weights }: SmallModel, options = {}) =>
  readTfjs(json, { name: 'net', shards: () => weights, ...options });

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'ew-tfjs-'));
  try {
    mkdirSync(join(folder, 'digits'));
    writeFileSync(join(folder, 'digits/model.json'), dense.json);
    writeFileSync(join(folder, 'digits/weights.bin'), dense.weights);
    run(join(folder, 'digits'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('model.json and its folder are the same model, named after the folder', () =>
  inFolder((folder) => {
    for (const path of [folder, join(folder, 'model.json')]) {
      const graph = loadModel(path);
      assert.is(graph.name, 'digits');
      const y = toNumbers(evaluateGraph(graph, { out_input: counted([1, 3]) }).out!);
      assert.equal(
        y.map((v) => v.toFixed(5)),
        ['0.10000', '0.23000'],
      );
    }
    const before = modelDigest(folder);
    assert.is(modelDigest(join(folder, 'model.json')), before);
    writeFileSync(
      join(folder, 'weights.bin'),
      dense.weights.map((b) => b ^ 1),
    );
    assert.is.not(modelDigest(folder), before, 'other weights');
  }));

test('files that are missing, cut or elsewhere are named', () =>
  inFolder((folder) => {
    writeFileSync(join(folder, 'weights.bin'), dense.weights.subarray(1));
    assert.match(
      refusal(() => loadModel(folder)),
      /EW3001.*need 32 bytes, weights.bin has 31/,
    );
    rmSync(join(folder, 'weights.bin'));
    assert.match(
      refusal(() => loadModel(folder)),
      /EW1002.*cannot read the data file '.*weights.bin'/,
    );
    const text = new TextDecoder().decode(dense.json).replace('weights.bin', '../weights.bin');
    writeFileSync(join(folder, 'model.json'), text);
    assert.match(
      refusal(() => loadModel(folder)),
      /EW3001.*'\.\.\/weights\.bin', outside its folder/,
    );
    rmSync(join(folder, 'model.json'));
    assert.match(
      refusal(() => loadModel(folder)),
      /EW1002.*folder without a model.json/,
    );
    assert.match(
      refusal(() => open({ ...dense, json: dense.json.subarray(0, 40) })),
      /EW3001.*not a readable model.json/,
    );
    assert.equal(tfjsShards(dense.json), ['weights.bin']);
  }));

test('open dimensions are bound like those of ONNX', () => {
  const words = smallModel([layer('Dense', { units: 2, batch_input_shape: [null, null, 3] }, 'out')], {
    'out/kernel': [3, 2],
    'out/bias': [2],
  });
  assert.match(
    refusal(() => open(words)),
    /EW3003.*out_input.1/,
  );
  assert.equal(open(words, { dims: { 'out_input.1': 4 } }).values.get('out')!.type.shape, [1, 4, 2]);
  assert.equal(open(words, { dims: { 'out_input.0': 5, 'out_input.1': 4 } }).values.get('out')!.type.shape, [5, 4, 2]);
  assert.match(
    refusal(() => open(words, { dims: { T: 4 } })),
    /EW1001.*no dynamic dimension 'T'/,
  );
});

const graph = (nodes: readonly NodeLine[], outputs: readonly string[], more = {}) =>
  encode({
    ...graphDef({ name: '', inputs: { x: [-1, 4] }, weights: {}, nodes, outputs }),
    weightsManifest: [],
    ...more,
  });
const read = (json: Uint8Array) => readTfjs(json, { name: 'net', shards: () => new Uint8Array() });

test('all that is not supported is listed, with the nodes', () => {
  const json = graph(
    [
      ['top', 'TopKV2', 'x x'],
      ['a/boxes', 'NonMaxSuppressionV5', 'top'],
      ['b/boxes', 'NonMaxSuppressionV5', 'a/boxes'],
      ['unread', 'Mystery', 'x'],
    ],
    ['b/boxes'],
  );
  assert.match(
    refusal(() => read(json)),
    /EW3102.*NonMaxSuppressionV5 \(2: 'b\/boxes', 'a\/boxes'\); TopKV2 \(1: 'top'\)$/,
  );
  const nested = layer(
    'TimeDistributed',
    { layer: layer('ConvLSTM2D', {}, 'inner'), batch_input_shape: [null, 2] },
    'outer',
  );
  assert.match(
    refusal(() => open(smallModel([nested], {}))),
    /EW3102.* layer ConvLSTM2D of 'inner' is not supported/,
  );
});

test('an operator used in a way that is not supported is named', () => {
  assert.match(
    refusal(() => read(graph([['y', 'Cast', 'x']], ['y']))),
    /EW3103.* Cast 'y'/,
  );
  assert.match(
    refusal(() => read(graph([['y', 'MatMul', 'x x']], ['y']))),
    /EW3103.* MatMul 'y': /,
  );
  const relu = smallModel([layer('Activation', { activation: 'sharp', batch_input_shape: [null, 2] }, 'act')], {});
  assert.match(
    refusal(() => open(relu)),
    /EW3103.* Activation 'act': activation 'sharp' is not supported/,
  );
  const masked = smallModel([layer('Embedding', { mask_zero: true, batch_input_shape: [null, 2] }, 'words')], {});
  assert.match(
    refusal(() => open(masked)),
    /EW3103.* Embedding 'words': mask_zero/,
  );
});

test('what a layer or input says and is not supported is never ignored', () => {
  const first = (kind: string, shape: readonly number[], config: object, shapes = {}): string =>
    refusal(() => open(smallModel([layer(kind, { batch_input_shape: [null, ...shape], ...config }, 'l')], shapes)));
  const filter = { 'l/kernel': [3, 3, 1, 1], 'l/bias': [1] };
  const rnn = layer('SimpleRNN', { units: 1, use_bias: false }, 'r');
  const halves = Object.fromEntries(
    ['forward_r', 'backward_r'].flatMap((r) => [
      [`l/${r}/kernel`, [2, 1]],
      [`l/${r}/recurrent_kernel`, [1, 1]],
    ]),
  );
  for (const [expected, found] of [
    [/EW3103.*dilation_rate/, first('Conv2DTranspose', [4, 4, 1], { dilation_rate: [2, 2] }, filter)],
    [/EW3103.*time_major/, first('SimpleRNN', [2, 2], { units: 1, time_major: true })],
    [/EW3103.*rms_scaling/, first('LayerNormalization', [2, 2], { rms_scaling: true })],
    [/EW3103.*channels_first/, first('MaxPooling1D', [2, 4], { pool_size: [2], data_format: 'channels_first' })],
    [/EW3103.*channels_first/, first('AveragePooling1D', [2, 4], { pool_size: [2], data_format: 'channels_first' })],
    [/none/, first('Bidirectional', [2, 2], { merge_mode: 'sum', layer: rnn }, halves)],
    [
      /EW3103.*merge mode 'constructor'/,
      first('Bidirectional', [2, 2], { merge_mode: 'constructor', layer: rnn }, halves),
    ],
    [/EW3002.*of type "constructor"/, first('ReLU', [2], { dtype: 'constructor' })],
  ] as const)
    assert.match(found, expected);
  const typed = { ...graphDef({ name: '', inputs: { x: [1] }, weights: {}, nodes: [], outputs: ['x'] }) };
  const signature = JSON.parse(JSON.stringify(typed.signature).replace('DT_FLOAT', 'toString')) as object;
  assert.match(
    refusal(() => read(encode({ ...typed, signature, weightsManifest: [] }))),
    /EW3002.*is of type "toString"/,
  );
});

test('layers nested without end are refused', () => {
  for (const inner of ['layer', 'backward_layer']) {
    const depth = 20_000;
    const wrapped = `${`{"class_name":"Bidirectional","config":{"${inner}":`.repeat(depth)}1${'}}'.repeat(depth)}`;
    const json = `{"modelTopology":{"class_name":"Sequential","config":[${wrapped}]}}`;
    assert.match(
      refusal(() => read(new TextEncoder().encode(json))),
      /EW3002.*nested more than 20 deep/,
    );
  }
});

test('files that contradict themselves are refused', () => {
  const cases: readonly (readonly [RegExp, Uint8Array])[] = [
    [/EW3002.*node 'y' reads node 'gone', which is not there/, graph([['y', 'Relu', 'gone']], ['y'])],
    [
      /EW3002.*the nodes '[yz]' and '[yz]' form a cycle/,
      graph(
        [
          ['y', 'Relu', 'z'],
          ['z', 'Relu', 'y'],
        ],
        ['y'],
      ),
    ],
    [/EW3002.*output 'q' reads node 'q'/, graph([['y', 'Relu', 'x']], ['q'])],
    [
      /EW3002.*two nodes are named 'y'/,
      graph(
        [
          ['y', 'Relu', 'x'],
          ['y', 'Relu', 'x'],
        ],
        ['y'],
      ),
    ],
    [/EW3103.*Relu 'y': output 3 of node 'x'/, graph([['y', 'Relu', 'x:3']], ['y'])],
    [
      /EW3103.*Const 'c': the weights hold no numbers/,
      graph(
        [
          ['c', 'Const', ''],
          ['y', 'Add', 'x c'],
        ],
        ['y'],
      ),
    ],
    [/EW3002.*no modelTopology/, encode({ weightsManifest: [] })],
    [/EW3002.*a layer's class_name is nothing/, encode({ modelTopology: { a: 1 } })],
    [
      /EW3002.*the network 'sequential' has no layers/,
      encode({ modelTopology: { class_name: 'Sequential', config: [] } }),
    ],
  ];
  for (const [expected, json] of cases)
    assert.match(
      refusal(() => read(json)),
      expected,
    );
  const { weights } = dense;
  const lost = smallModel([layer('Dense', { units: 2, batch_input_shape: [null, 3] }, 'out')], { 'other/kernel': [8] });
  assert.match(
    refusal(() => open({ ...lost, weights })),
    /EW3002.*the weights hold no 'out\/bias'/,
  );
});

test.run();
