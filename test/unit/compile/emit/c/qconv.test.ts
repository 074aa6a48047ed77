import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { opOf } from '../../../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { bytesOf, type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { eightBitEngine } from '../../../../support/eight-bit-dots.ts';
import { GraphSketch } from '../../../../support/graphs.ts';

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

test('codes of 7 bits are multiplied by the dot product of bytes wherever it is right, and stay as they are where it takes 8', () => {
  const text = kernelOf({});
  assert.match(text, /ew_panel_bytes\([^;]*, ew_eight \? 0 : 64, /);
  assert.not.match(text, /if \(ew_eight\) \{[^{}]*return/);
});

test('codes of 8 bits are multiplied by the dot product of bytes where it takes them, and as 16 bits elsewhere', () => {
  const some: Readonly<Record<number, number>>[] = [{ 0: 127, 700: -127 }, { 5: 64 }];
  const few = { ...Object.fromEntries(Array.from({ length: 24 * 64 }, (_, i) => [i, (i % 7) - 3])), 5: 127 };
  for (const wide of [...some, few]) {
    const text = kernelOf(wide);
    assert.match(text, /#ifdef EW_DOT7\n {2}if \(ew_eight( && !ew_chained)?\) \{/);
    // Sums in 16 bits pay where most codes are narrow.
    assert.is(text.includes('!ew_chained'), wide !== few);
    assert.match(text, /ew_panel_bytes\([^;]*, 0, /);
    assert.match(text, /#endif[^#]*ew_panel_i16\(/);
  }
});

/** Images of height, width and channels; outputs, kernel, stride, padding, largest code, zero point. */
const PRODUCTS = [
  { image: [6, 9, 24], o: 30, kernel: 1, stride: 1, pad: 0, most: 63, zero: 3 },
  { image: [8, 10, 13], o: 16, kernel: 1, stride: 1, pad: 0, most: 127, zero: -5 },
  { image: [9, 12, 16], o: 24, kernel: 3, stride: 1, pad: 1, most: 15, zero: 0 },
  { image: [9, 12, 16], o: 24, kernel: 3, stride: 2, pad: 1, most: 127, zero: 0 },
  { image: [16, 18, 3], o: 8, kernel: 3, stride: 2, pad: 1, most: 63, zero: -128 },
  { image: [1, 40, 8], o: 12, kernel: 1, stride: 1, pad: 0, most: 7, zero: 127 },
] as const;

for (const kind of ['unsigned', 'signed'] as const) {
  test(`products give what the reference does, where bytes are multiplied with ${kind} ones`, async () => {
    const g = new GraphSketch('products');
    const inputs: Record<string, Tensor> = {};
    const outputs = PRODUCTS.map(({ image, o, kernel, stride, pad, most, zero }, i) => {
      const x = g.input(`x${i}`, [1, ...image], 'i8');
      inputs[x] = sampleInts('i8', [1, ...image], -128, 128, i);
      const codes = sampleInts('i8', [o, kernel, kernel, image[2]], -most, most + 1, 5 + i);
      const w = g.builder.constant(`w${i}`, codes, { kind: 'codes', bits: 8 });
      const factors = [sample([o], 3, 0.001, 0.01), sample([o], 4), tensor('i32', [1], [zero])];
      const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: 1 };
      return g.node('QConv', [x, w, ...factors], attrs);
    });
    const graph = g.build(...outputs);
    const want = evaluateGraph(graph, inputs);
    for (const threads of [1, 2]) {
      const { engine } = await eightBitEngine(graph, kind, threads);
      const got = engine.run(inputs);
      engine.close();
      for (const o of outputs) assert.equal(bytesOf(got[o]!.data), bytesOf(want[o]!.data), `${o}, ${threads} threads`);
    }
  });
}

test('parts share out what there is less of to do twice, of two parts rows where the other would have to get them', () => {
  const channels = /n0 = \(i32\)[^;]*, n1 = [^;]*;[^;]*; const i32 m0 = 0/;
  const rows = /m0 = \(i32\)[^;]*, m1 = [^;]*;[^;]*; const i32 n0 = 0/;
  const either =
    /if \(parts == 2\) \{ i32 from[^}]* m0 = from; m1 = to; \} else \{ i32 from[^}]* n0 = from; n1 = to; \}/;
  assert.match(kernelOf({}), channels);
  assert.match(kernelOf({}, { rows: 64, channels: 72 }), either);
  assert.match(kernelOf({}, { rows: 64, channels: 192 }), channels);
  assert.match(kernelOf({}, { rows: 80, channels: 72 }), rows);
  assert.match(kernelOf({}, { rows: 64, channels: 56 }), rows);
  // In bands, one after another.
  assert.match(kernelOf({}, { rows: 256, channels: 320 }), rows);
});

test.run();
