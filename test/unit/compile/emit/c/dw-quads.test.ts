import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { bytesOf, type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { eightBitEngine } from '../../../../support/eight-bit-dots.ts';
import { GraphSketch } from '../../../../support/graphs.ts';
import { inPlaceGraph } from '../../../../support/in-place-graph.ts';

/** Images of count, height, width and channels; kernel, strides, padding; whether every channel has a zero point. */
const CASES = [
  { image: [1, 9, 14, 30], kernel: [5, 5], strides: [1, 1], pad: 2, each: true },
  { image: [1, 3, 11, 24], kernel: [5, 5], strides: [1, 1], pad: 2, each: false },
  { image: [2, 8, 9, 17], kernel: [3, 3], strides: [2, 1], pad: 1, each: true },
  { image: [1, 7, 16, 72], kernel: [3, 3], strides: [2, 2], pad: 1, each: false },
  { image: [1, 9, 8, 16], kernel: [4, 4], strides: [3, 3], pad: 0, each: true },
  { image: [1, 2, 10, 16], kernel: [5, 5], strides: [1, 1], pad: 2, each: true },
  { image: [1, 3, 6, 8], kernel: [5, 5], strides: [2, 1], pad: 2, each: false },
  { image: [1, 1, 5, 8], kernel: [5, 5], strides: [1, 1], pad: 2, each: true },
  { image: [1, 12, 3, 8], kernel: [7, 2], strides: [4, 1], pad: 1, each: true },
] as const;

function quadGraph() {
  const g = new GraphSketch('depthwise');
  const inputs: Record<string, Tensor> = {};
  const outputs = CASES.map(({ image, kernel, strides, pad, each }, i) => {
    const c = image[3];
    const x = g.input(`x${i}`, [...image], 'i8');
    inputs[x] = sampleInts('i8', [...image], -128, 128, 7 + i);
    const codes = sampleInts('i8', [c, ...kernel, 1], -127, 128, 5);
    const filter = g.builder.constant(`w${i}`, codes, { kind: 'codes', bits: 8 });
    const zero = each ? sampleInts('i32', [c], -128, 128, 3) : tensor('i32', [1], [-7]);
    const attrs = { strides: [...strides], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: c };
    return g.node('QConv', [x, filter, sample([c], 4, 0.01, 0.02), sample([c], 5), zero], attrs);
  });
  return { graph: g.build(...outputs), inputs, outputs };
}

for (const kind of ['unsigned', 'signed'] as const) {
  test(`quads of lines give what the reference does, where bytes are multiplied with ${kind} ones`, async () => {
    const { graph, inputs, outputs } = quadGraph();
    const want = evaluateGraph(graph, inputs);
    for (const threads of [1, 3]) {
      const { compiled, engine } = await eightBitEngine(graph, kind, threads);
      assert.is(compiled.source.match(/static void k\d+_quad_lines\(/g)?.length, CASES.length);
      const got = engine.run(inputs);
      engine.close();
      for (const o of outputs) assert.equal(bytesOf(got[o]!.data), bytesOf(want[o]!.data), `${o}, ${threads} threads`);
    }
  });
}

test('results may be written over the image', async () => {
  const { graph, inputs, expected, misplaced } = inPlaceGraph();
  for (const threads of [1, 2]) {
    const { compiled, engine } = await eightBitEngine(graph, 'unsigned', threads);
    assert.equal(misplaced(compiled.program), []);
    const got = engine.run(inputs);
    engine.close();
    for (const [o, want] of Object.entries(expected))
      assert.ok(Buffer.from(bytesOf(got[o]!.data)).equals(bytesOf(want.data)), `${o}, ${threads} threads`);
  }
});

test.run();
