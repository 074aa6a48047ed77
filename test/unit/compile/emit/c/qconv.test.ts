import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { opOf } from '../../../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';

/** Kernel of a product of rows with narrow codes [channels, 64], of which `wide` are replaced. */
function kernelOf(wide: Readonly<Record<number, number>>, { rows = 8, channels = 24 } = {}): string {
  const b = new GraphBuilder('product');
  const codes = sampleInts('i8', [channels, 1, 1, 64], -63, 64, 2);
  for (const [i, q] of Object.entries(wide)) codes.data[Number(i)] = q;
  const inputs = [
    b.input('x', { dtype: 'i8', shape: [1, 2, rows / 2, 64] }),
    b.constant('w', codes, { kind: 'codes', bits: 8 }),
    b.constant('m', sample([channels], 3, 0.001, 0.01)),
    b.constant('b', sample([channels], 4)),
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

test('codes of 7 bits are multiplied by the dot product of bytes wherever it is right', () => {
  const text = kernelOf({});
  assert.match(text, /ew_panel_bytes\([^;]*, 64, /);
  assert.not.match(text, /ew_eight/);
});

test('codes of 8 bits are multiplied by the dot product of bytes where it takes them, and as 16 bits elsewhere', () => {
  const some: Readonly<Record<number, number>>[] = [{ 0: 127, 700: -127 }, { 5: 64 }];
  for (const wide of some) {
    const text = kernelOf(wide);
    assert.match(text, /#ifdef EW_DOT7\n {2}if \(ew_eight\) \{/);
    assert.match(text, /ew_panel_bytes\([^;]*, \(ew_eight == 1 \? 128 : 0\), /);
    assert.match(text, /#endif[^#]*ew_panel_i16\(/);
  }
});

test('parts share out what there is less of to do twice: channels where they are no fewer than rows, else rows', () => {
  const channels = /n0 = \(i32\)[^;]*, n1 = [^;]*;[^;]*; const i32 m0 = 0/;
  const rows = /m0 = \(i32\)[^;]*, m1 = [^;]*;[^;]*; const i32 n0 = 0/;
  assert.match(kernelOf({}), channels);
  assert.match(kernelOf({}, { rows: 64, channels: 72 }), channels);
  assert.match(kernelOf({}, { rows: 80, channels: 72 }), rows);
  assert.match(kernelOf({}, { rows: 64, channels: 56 }), rows);
  // In bands, one after another.
  assert.match(kernelOf({}, { rows: 256, channels: 320 }), rows);
});

test.run();
