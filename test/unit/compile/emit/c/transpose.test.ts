import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import type { DType } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';

/** The text of the kernel that permutes the axes of x. */
function kernelOf(dtype: DType, shape: readonly number[], perm: readonly number[]): string {
  const b = new GraphBuilder('g');
  b.input('x', { dtype, shape });
  b.node({ name: 'y', op: 'Transpose', inputs: ['x'], outputs: ['y'], attrs: { perm } }, [
    { dtype, shape: perm.map((p) => shape[p]!) },
  ]);
  b.outputs.push('y');
  const { source } = planProgram(b.build(), wasmTarget.vectors);
  return source.slice(source.indexOf('static void k0('));
}

test('axes side by side are one, and matrices are turned round in blocks', () => {
  assert.match(kernelOf('f32', [1, 32, 9, 11], [0, 2, 3, 1]), /ew_transpose4\(.*, r1 - r0, c1 - c0, 99, 32\)/);
  assert.match(kernelOf('i8', [1, 9, 11, 32], [0, 3, 1, 2]), /ew_transpose1\(.*, 32, 99\)/);
  assert.match(kernelOf('i16', [3, 16, 24], [0, 2, 1]), /ew_transpose2\(/);
});

test('parts share out what there are enough units of for fair shares', () => {
  const whole = (v: string): RegExp => new RegExp(`const i32 ${v}0 = 0, ${v}1 = `);
  // Twelve vectors of pixels, 32 of channels; 39 lines of pixels rather than two vectors of channels.
  assert.match(kernelOf('i8', [1, 331, 14, 14], [0, 2, 3, 1]), whole('r'));
  assert.match(kernelOf('f32', [1, 25, 25, 128], [0, 3, 1, 2]), whole('r'));
  assert.match(kernelOf('f32', [1, 25, 25, 8], [0, 3, 1, 2]), whole('c'));
});

test('matrices with a side shorter than a vector, and other permutations, are copied element by element', () => {
  assert.not.match(kernelOf('f32', [1, 3, 9, 11], [0, 2, 3, 1]), /ew_transpose/);
  assert.not.match(kernelOf('i8', [12, 40], [1, 0]), /ew_transpose/);
  assert.not.match(kernelOf('f32', [8, 8, 8], [2, 1, 0]), /ew_transpose/);
  assert.not.match(kernelOf('i64', [40, 40], [1, 0]), /ew_transpose/);
});

test.run();
