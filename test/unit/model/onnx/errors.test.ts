import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import { sample } from '../../../../sdk/ir/ops/lib/cases.ts';
import { verifyGraph } from '../../../../sdk/ir/verify.ts';
import { type OnnxOptions, readOnnx } from '../../../../sdk/model/onnx/index.ts';
import { type OnnxModelSpec, onnxModel } from '../../../../sdk/testing/onnx-builder.ts';
import { type EigenError, isEigenError } from '../../../../sdk/util/errors.ts';
import { tensor, toNumbers } from '../../../../sdk/util/tensor.ts';

/** The error that reading the model gives; fails when there is none, or one that is not an EigenError. */
function errorOf(model: OnnxModelSpec | Uint8Array, options: OnnxOptions = {}): EigenError {
  try {
    readOnnx(model instanceof Uint8Array ? model : onnxModel(model), options);
  } catch (e) {
    if (isEigenError(e)) return e;
    throw e;
  }
  throw new Error('the model was accepted');
}

const relu = (shape: (number | string)[] = [1, 4]): OnnxModelSpec => ({
  inputs: [{ name: 'x', shape }],
  outputs: ['y'],
  nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'], name: 'r' }],
});

/** A small network that uses several operators, an initializer of every common kind and an If. */
const network: OnnxModelSpec = {
  inputs: [{ name: 'x', shape: [1, 3, 6, 6] }],
  outputs: ['y'],
  initializers: {
    w: sample([4, 3, 3, 3]),
    b: sample([4], 2),
    shape: tensor('i64', [2], [1, -1]),
    m: sample([64, 5], 3),
    yes: tensor('bool', [], [1]),
  },
  nodes: [
    { op: 'Conv', inputs: ['x', 'w', 'b'], outputs: ['c'] },
    { op: 'Relu', inputs: ['c'], outputs: ['r'] },
    { op: 'Reshape', inputs: ['r', 'shape'], outputs: ['f'] },
    {
      op: 'If',
      inputs: ['yes'],
      outputs: ['g'],
      attrs: {
        then_branch: { graph: { outputs: ['t'], nodes: [{ op: 'Neg', inputs: ['f'], outputs: ['t'] }] } },
        else_branch: { graph: { outputs: ['e'], nodes: [{ op: 'Abs', inputs: ['f'], outputs: ['e'] }] } },
      },
    },
    { op: 'MatMul', inputs: ['g', 'm'], outputs: ['y'] },
  ],
};

test('the small network itself is read', () => {
  const g = readOnnx(onnxModel(network));
  verifyGraph(g);
  assert.equal(
    g.nodes.map((n) => n.op),
    ['Conv', 'Relu', 'Reshape', 'Neg', 'MatMul'],
  );
});

test('empty, truncated and foreign files are unreadable', () => {
  const bytes = onnxModel(network);
  assert.is(errorOf(new Uint8Array()).code, 'EW3001_MODEL_UNREADABLE');
  assert.is(errorOf(bytes.subarray(0, bytes.length - 40)).code, 'EW3001_MODEL_UNREADABLE');
  assert.is(errorOf(new TextEncoder().encode('{"modelTopology": {}}')).code, 'EW3001_MODEL_UNREADABLE');
});

test('damaged bytes give an EigenError or a legal graph, never anything else', () => {
  const bytes = onnxModel(network);
  const edit = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat(bytes.length), (edits, length) => {
      const damaged = bytes.slice(0, length % 3 === 0 ? length : bytes.length);
      for (const e of edits) if (e.at < damaged.length) damaged[e.at] = e.value;
      try {
        verifyGraph(readOnnx(damaged));
      } catch (e) {
        if (!isEigenError(e)) throw e;
      }
    }),
    { numRuns: 3000, seed: 11 },
  );
});

test('operator sets outside 7 to 22', () => {
  assert.match(errorOf({ ...relu(), opset: 6 }).message, /operator set 6; 7 to 22/);
  assert.match(errorOf({ ...relu(), opset: 23 }).message, /operator set 23/);
});

test('every unsupported operator is listed, those in subgraphs too', () => {
  const e = errorOf({
    ...relu(),
    nodes: [
      { op: 'Foo', inputs: ['x'], outputs: ['a'], name: 'first' },
      { op: 'Bar', inputs: ['a'], outputs: ['b'], name: 'second' },
      {
        op: 'If',
        inputs: ['b'],
        outputs: ['c'],
        attrs: {
          then_branch: {
            graph: { outputs: ['t'], nodes: [{ op: 'Foo', inputs: ['a'], outputs: ['t'], name: 'third' }] },
          },
        },
      },
      { op: 'Relu', inputs: ['c'], outputs: ['y'], domain: 'com.example' },
    ],
  });
  assert.is(e.code, 'EW3102_OP_UNSUPPORTED');
  assert.match(e.message, /operator Foo of node 'first' \(opset 17\)/);
  assert.match(e.message, /Foo \(2: 'first', 'third'\); Bar \(1: 'second'\); com\.example::Relu \(1: computing 'y'\)/);
});

test('dynamic dimensions: the first is a batch of 1, others must be bound', () => {
  assert.equal(readOnnx(onnxModel(relu(['N', 4]))).values.get('x')!.type.shape, [1, 4]);
  assert.equal(readOnnx(onnxModel(relu(['N', 'T'])), { dims: { N: 2, T: 3 } }).values.get('y')!.type.shape, [2, 3]);
  const e = errorOf(relu(['N', 'T', 'H']));
  assert.is(e.code, 'EW3003_DIM_UNBOUND');
  assert.match(e.message, /T \(input 'x'\), H \(input 'x'\)/);
  assert.match(e.hint!, /--dim T=64 --dim H=64/);
});

test('weights that are not finite name the tensor and the index', () => {
  const w = sample([2, 2]);
  w.data[3] = Number.NaN;
  const e = errorOf({
    ...relu([1, 2]),
    initializers: { bad: w },
    nodes: [{ op: 'MatMul', inputs: ['x', 'bad'], outputs: ['y'] }],
  });
  assert.is(e.code, 'EW3004_WEIGHTS_NOT_FINITE');
  assert.match(e.message, /'bad' holds NaN at index 3/);
});

test('cycles, missing producers and duplicate names', () => {
  const cycle = errorOf({
    ...relu(),
    nodes: [
      { op: 'Add', inputs: ['x', 'b'], outputs: ['a'], name: 'p' },
      { op: 'Relu', inputs: ['a'], outputs: ['b'], name: 'q' },
      { op: 'Relu', inputs: ['b'], outputs: ['y'] },
    ],
  });
  assert.is(cycle.code, 'EW3002_MODEL_INVALID');
  assert.match(cycle.message, /cycle: Add 'p', Relu 'q'/);
  assert.match(
    errorOf({ ...relu(), nodes: [{ op: 'Relu', inputs: ['z'], outputs: ['y'], name: 'r' }] }).message,
    /Relu 'r' reads 'z', which nothing computes/,
  );
  const twice = { op: 'Relu', inputs: ['x'], outputs: ['y'] };
  assert.match(errorOf({ ...relu(), nodes: [twice, twice] }).message, /'y' is defined twice/);
  assert.match(errorOf({ ...relu(), outputs: ['nowhere'] }).message, /nothing computes output 'nowhere'/);
});

test('ill-typed operators name the node, the operator set and the shapes', () => {
  const e = errorOf({
    ...relu([1, 4]),
    initializers: { w: sample([5, 3]) },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'], name: 'fc' }],
  });
  assert.is(e.code, 'EW3103_OP_INVALID');
  assert.match(e.message, /MatMul 'fc' \(opset 17\): .*f32\[1,4\].*f32\[5,3\].*4 and 5/);
});

test('limits of another type than what they limit are refused', () => {
  const e = errorOf({
    inputs: [{ name: 'x', shape: [1, 4], dtype: 'i32' }],
    outputs: ['y'],
    initializers: { low: tensor('f32', [], [2]) },
    nodes: [{ op: 'Clip', inputs: ['x', 'low'], outputs: ['y'], name: 'c' }],
  });
  assert.is(e.code, 'EW3103_OP_INVALID');
  assert.match(e.message, /limits are floats, its input is of type i32/);
});

test('nodes may come in any order', () => {
  const g = readOnnx(
    onnxModel({
      ...relu(),
      nodes: [
        { op: 'Relu', inputs: ['a'], outputs: ['y'] },
        { op: 'Neg', inputs: ['x'], outputs: ['a'] },
      ],
    }),
  );
  assert.equal(
    g.nodes.map((n) => n.op),
    ['Neg', 'Relu'],
  );
});

const switched: OnnxModelSpec = {
  inputs: [
    { name: 'x', shape: [1, 4] },
    { name: 'sr', shape: [], dtype: 'i64' },
  ],
  outputs: ['y'],
  initializers: { wide: tensor('i64', [], [16000]) },
  nodes: [
    { op: 'Equal', inputs: ['sr', 'wide'], outputs: ['is'] },
    {
      op: 'If',
      inputs: ['is'],
      outputs: ['y'],
      name: 'choose',
      attrs: {
        then_branch: { graph: { outputs: ['t'], nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['t'] }] } },
        else_branch: { graph: { outputs: ['e'], nodes: [{ op: 'Abs', inputs: ['x'], outputs: ['e'] }] } },
      },
    },
  ],
};

test('an If with a dynamic condition names the input to fix; fixed, it is inlined', () => {
  const e = errorOf(switched);
  assert.is(e.code, 'EW3103_OP_INVALID');
  assert.match(e.message, /If 'choose'.*input 'sr'/);
  assert.match(e.hint!, /--set sr=/);
  const x = { x: tensor('f32', [1, 4], [1, -2, 3, -4]) };
  const yOf = (rate: number): number[] =>
    toNumbers(evaluateGraph(readOnnx(onnxModel(switched), { fixed: { sr: tensor('i64', [], [rate]) } }), x).y!);
  assert.equal(yOf(16000), [-1, 2, -3, 4]);
  assert.equal(yOf(8000), [1, 2, 3, 4]);
});

test('an input that does not exist cannot be fixed', () => {
  assert.match(errorOf(relu(), { fixed: { z: tensor('f32', [1]) } }).message, /no input 'z'/);
});

test('an initializer that is also listed as an input is a constant', () => {
  const g = readOnnx(
    onnxModel({
      inputs: [
        { name: 'x', shape: [1, 2] },
        { name: 'w', shape: [2, 2] },
      ],
      outputs: ['y'],
      initializers: { w: sample([2, 2]) },
      nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    }),
  );
  assert.equal(g.inputs, ['x']);
});

test('an output that is a constant or an input is still an output', () => {
  const g = readOnnx(
    onnxModel({
      inputs: [{ name: 'x', shape: [2] }],
      outputs: ['shape', 'same'],
      nodes: [
        { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
        { op: 'Identity', inputs: ['x'], outputs: ['same'] },
      ],
    }),
  );
  const out = evaluateGraph(g, { x: tensor('f32', [2], [5, 6]) });
  assert.equal(toNumbers(out.shape!), [2]);
  assert.equal(toNumbers(out.same!), [5, 6]);
});

test('a size for a dimension that is not there, or has one', () => {
  assert.not.throws(() => readOnnx(onnxModel(relu(['N', 'T'])), { dims: { T: 4 } }));
  for (const [shape, name, hint] of [
    [['N', 'T'], 'S', 'There are N, T.'],
    [['N', 'T'], 'x.1', 'There are N, T.'],
    [[1, 4], 'x.1', 'All of their sizes are fixed.'],
  ] as const) {
    const e = errorOf(relu([...shape]), { dims: { T: 4, [name]: 4 } });
    assert.is(e.code, 'EW1001_USAGE');
    assert.is(e.hint, hint);
  }
});

test.run();
