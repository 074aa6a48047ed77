import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { libraryOf } from '../support/firmware.ts';
import { projectRoot } from '../support/shared.ts';

/**
 * The library of a small network as text, so that what a change does to emitted code is seen in its diff. After a change that is meant:
 * EIGEN_UPDATE_GOLDEN=1 npx tsx test/golden/firmware.test.ts
 */
const FOLDER = join(projectRoot, 'test/golden/firmware');

/** An image of floats, quantized; a 3x3 convolution with ReLU, quantized; a maximum over it all. */
function network(): Graph {
  const b = new GraphBuilder('golden');
  const x = b.input('image', { dtype: 'f32', shape: [1, 6, 6, 4] });
  const f32 = (name: string, values: readonly number[]) =>
    b.constant(name, tensor('f32', [values.length], [...values]));
  const i32 = (name: string, value: number) => b.constant(name, tensor('i32', [1], [value]));
  const zero = i32('zero', -3);
  b.node({ name: 'codes', op: 'Quantize', inputs: [x, f32('inv', [32]), zero], outputs: ['q'], attrs: { to: 'i8' } }, [
    { dtype: 'i8', shape: [1, 6, 6, 4] },
  ]);
  const w = b.constant('w', sampleInts('i8', [8, 3, 3, 4], -7, 8, 3), { kind: 'codes', bits: 4 });
  const [m, bias] = [b.constant('m', sample([8], 4, 0.001, 0.01)), b.constant('bias', sample([8], 5))];
  const attrs = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1, layout: 'nhwc' };
  b.node({ name: 'conv', op: 'QConv', inputs: ['q', w, m, bias, zero], outputs: ['c'], attrs }, [
    { dtype: 'f32', shape: [1, 6, 6, 8] },
  ]);
  b.node({ name: 'relu', op: 'Relu', inputs: ['c'], outputs: ['r'], attrs: {} }, [
    { dtype: 'f32', shape: [1, 6, 6, 8] },
  ]);
  b.node(
    {
      name: 'top',
      op: 'Reduce',
      inputs: ['r'],
      outputs: ['scores'],
      attrs: { fn: 'max', axes: [1, 2], keepdims: false },
    },
    [{ dtype: 'f32', shape: [1, 8] }],
  );
  b.outputs.push('scores');
  return b.build();
}

const files = libraryOf(network(), { image: sample([1, 6, 6, 4], 7) }, { scores: tensor('f32', [1, 8]) });

for (const name of ['model.h', 'model.c', 'main.c', 'CMakeLists.txt', 'README.md']) {
  test(`emitted ${name}`, () => {
    const path = join(FOLDER, `${name}.txt`);
    const text = files.get(name)!;
    if (process.env.EIGEN_UPDATE_GOLDEN === '1') {
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(path, text);
    }
    assert.fixture(text, readFileSync(path, 'utf8'));
  });
}

test('the same graph gives the same files', () => {
  const again = libraryOf(network(), { image: sample([1, 6, 6, 4], 7) }, { scores: tensor('f32', [1, 8]) });
  assert.equal([...again], [...files]);
});

test('C identifiers are asked for', () => {
  const scores = tensor('f32', [1, 8]);
  assert.throws(() => libraryOf(network(), {}, { scores }, '2 models'), /is no name for functions in C/);
});

test.run();
