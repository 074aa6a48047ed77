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

test.run();
