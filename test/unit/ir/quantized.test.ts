/** The integer operators against the same computation written in floating point. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { opOf } from '../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../sdk/ir/ops/lib/cases.ts';
import { type Tensor, tensor, toNumbers } from '../../../sdk/util/tensor.ts';

const run = (
  op: string,
  inputs: (Tensor | undefined)[],
  attrs: Record<string, string | number | number[]> = {},
): Tensor[] => opOf(op).evaluate(inputs, attrs);

function close(a: Tensor, b: Tensor, limit: number): void {
  const [x, y] = [toNumbers(a), toNumbers(b)];
  assert.is(x.length, y.length);
  const worst = Math.max(...x.map((v, i) => Math.abs(v - y[i]!)));
  assert.ok(worst <= limit, `difference ${worst}`);
}

test('Quantize rounds to even and saturates', () => {
  const x = tensor('f32', [6], [0.5, 1.5, -0.5, 2.4, 1000, -1000]);
  const [q] = run('Quantize', [x, tensor('f32', [1], [1]), tensor('i32', [1], [1])], { to: 'i8' });
  assert.equal(toNumbers(q!), [1, 3, 1, 3, 127, -128]);
});

test('DynQuantize gives the largest magnitude 127 and a zero row scale 0', () => {
  const [q, s] = run('DynQuantize', [tensor('f32', [2, 3], [1, -2, 0.5, 0, 0, 0])]);
  assert.equal(toNumbers(q!), [64, -127, 32, 0, 0, 0]);
  assert.equal(toNumbers(s!), [Math.fround(2 / 127), 0]);
});

test('QConv is Conv of x - zp, its padding counting as the zero point', () => {
  const x = sampleInts('i8', [1, 5, 6, 4], -128, 128);
  const w = sampleInts('i8', [3, 3, 3, 4], -63, 64, 2);
  const [m, bias, zp] = [sample([3], 3, 0.001, 0.01), sample([3], 4), tensor('i32', [1], [-20])];
  const attrs = { strides: [2, 1], pads: [1, 1, 0, 1], dilations: [1, 1], groups: 1 };
  const real = tensor(
    'f32',
    x.shape,
    toNumbers(x).map((v) => v + 20),
  );
  const rows = toNumbers(w).map((v, i) => v * toNumbers(m)[Math.floor(i / 36)]!);
  const [expected] = run('Conv', [real, tensor('f32', w.shape, rows), bias], { ...attrs, layout: 'nhwc' });
  close(run('QConv', [x, w, m, bias, zp], attrs)[0]!, expected!, 1e-4);
});

test('QLinear after DynQuantize is Linear to within the step of the codes', () => {
  const x = sample([3, 16]);
  const w = sampleInts('i8', [5, 16], -63, 64, 2);
  const [ws, bias] = [sample([5], 3, 0.005, 0.01), sample([5], 4)];
  const [q, xs] = run('DynQuantize', [x]);
  const dense = tensor(
    'f32',
    [5, 16],
    toNumbers(w).map((v, i) => v * toNumbers(ws)[Math.floor(i / 16)]!),
  );
  const [expected] = run('Linear', [x, dense, bias]);
  close(run('QLinear', [q, xs, w, ws, bias])[0]!, expected!, 0.05);
});

test('QGather is a scaled row', () => {
  const [y] = run('QGather', [
    tensor('i8', [2, 2], [1, 2, 3, -4]),
    tensor('f32', [2], [0.5, 2]),
    tensor('i64', [2], [1, -2]),
  ]);
  assert.equal(toNumbers(y!), [6, -8, 0.5, 1]);
});

test('QLstm follows LSTM to within the step of the codes', () => {
  const x = sample([6, 1, 8]);
  const [w, r] = [sampleInts('i8', [1, 16, 8], -63, 64, 2), sampleInts('i8', [1, 16, 4], -63, 64, 3)];
  const [ws, rs, bias] = [sample([1, 16], 4, 0.004, 0.008), sample([1, 16], 5, 0.004, 0.008), sample([1, 16], 6)];
  const dense = (codes: Tensor, scale: Tensor, k: number): Tensor =>
    tensor(
      'f32',
      codes.shape,
      toNumbers(codes).map((v, i) => v * toNumbers(scale)[Math.floor(i / k)]!),
    );
  const both = tensor('f32', [1, 32], [...toNumbers(bias), ...new Array<number>(16).fill(0)]);
  const attrs = { hidden: 4, direction: 'forward' };
  const expected = run('LSTM', [x, dense(w, ws, 8), dense(r, rs, 4), both], attrs);
  const [q, xs] = run('DynQuantize', [x]);
  run('QLstm', [q, xs, w, ws, r, rs, bias], attrs).forEach((t, i) => {
    close(t, expected[i]!, 0.02);
  });
});

test.run();
