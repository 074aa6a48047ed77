import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { residentBlock } from '../../../../../sdk/runner.ts';
import { bytesOf, type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { QUICK } from '../../../../support/compilers.ts';
import { GraphSketch } from '../../../../support/graphs.ts';

/** Images of height, width and channels; kernel, stride, padding. */
const CASES = [
  { image: [9, 14, 30], kernel: 5, stride: 1, pad: 2, type: 'i8' },
  { image: [2, 7, 24], kernel: 5, stride: 1, pad: 2, type: 'i16' },
  { image: [3, 11, 40], kernel: 5, stride: 2, pad: 2, type: 'i16' },
  { image: [8, 9, 17], kernel: 3, stride: 2, pad: 1, type: 'i16' },
  { image: [7, 8, 16], kernel: 4, stride: 3, pad: 0, type: 'i16' },
] as const;

test('depthwise lines of some channels at a time, and at the borders of images, are those of the reference', async () => {
  const g = new GraphSketch('depthwise');
  const inputs: Record<string, Tensor> = {};
  const outputs = CASES.map(({ image: [h, w, c], kernel, stride, pad, type }, i) => {
    const x = g.input(`x${i}`, [1, h, w, c], type);
    const reach = type === 'i8' ? 128 : 3000;
    inputs[x] = sampleInts(type, [1, h, w, c], -reach, reach, 7 + i);
    const codes = sampleInts('i8', [c, kernel, kernel, 1], -127, 128, 5);
    const filter = g.builder.constant(`w${i}`, codes, { kind: 'codes', bits: 8 });
    const factors = [sample([c], 4, 0.01, 0.02), sample([c], 5), tensor('i32', [1], [type === 'i8' ? 3 : 0])];
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: c };
    return g.node('QConv', [x, filter, ...factors], attrs);
  });
  const graph = g.build(...outputs);
  // Room for the lines of eight channels, or of sixteen, but not of all.
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], blockBytes: 4096, quick: QUICK });
  assert.is(compiled.source.match(/static void k\d+_line_pair\(/g)?.length, CASES.length);
  const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), {
    variant: 'simd128',
  });
  const [got, want] = [engine.run(inputs), evaluateGraph(graph, inputs)];
  for (const o of outputs) assert.equal(bytesOf(got[o]!.data), bytesOf(want[o]!.data), o);
  engine.close();
});

test.run();
