import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { measuresOf, statesOf } from '../../../sdk/compress/outputs.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

function graphWith(op: string, outShape: number[], inShape: number[]): Graph {
  const b = new GraphBuilder('g');
  b.input('x', { dtype: 'f32', shape: inShape });
  b.node({ name: 'n', op, inputs: ['x'], outputs: ['y'], attrs: {} }, [{ dtype: 'f32', shape: outShape }]);
  b.outputs = ['y'];
  return b.build();
}

/** x [1, 8] and h [1, 4] in, an answer (the mean of sigmoids) and the next h out. */
function cell(): Graph {
  const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;
  const b = new GraphBuilder('cell');
  b.input('x', f32(1, 8));
  b.input('h', f32(1, 4));
  b.node({ name: 'n', op: 'Linear', inputs: ['x', 'h'], outputs: ['next'], attrs: {} }, [f32(1, 4)]);
  b.node({ name: 's', op: 'Sigmoid', inputs: ['next'], outputs: ['p'], attrs: {} }, [f32(1, 4)]);
  const attrs = { fn: 'mean', axes: [1], keepdims: true };
  b.node({ name: 'm', op: 'Reduce', inputs: ['p'], outputs: ['answer'], attrs }, [f32(1, 1)]);
  b.outputs = ['answer', 'next'];
  return b.build();
}

test('kinds of outputs', () => {
  const kind = (g: Graph, shape: number[], data: number[]): string =>
    measuresOf(g, { y: tensor('f32', shape, data) }, 'auto')[0]!.kind;
  assert.is(kind(graphWith('Softmax', [1, 2], [1, 5]), [1, 2], [0.25, 0.75]), 'probabilities');
  assert.is(kind(graphWith('Linear', [1, 2], [1, 5]), [1, 2], [3, -1]), 'logits');
  assert.is(kind(graphWith('Sigmoid', [1, 2], [1, 5]), [1, 2], [0.3, 0.1]), 'sigmoid');
  assert.is(kind(graphWith('Linear', [1, 5], [1, 5]), [1, 5], [1, 2, 3, 4, 5]), 'squared');
});

test('states are compared beside the answers that they lead to; a mean of sigmoids is a probability', () => {
  const outputs = { answer: tensor('f32', [1, 1], [0.25]), next: tensor('f32', [1, 4], [1, -2, 3, 0]) };
  assert.equal(measuresOf(cell(), outputs, 'auto'), [
    { name: 'answer', kind: 'sigmoid' },
    { name: 'next', kind: 'squared' },
  ]);
});

test('a state is an output that looks like an input, beside others of both', () => {
  assert.equal(statesOf(cell()), [{ input: 'h', output: 'next' }]);
  assert.equal(statesOf(graphWith('Linear', [1, 5], [1, 5])), [], 'a picture of a picture');
  assert.equal(statesOf(graphWith('Linear', [1, 3], [1, 5])), []);
});

test.run();
