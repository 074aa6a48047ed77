// timeout: 400
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type OnnxModelSpec, onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { writeNpz } from '../../sdk/util/npz.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { CLI, type CliResult, cli, spawnIn } from '../support/cli-process.ts';
import { smallBundle } from '../support/small-bundle.ts';
import { noise, smallEmbedding } from '../support/small-models.ts';

/** Everything that users can hand over wrongly: exit code, message, no stack, and nothing under the final name. */

const [FEATURES, HIDDEN, CLASSES, SAMPLES] = [64, 96, 10, 96];
const OUT = 'out.ewb';
let folder = '';

const rng = new Rng(7);
const mlpWeights = {
  w1: noise(rng, [FEATURES, HIDDEN], 0.15),
  b1: noise(rng, [HIDDEN], 0.1),
  w2: noise(rng, [HIDDEN, CLASSES], 0.3),
  b2: noise(rng, [CLASSES], 0.1),
};
const x = noise(rng, [SAMPLES, FEATURES], 1);

function mlp(change: Partial<OnnxModelSpec> = {}): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'x', shape: ['batch', FEATURES] }],
    outputs: [{ name: 'y', shape: ['batch', CLASSES] }],
    initializers: mlpWeights,
    nodes: [
      { op: 'Gemm', name: 'first', inputs: ['x', 'w1', 'b1'], outputs: ['h'] },
      { op: 'Relu', name: 'relu', inputs: ['h'], outputs: ['r'] },
      { op: 'Gemm', name: 'second', inputs: ['r', 'w2', 'b2'], outputs: ['y'] },
    ],
    ...change,
  });
}

/** A copy with one element replaced. */
function withElement(t: Tensor, at: number, value: number): Tensor {
  const data = t.data.slice();
  data[at] = value as never;
  return { ...t, data } as Tensor;
}

/** The bundle with one bit of its weights changed. */
function tampered(): Uint8Array {
  const copy = smallBundle().slice();
  const at = Buffer.from(copy).indexOf('EWT1') + 20;
  copy[at] = copy[at]! ^ 1;
  return copy;
}

const WIDE = tensor('f32', [1024, 1500], new Float32Array(1024 * 1500).fill(0.01));

const FILES: Readonly<Record<string, () => Uint8Array>> = {
  'mlp.onnx': mlp,
  'truncated.onnx': () => mlp().subarray(0, 9000),
  'corrupt.onnx': () => mlp().map((b, i) => (i < 200 ? b ^ 0x5a : b)),
  'text.onnx': () => new TextEncoder().encode('this is no model at all'),
  'empty.onnx': () => new Uint8Array(),
  'cyclic.onnx': () =>
    mlp({
      nodes: [
        { op: 'Add', name: 'one', inputs: ['x', 'b'], outputs: ['a'] },
        { op: 'Relu', name: 'two', inputs: ['a'], outputs: ['b'] },
        { op: 'Gemm', name: 'three', inputs: ['b', 'w1', 'b1'], outputs: ['y'] },
      ],
    }),
  'ill-typed.onnx': () => mlp({ nodes: [{ op: 'MatMul', name: 'odd', inputs: ['x', 'w2'], outputs: ['y'] }] }),
  'nan.onnx': () => mlp({ initializers: { ...mlpWeights, w2: withElement(mlpWeights.w2, 5, Number.NaN) } }),
  'inf.onnx': () =>
    mlp({ initializers: { ...mlpWeights, b1: withElement(mlpWeights.b1, 3, Number.POSITIVE_INFINITY) } }),
  'ids.onnx': () => smallEmbedding().onnx,
  'wide.onnx': () =>
    onnxModel({
      inputs: [{ name: 'x', shape: ['batch', 1024] }],
      outputs: ['y'],
      initializers: { wide: WIDE },
      nodes: [{ op: 'MatMul', inputs: ['x', 'wide'], outputs: ['y'] }],
    }),
  'calib.npz': () => writeNpz({ x }),
  'name.npz': () => writeNpz({ z: x }),
  'extra.npz': () => writeNpz({ x, z: x }),
  'shape.npz': () => writeNpz({ x: tensor('f32', [4, FEATURES + 1]) }),
  'type.npz': () => writeNpz({ ids: tensor('f32', [4, 4]) }),
  'large.npz': () => writeNpz({ x: tensor('f64', [1, FEATURES], new Float64Array(FEATURES).fill(1e39)) }),
  'nan.npz': () => writeNpz({ x: withElement(x, 70, Number.NaN) }),
  'none.npz': () => writeNpz({ x: tensor('f32', [0, FEATURES]) }),
  'damaged.npz': () => writeNpz({ x }).subarray(0, 500),
  'tampered.ewb': tampered,
  'cut.ewb': () => smallBundle().subarray(0, -600),
};

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-bad-'));
  for (const [name, make] of Object.entries(FILES)) writeFileSync(join(folder, name), make());
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

/** One line of error with its code, no stack, nothing new in the folder. */
function assertRefused(r: CliResult, exit: number, code: string, message: RegExp): void {
  assert.is(r.status, exit, r.stdout + r.stderr);
  assert.match(r.stderr, message);
  assert.match(r.stderr, code);
  assert.not.match(r.stderr + r.stdout, /^\s+at .*[:)]/m, 'a stack');
  assert.not.match(r.stderr, /internal error/);
  assert.equal(readdirSync(folder).sort(), Object.keys(FILES).sort());
}

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly code: string;
  readonly message: RegExp;
}

const compile = (model: string, board = 'host'): string[] => ['compile', model, '--target', board, '-o', OUT];
const compress = (model: string, calib: string, ...more: string[]): string[] => [
  ...['compress', model, '--target', 'host', '--calib', calib, '-o', OUT, '--quiet'],
  ...more,
];

const CASES: readonly Case[] = [
  ...[
    { name: 'a truncated model', args: compile('truncated.onnx'), message: /not a readable ONNX model/ },
    {
      name: 'a corrupt model',
      args: compile('corrupt.onnx'),
      message: /'.*corrupt.onnx' is of an unknown format|not a readable/,
    },
    { name: 'text instead of a model', args: compile('text.onnx'), message: /unknown format|not a readable/ },
    { name: 'an empty file', args: compile('empty.onnx'), message: /unknown format/ },
  ].map((c) => ({ ...c, exit: 3, code: 'EW3001_MODEL_UNREADABLE' })),
  ...[
    { name: 'a cyclic graph', args: compile('cyclic.onnx'), code: 'EW3002_MODEL_INVALID', message: /cycle|'one'|'b'/ },
    { name: 'an ill-typed graph', args: compile('ill-typed.onnx'), code: 'EW3103_OP_INVALID', message: /odd/ },
    { name: 'a NaN weight', args: compile('nan.onnx'), code: 'EW3004_WEIGHTS_NOT_FINITE', message: /w2/ },
    { name: 'an infinite weight', args: compile('inf.onnx'), code: 'EW3004_WEIGHTS_NOT_FINITE', message: /b1/ },
    {
      name: 'damaged calibration data',
      args: compress('mlp.onnx', 'damaged.npz'),
      code: 'EW3201_DATA_UNREADABLE',
      message: /damaged.npz/,
    },
  ].map((c) => ({ ...c, exit: 3 })),
  ...[
    { name: 'a wrong name', args: compress('mlp.onnx', 'name.npz'), message: /no array 'x', there are: z/ },
    { name: 'a name too many', args: compress('mlp.onnx', 'extra.npz'), message: /'z' is no input of the model/ },
    { name: 'a wrong shape', args: compress('mlp.onnx', 'shape.npz'), message: /'x' has shape \[4, 65\]/ },
    { name: 'a wrong type', args: compress('ids.onnx', 'type.npz'), message: /'ids' is f32, the model takes i64/ },
    {
      name: 'a number too large',
      args: compress('mlp.onnx', 'large.npz'),
      message: /1e\+39 and does not fit into f32/,
    },
    { name: 'a NaN', args: compress('mlp.onnx', 'nan.npz'), message: /'x', sample 1: the value is NaN/ },
    { name: 'no samples', args: compress('mlp.onnx', 'none.npz'), message: /'x' holds no samples/ },
  ].map((c) => ({ ...c, name: `calibration: ${c.name}`, exit: 3, code: 'EW3202_DATA_INVALID' })),
  ...[
    { name: 'a model', args: ['compress', 'mlp.onnx', '-o', 'mlp.onnx'], message: /expected a name that ends in .ewb/ },
    { name: 'its own bundle', args: ['delta', 'cut.ewb', 'cut.ewb', '-o', 'cut.ewb'], message: /ends in .ewd/ },
    { name: 'data', args: ['run', 'cut.ewb', '--input', 'calib.npz', '-o', 'calib.npz'], message: /calib.npz is read/ },
  ].map((c) => ({
    ...c,
    name: `an output over ${c.name}`,
    args: c.args[0] === 'compress' ? [...c.args, '--target', 'host', '--calib', 'calib.npz'] : c.args,
    exit: 2,
    code: 'EW1001_USAGE',
  })),
  ...[
    {
      name: 'evaluation data that is not there',
      args: compress('mlp.onnx', 'calib.npz', '--eval', 'absent.npz'),
      exit: 2,
      code: 'EW1002_FILE_NOT_FOUND',
      message: /absent.npz: no such file/,
    },
    {
      name: 'evaluation data without labels',
      args: compress('mlp.onnx', 'calib.npz', '--eval', 'calib.npz', '--metric', 'top1'),
      exit: 3,
      code: 'EW3202_DATA_INVALID',
      message: /needs the array 'labels'/,
    },
    {
      name: 'a compiler that is not there',
      args: compress('mlp.onnx', 'calib.npz', '--toolchain', 'nocc'),
      exit: 5,
      code: 'EW5001_TOOL_MISSING',
      message: /the compiler 'nocc' does not answer/,
    },
    {
      name: 'a page in no folder',
      args: compress('mlp.onnx', 'calib.npz', '--report', 'mlp.onnx/page.html'),
      exit: 2,
      code: 'EW1003_WRITE_FAILED',
      message: /mlp.onnx is no folder/,
    },
  ].map((c) => ({ ...c, name: `${c.name}, before the work`, args: c.args.filter((a) => a !== '--quiet') })),
  {
    name: 'a budget that no plan meets',
    args: compress('mlp.onnx', 'calib.npz', '--budget', '64B'),
    exit: 4,
    code: 'EW4002_BUDGET_NOT_MET',
    message:
      /need \d+ B on the wire, the budget is 64 B.*\n.*keeps 98.5 % with its whole interval; the smallest plan, \d+ B, keeps/,
  },
  {
    name: 'a budget at which the quality is not met',
    args: compress('mlp.onnx', 'calib.npz', '--budget', '20x'),
    exit: 4,
    code: 'EW4001_QUALITY_NOT_MET',
    message:
      /the smallest measured size that keeps 98.5 % with its whole interval is [\d.]+ kB; the best quality within the budget is \d/,
  },
  {
    name: 'a model that does not fit the board',
    args: compile('wide.onnx', 'raspberry-pi-pico-2'),
    exit: 4,
    code: 'EW2003_DOES_NOT_FIT',
    message: /storage needs [\d.]+ MB, limit [\d.]+ MB, [\d.]+ MB too much, .* pass the limit at '/,
  },
  {
    name: 'a tampered bundle',
    args: ['run', 'tampered.ewb', '--self-test'],
    exit: 6,
    code: 'EW6002_BUNDLE_TAMPERED',
    message: /part '.*' does not have the listed hash/,
  },
  {
    name: 'a truncated bundle',
    args: ['inspect', 'cut.ewb'],
    exit: 6,
    code: 'EW6001_BUNDLE_UNREADABLE',
    message: /bundle cannot be read: its end is missing/,
  },
];

for (const { name, args, exit, code, message } of CASES) {
  test(name, () => {
    const r = cli(folder, ...args);
    assertRefused(r, exit, code, message);
    if (name.endsWith('before the work')) assert.not.match(r.stderr, /samples to fit on|%/, 'the work had begun');
  });
}

test('evaluation and run refuse the same data with the same words', () => {
  const words = /sample 1: the value is NaN/;
  const evaluated = compress('mlp.onnx', 'calib.npz', '--eval', 'nan.npz', '--budget', '4x');
  assertRefused(cli(folder, ...evaluated), 3, 'EW3202_DATA_INVALID', words);
});

/** A shell that refuses files over 4 KiB: the write fails half-way, as on a full disk. */
test('the output cannot be written to its end', () => {
  if (process.platform === 'win32') return skip('a limit of file sizes', 'no ulimit', 'unsupported');
  const line = `trap '' XFSZ; ulimit -f 8; exec "$@"`;
  // The limit holds for compilers too.
  const settings = ['EIGEN_CACHE=off', 'EIGEN_CC=none'];
  const r = spawnIn(folder, ['sh', '-c', line, 'sh', 'env', ...settings, ...CLI, ...compile('mlp.onnx')]);
  assertRefused(r, 2, 'EW1003_WRITE_FAILED', /out.ewb: not written \(EFBIG/);
});

/** A file system of 16 KiB, mounted in a name space of its own. */
test('the disk is full', () => {
  const mounted = 'mount -t tmpfs -o size=16k none "$0"';
  const inside = (line: string, ...words: string[]): CliResult =>
    spawnIn(folder, ['unshare', '--map-root-user', '--mount', 'sh', '-c', `${mounted} && ${line}`, disk, ...words]);
  const disk = mkdtempSync(join(tmpdir(), 'eigenweights-full-'));
  try {
    if (inside('true').status !== 0) return skip('a full disk', 'no name spaces for mounts here', 'unsupported');
    const words = ['compile', 'mlp.onnx', '--target', 'host', '-o', join(disk, OUT)];
    const r = inside('"$@"; code=$?; ls -A "$0"; exit $code', ...CLI, ...words);
    assertRefused(r, 2, 'EW1003_WRITE_FAILED', /The disk is full/);
    assert.is(r.stdout, '', 'files are left on the full disk');
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
});

test.run();
