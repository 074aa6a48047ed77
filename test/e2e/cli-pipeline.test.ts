// timeout: 600
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { readNpz, writeNpz } from '../../sdk/util/npz.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { cli } from '../support/cli-process.ts';
import { withExternalData } from '../support/external-data.ts';
import { relativeError, runOnnx } from '../support/onnxruntime.ts';
import { noise } from '../support/small-models.ts';

/** From a model file to outputs, through the command line as users see it. */

const CLASSES = 10;
const FEATURES = 64;
const HIDDEN = 96;
const SAMPLES = 64;
let folder = '';

/** Runs with --json and returns the document; fails on another exit code than expected. */
function ask(code: number, ...args: string[]) {
  const r = cli(folder, ...args, '--json');
  assert.is(r.status, code, r.stdout + r.stderr);
  return JSON.parse(r.stdout);
}

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-cli-'));
  const rng = new Rng(7);
  const model = onnxModel({
    inputs: [{ name: 'x', shape: ['batch', FEATURES] }],
    outputs: [{ name: 'y', shape: ['batch', CLASSES] }],
    initializers: {
      w1: noise(rng, [FEATURES, HIDDEN], 0.15),
      b1: noise(rng, [HIDDEN], 0.1),
      w2: noise(rng, [HIDDEN, CLASSES], 0.3),
      b2: noise(rng, [CLASSES], 0.1),
    },
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w1', 'b1'], outputs: ['h'] },
      { op: 'Relu', inputs: ['h'], outputs: ['r'] },
      { op: 'Gemm', inputs: ['r', 'w2', 'b2'], outputs: ['y'] },
    ],
  });
  writeFileSync(join(folder, 'model.onnx'), model);
  writeFileSync(join(folder, 'calib.npz'), writeNpz({ x: noise(rng, [SAMPLES, FEATURES], 1) }));
  const labels = tensor('i32', [SAMPLES], new Int32Array(SAMPLES));
  writeFileSync(join(folder, 'eval.npz'), writeNpz({ x: noise(rng, [SAMPLES, FEATURES], 1), labels }));
  writeFileSync(join(folder, 'wrong.npz'), writeNpz({ z: noise(rng, [4, FEATURES], 1) }));
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test('inspect says what the model takes', () => {
  const { data } = ask(0, 'inspect', 'model.onnx');
  assert.equal(data.inputs, [{ name: 'x', dtype: 'f32', shape: [1, FEATURES] }]);
  assert.is(data.parameters, FEATURES * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES);
});

test('compile twice gives the same bytes, and the bundle proves itself', () => {
  ask(0, 'compile', 'model.onnx', '--target', 'raspberry-pi-5', '-o', 'a.ewb');
  ask(0, 'compile', 'model.onnx', '--target', 'raspberry-pi-5', '-o', 'b.ewb');
  assert.ok(readFileSync(join(folder, 'a.ewb')).equals(readFileSync(join(folder, 'b.ewb'))));
  assert.is(ask(0, 'run', 'a.ewb', '--self-test').data.selfTest.cases, 2);
});

test('the reference engine says the same, and how it was compared', () => {
  const { data } = ask(0, 'run', 'a.ewb', '--engine', 'reference', '--self-test', '--input', 'eval.npz');
  assert.is(data.engine, 'reference');
  assert.is(data.samples, SAMPLES);
  assert.ok(data.selfTest.largestError <= data.selfTest.allowedError);
  const { timings } = ask(
    0,
    'bench',
    'a.ewb',
    '--against',
    'model.onnx',
    '--rounds',
    '2',
    '--engine',
    'reference',
  ).data;
  assert.is(timings[0].name, 'eigenweights (reference)');
});

test('outputs do not depend on the number of threads; labels beside the inputs are left alone', () => {
  ask(0, 'run', 'a.ewb', '--input', 'eval.npz', '--output', 'one.npz');
  ask(0, 'run', 'a.ewb', '--input', 'eval.npz', '--output', 'two.npz', '--threads', '2');
  assert.ok(readFileSync(join(folder, 'one.npz')).equals(readFileSync(join(folder, 'two.npz'))));
  assert.equal(readNpz(readFileSync(join(folder, 'one.npz'))).y!.shape, [SAMPLES, CLASSES]);
});

test('bench agrees with onnxruntime on the outputs', () => {
  const { data } = ask(0, 'bench', 'a.ewb', '--against', 'model.onnx', '--rounds', '3');
  const web = data.timings.find((t: { name: string }) => t.name === 'onnxruntime-web');
  assert.ok(web.error < 1e-4, `error ${web.error}`);
  assert.ok(data.speedups['onnxruntime-web'] > 0);
});

test('bench finds weights beside the model, and says when the model is another', () => {
  const { model, data } = withExternalData(readFileSync(join(folder, 'model.onnx')), 'apart.data');
  writeFileSync(join(folder, 'apart.onnx'), model);
  writeFileSync(join(folder, 'apart.data'), data);
  const bench = ['bench', 'a.ewb', '--rounds', '3', '--against'];
  const { timings } = ask(0, ...bench, 'apart.onnx').data;
  assert.ok(timings[1].error < 1e-5, `error ${timings[1].error}`);
  const relu = { op: 'Relu', inputs: ['x'], outputs: ['y'] };
  const other = onnxModel({ inputs: [{ name: 'x', shape: [1, 3] }], outputs: ['y'], nodes: [relu] });
  writeFileSync(join(folder, 'other.onnx'), other);
  assert.is(ask(3, ...bench, 'other.onnx').error.code, 'EW3202_DATA_INVALID');
});

test('fit says yes to a Raspberry Pi and no to a time that is too short', () => {
  assert.ok(ask(0, 'fit', 'a.ewb', '--target', 'raspberry-pi-4b').data.fits);
  const no = ask(4, 'fit', 'model.onnx', '--target', 'raspberry-pi-4b', '--max-latency', '0.001us');
  assert.is(no.error.code, 'EW2003_DOES_NOT_FIT');
  assert.is(no.data.fits, false);
});

test('compress keeps to its budget, is reproducible, and runs', () => {
  const line = [
    'compress',
    'model.onnx',
    '--target',
    'raspberry-pi-4b',
    '--calib',
    'calib.npz',
    '--eval',
    'eval.npz',
    '--budget',
    '5x',
    '--min-quality',
    '0.5',
  ];
  const { data } = ask(0, ...line, '-o', 'c.ewb');
  assert.ok(data.report.totals.wireBytes <= data.wireBudgetBytes);
  assert.ok(
    data.evaluation.interval[0] <= data.evaluation.quality && data.evaluation.quality <= data.evaluation.interval[1],
  );
  ask(0, ...line, '-o', 'd.ewb');
  assert.ok(readFileSync(join(folder, 'c.ewb')).equals(readFileSync(join(folder, 'd.ewb'))));
  ask(0, 'run', 'c.ewb', '--self-test');
  const { size } = ask(0, 'inspect', 'c.ewb').data;
  const payload = Object.values(size.weights as Record<string, number>).reduce((a, b) => a + b, 0);
  assert.ok(payload <= data.wireBudgetBytes, `${payload} bytes in the bundle, budget ${data.wireBudgetBytes}`);
});

test('run --quality-at runs from the beginning of a bundle', () => {
  const { report } = ask(0, 'inspect', 'c.ewb').data;
  const points = report.progressive as { bytes: number; share: number; quality: number; samples: number }[];
  assert.ok(points.length > 1);
  assert.is(points.at(-1)!.share, 1);
  assert.ok(points[0]!.share < 0.9 && points[0]!.quality > 0 && points[0]!.samples > 0);
  const bytes = statSync(join(folder, 'c.ewb')).size;
  const part = ['run', 'c.ewb', '--quality-at', String(bytes - 2100)];
  const { data } = ask(0, ...part, '--input', 'eval.npz', '--self-test');
  assert.ok(data.received.segments < data.received.segmentsInAll);
  assert.is(data.received.share, data.received.weightBytes / data.received.weightBytesInAll);
  assert.is(data.samples, SAMPLES);
  assert.is(data.selfTest.comparison, 'none');
  assert.match(cli(folder, ...part, '--self-test').stdout, 'compared with nothing');
  assert.is(ask(0, 'run', 'c.ewb', '--quality-at', '10MB', '--self-test').data.received, undefined);
  const few = ask(6, 'run', 'c.ewb', '--quality-at', '2kB', '--self-test');
  assert.is(few.error.code, 'EW6005_BUNDLE_INCOMPLETE');
  assert.ok(few.error.details.needed > 2000 && few.error.details.needed < bytes);
});

test('frontier: eight sizes and a page, kept points are not measured again', () => {
  const line = [
    'frontier',
    'model.onnx',
    '--target',
    'raspberry-pi-4b',
    '--calib',
    'calib.npz',
    '--resume',
    'points.json',
  ];
  const { data } = ask(0, ...line, '-o', 'frontier.html');
  assert.is(data.points.length, 8);
  const sizes = data.points.map((p: { wireBytes: number }) => p.wireBytes);
  assert.equal(
    sizes,
    [...sizes].sort((a, b) => a - b),
  );
  assert.ok(data.points.every((p: { low: number; quality: number }) => p.low <= p.quality));
  // Published latencies are of native code, which there is where a compiler is.
  assert.ok(['calibrated', 'estimated'].includes(data.latencyOrigin));
  assert.match(readFileSync(join(folder, 'frontier.html'), 'utf8'), '<svg');
  const again = ask(0, ...line);
  assert.equal(again.data, data);
  ask(0, ...line.slice(0, -1), 'none.json', '--points', '2', '-o', 'none.html', '-n');
  for (const name of ['none.json', 'none.html']) assert.not.ok(existsSync(join(folder, name)), name);
  assert.is(ask(2, ...line, '--seed', '2').error.code, 'EW1001_USAGE');
  assert.is(ask(2, ...line, '--from', '8x', '--to', '8x').error.code, 'EW1001_USAGE');
});

test('compress by quality alone, and under limits of memory and time', () => {
  const line = ['compress', 'model.onnx', '--target', 'raspberry-pi-4b', '--calib', 'calib.npz', '-o', 'q.ewb'];
  const { data } = ask(0, ...line, '--min-quality', '0.97', '--report', 'q.html');
  assert.equal(data.report.binds, ['quality']);
  assert.ok(data.report.gate.quality >= 0.97 && data.report.frontier.length > 2);
  assert.match(readFileSync(join(folder, 'q.html'), 'utf8'), 'Error per layer');
  const ram = ask(4, ...line, '--max-ram', '2kB');
  assert.is(ram.error.code, 'EW4002_BUDGET_NOT_MET');
  assert.match(ram.error.message, '--max-ram is 2.00 kB');
  assert.is(ram.error.details.binds[0], 'resident');
  const time = ask(4, ...line, '--max-latency', '1us');
  assert.match(time.error.message, '--max-latency is 1.00 us');
  assert.is(time.error.details.binds[0], 'latency');
});

test('export writes an ONNX file that gives the same outputs and reads back', async () => {
  for (const matmul of ['qdq', 'nbits']) {
    const { data } = ask(0, 'export', 'c.ewb', '--format', 'onnx', '--matmul', matmul, '-o', 'c.onnx');
    const model = readFileSync(join(folder, 'c.onnx'));
    assert.is(data.bytes, model.length);
    assert.ok(data.bytes < data.originalBytes / 2);
    assert.is(
      Object.values<number>(data.forms.QLinear).reduce((a, b) => a + b),
      2,
    );
    // Constants of the arithmetic, such as 127, are counted too.
    const more = ask(0, 'inspect', 'c.onnx').data.parameters - (FEATURES + 1) * HIDDEN - (HIDDEN + 1) * CLASSES;
    assert.ok(more >= 0 && more < 5, `${more} parameters more`);
    ask(0, 'run', 'c.ewb', '--input', 'eval.npz', '--output', 'ours.npz');
    const [x, ours] = ['eval', 'ours'].map((name) => readNpz(readFileSync(join(folder, `${name}.npz`))));
    const row = { ...x!.x!, shape: [1, FEATURES], data: x!.x!.data.slice(0, FEATURES) } as Tensor;
    const { y } = await runOnnx(model, { x: row });
    const expected = { ...ours!.y!, shape: [1, CLASSES], data: ours!.y!.data.slice(0, CLASSES) } as Tensor;
    assert.ok(relativeError(y!, expected) < 1e-5, `${matmul}: ${relativeError(y!, expected)}`);
  }
  ask(0, 'export', 'a.ewb', '-n', '-o', 'none.onnx');
  assert.not(existsSync(join(folder, 'none.onnx')));
});

test('a dry run plans and writes nothing', () => {
  const { data } = ask(0, 'compress', 'model.onnx', '--target', 'host', '--calib', 'calib.npz', '-o', 'none.ewb', '-n');
  assert.is(data.estimate.layers, 2);
  assert.not(existsSync(join(folder, 'none.ewb')));
});

test('without data: inputs are made up, the quality is said to be unknown, and the bundle runs', () => {
  const line = ['compress', 'model.onnx', '--target', 'host', '-o', 'free.ewb'];
  const { data } = ask(0, ...line, '--data-free=-3,3');
  assert.is(data.dataFree, true);
  assert.ok(data.report.totals.ratio >= 7.9);
  ask(0, 'run', 'free.ewb', '--self-test');
  for (const wrong of [[], ['--calib', 'calib.npz', '--data-free=-3,3'], ['--data-free', '3']])
    assert.is(ask(2, ...line, ...wrong).error.code, 'EW1001_USAGE');
});

test('a budget that cannot be met: exit code 4, what is possible, nothing written', () => {
  const { error } = ask(
    4,
    'compress',
    'model.onnx',
    '--target',
    'host',
    '--calib',
    'calib.npz',
    '--budget',
    '64B',
    '-o',
    'none.ewb',
  );
  assert.is(error.code, 'EW4002_BUDGET_NOT_MET');
  assert.not(existsSync(join(folder, 'none.ewb')));
});

test('wrong data and damaged bundles are named', () => {
  const wrong = ask(3, 'compress', 'model.onnx', '--target', 'host', '--calib', 'wrong.npz', '-o', 'none.ewb');
  assert.is(wrong.error.code, 'EW3202_DATA_INVALID');
  assert.is(ask(3, 'run', 'a.ewb', '--input', 'wrong.npz').error.code, 'EW3202_DATA_INVALID');
  assert.is(ask(2, 'run', 'absent.ewb', '--self-test').error.code, 'EW1002_FILE_NOT_FOUND');
  const bytes = readFileSync(join(folder, 'a.ewb'));
  const at = bytes.length - 3000;
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(join(folder, 'bad.ewb'), bytes);
  assert.is(ask(6, 'run', 'bad.ewb', '--self-test').error.code, 'EW6002_BUNDLE_TAMPERED');
});

test('a place that cannot be written: exit code 2, and the bundle is not there', () => {
  writeFileSync(join(folder, 'file'), '');
  const { error } = ask(2, 'compile', 'model.onnx', '--target', 'host', '-o', 'file/out.ewb');
  assert.is(error.code, 'EW1003_WRITE_FAILED');
});

test.run();
