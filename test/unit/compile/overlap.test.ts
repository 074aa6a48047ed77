import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph, planProgram } from '../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Attrs, type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { opOf } from '../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../sdk/ir/ops/lib/cases.ts';
import { residentBlock } from '../../../sdk/runner.ts';
import { bytesOf, type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../targets/wasm/index.ts';

/** Everything that may write over what it reads: depthwise, pointwise and pooling steps in a row, a residual sum, 12 channels. */
function network(): Graph {
  const b = new GraphBuilder('overlap');
  let n = 0;
  const node = (op: string, inputs: string[], attrs: Attrs = {}): string => {
    const out = `v${n++}`;
    const types = opOf(op).infer(
      inputs.map((v) => b.values.get(v)!.type),
      attrs,
    );
    b.node({ name: out, op, inputs, outputs: [out], attrs }, types);
    return out;
  };
  const inv = b.constant('inv', tensor('f32', [1], [30]));
  const zp = b.constant('zp', tensor('i32', [1], [-9]));
  const quantize = (x: string, to = 'i8'): string => node('Quantize', [x, inv, zp], { to });
  const conv = (x: string, k: number, groups: number, stride = 1): string => {
    const codes = sampleInts('i8', [12, k, k, 12 / groups], -60, 61, ++n);
    const w = b.constant('w', codes, { kind: 'codes', bits: 7 });
    const m = b.constant('m', sample([12], ++n, 0.0004, 0.0012));
    const bias = b.constant('b', sample([12], ++n, -1, 1));
    const pad = (k - 1) / 2;
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups };
    return node('QConv', [x, w, m, bias, zp], attrs);
  };
  const pool = (x: string): string =>
    node('Pool', [x], {
      fn: 'max',
      kernel: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      dilations: [1, 1],
      countIncludePad: false,
      layout: 'nhwc',
    });
  const x = b.input('x', { dtype: 'f32', shape: [2, 14, 11, 12] });
  const a = quantize(node('Relu', [conv(quantize(x), 3, 12)]));
  const c = quantize(conv(quantize(conv(a, 1, 1)), 5, 12));
  const d = quantize(conv(c, 3, 1));
  const sum = quantize(node('Add', [conv(d, 3, 1), node('Dequantize', [c, inv, zp])]));
  const pooled = pool(quantize(conv(sum, 3, 12), 'i16'));
  const wide = quantize(conv(pooled, 1, 1), 'i16');
  b.outputs.push(node('Dequantize', [wide, inv, zp]));
  return b.build();
}

const graph = network();
const input: Record<string, Tensor> = { x: sample([2, 14, 11, 12], 5, -3, 3) };

test('results that take over memory of their operands are right with any number of threads', async () => {
  const want = evaluateGraph(graph, input)[graph.outputs[0]!]!;
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
  for (const threads of [1, 2, 3]) {
    const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), { threads });
    for (let k = 0; k < 3; k++) {
      const got = engine.run(input)[graph.outputs[0]!]!;
      assert.ok(Buffer.from(bytesOf(got.data)).equals(Buffer.from(bytesOf(want.data))), `${threads} threads, run ${k}`);
    }
    engine.close();
  }
});

test('the arena holds one image of codes and the rows by which windows lag, besides the input', () => {
  const { program, arenaLowerBound } = planProgram(graph, wasmTarget.simdHeader);
  const codes = 2 * 14 * 11 * 12;
  // The step that reads the f32 input while it writes codes, or a sum with three images of codes.
  assert.ok(program.arenaBytes <= 5 * codes + 64 + 64, `${program.arenaBytes} bytes`);
  assert.ok(program.arenaBytes <= arenaLowerBound * 1.05 + 128);
});

test.run();
