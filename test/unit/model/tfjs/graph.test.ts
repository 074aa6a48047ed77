import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../sdk/ir/evaluate.ts';
import { readTfjs } from '../../../../sdk/model/tfjs/index.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { bytesOf, type Tensor, tensor, toNumbers } from '../../../../sdk/util/tensor.ts';
import { type GraphCase, graphDef, int, type NodeLine, type } from '../../../support/tfjs/graph-def.ts';
import { encode } from '../../../support/tfjs/small.ts';

const DTYPES = { f32: 'float32', i32: 'int32', bool: 'bool' } as const;
const i32 = (shape: number[], ...values: number[]): Tensor => tensor('i32', shape, values);
const number = (value: number): Tensor => tensor('f32', [], [value]);

/** What the nodes make of x as whole numbers, which is their input `i`; the last one is the output. */
function run(x: readonly number[], weights: GraphCase['weights'], ...nodes: NodeLine[]): Tensor {
  const cast: NodeLine = ['i', 'Cast', 'x', { SrcT: type('DT_FLOAT'), DstT: type('DT_INT32') }];
  const output = nodes.at(-1)![0];
  const inputs = { x: [x.length] };
  const model = graphDef({ name: '', inputs, weights, nodes: [cast, ...nodes], outputs: [output] });
  const specs = Object.entries(weights).map(([name, t]) => ({
    name,
    shape: t.shape,
    dtype: DTYPES[t.dtype as 'f32'],
  }));
  const json = encode({ ...model, weightsManifest: [{ paths: ['w'], weights: specs }] });
  const bytes = Buffer.concat(Object.values(weights).map((t) => bytesOf(t.data)));
  const graph = readTfjs(json, { name: 'net', shards: () => new Uint8Array(bytes) });
  return evaluateGraph(graph, { x: tensor('f32', [x.length], x) })[output]!;
}

test('quotients of whole numbers are rounded down', () => {
  const d = i32([4], 2, -2, 3, 0);
  for (const op of ['Div', 'RealDiv', 'FloorDiv'])
    assert.equal(toNumbers(run([-7, 7, 9, -1], { d }, ['y', op, 'i d'])), [-4, -4, 3, 0], op);
});

test('whole numbers are limited', () => {
  const limits = { low: i32([], 2), high: i32([], 3) };
  assert.equal(toNumbers(run([1, 2, 3, 4], limits, ['y', 'ClipByValue', 'i low high'])), [2, 2, 3, 3]);
  assert.equal(toNumbers(run([-1, 2, 7], {}, ['y', 'Relu6', 'i'])), [0, 2, 6]);
});

test('an index that is no class has none', () => {
  const weights = { depth: i32([], 3), on: number(2), off: number(0) };
  const hot = (axis: number): Tensor =>
    run([0, -1, 3, 2], weights, ['y', 'OneHot', 'i depth on off', { axis: int(axis) }]);
  assert.equal(toNumbers(hot(-1)), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  assert.equal(hot(0).shape, [3, 4]);
  assert.equal(toNumbers(hot(0)), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  const counted = run([1], { depth: i32([], 2), on: i32([], 5), off: i32([], 4) }, ['y', 'OneHot', 'i depth on off']);
  assert.is(counted.dtype, 'i32');
  assert.equal(toNumbers(counted), [4, 5]);
});

test('a range without a step is refused', () => {
  const weights = { from: i32([], 5), to: i32([], 3), step: i32([], 0) };
  assert.throws(
    () => run([1], weights, ['y', 'Range', 'from to step']),
    (e: unknown) => isEigenError(e) && /Range 'y': from 5 to 3 in steps of 0/.test(e.message),
  );
});

test.run();
