import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { opOf } from '../../../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';

/** Kernel of a product of 8 rows with narrow codes [24, 64], of which `wide` are replaced. */
function kernelOf(wide: Readonly<Record<number, number>>): string {
  const b = new GraphBuilder('product');
  const codes = sampleInts('i8', [24, 1, 1, 64], -63, 64, 2);
  for (const [i, q] of Object.entries(wide)) codes.data[Number(i)] = q;
  const inputs = [
    b.input('x', { dtype: 'i8', shape: [1, 2, 4, 64] }),
    b.constant('w', codes, { kind: 'codes', bits: 8 }),
    b.constant('m', sample([24], 3, 0.001, 0.01)),
    b.constant('b', sample([24], 4)),
    b.constant('zp', tensor('i32', [1], [3])),
  ];
  const attrs = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  const types = opOf('QConv').infer(
    inputs.map((v) => b.values.get(v)!.type),
    attrs,
  );
  b.node({ name: 'y', op: 'QConv', inputs, outputs: ['y'], attrs }, types);
  b.outputs.push('y');
  const { source } = planProgram(b.build(), wasmTarget.vectors);
  return source.slice(source.indexOf('static void k0('));
}

const every = (n: number, q: number): Record<number, number> =>
  Object.fromEntries(Array.from({ length: Math.floor(1536 / n) }, (_, i) => [i * n, q]));

test('the 7-bit dot product takes codes of 8 bits in two pieces where few groups of columns have any', () => {
  assert.match(kernelOf({}), /ew_panel_u7\(/);
  assert.match(kernelOf({ 0: 127, 700: -127 }), /ew_panel_u7s\(/);
  assert.match(kernelOf(every(128, 64)), /ew_panel_u7s\(/);
});

test('codes of 8 bits are multiplied as they are where many are wide', () => {
  assert.not.match(kernelOf(every(4, 100)), /ew_panel_u7/);
  // Every group of the first tile: there is no room for so many.
  assert.not.match(kernelOf(Object.fromEntries(Array.from({ length: 16 }, (_, i) => [i * 4, 90]))), /ew_panel_u7/);
});

test.run();
