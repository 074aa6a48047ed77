import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph, planProgram } from '../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Attrs, type Graph, GraphBuilder, valueNamed } from '../../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../../sdk/ir/ops/lib/cases.ts';
import { residentBlock, wasmRunner } from '../../../sdk/runner.ts';
import { byteLength, bytesOf, type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../targets/wasm/index.ts';
import { QUICK } from '../../support/compilers.ts';
import { nodesOf } from '../../support/graphs.ts';

/** Integer layers in a row: codes of 30 a unit, weights of 7 bits. */
function networkOf(name: string, shape: readonly number[], layers: (n: Layers, x: string) => string): Graph {
  const b = new GraphBuilder(name);
  const node = nodesOf(b);
  let seed = 0;
  const inv = b.constant('inv', tensor('f32', [1], [30]));
  const zp = b.constant('zp', tensor('i32', [1], [-9]));
  const quantize = (x: string, to = 'i8'): string => node('Quantize', [x, inv, zp], { to });
  const conv = (x: string, k: number, groups: number, stride = 1, o = 12): string => {
    const c = b.values.get(x)!.type.shape.at(-1)!;
    const codes = sampleInts('i8', [o, k, k, c / groups], -60, 61, ++seed);
    const w = b.constant('w', codes, { kind: 'codes', bits: 7 });
    const m = b.constant('m', sample([o], ++seed, 0.0004, 0.0012));
    const bias = b.constant('b', sample([o], ++seed, -1, 1));
    const pad = (k - 1) / 2;
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups };
    return node('QConv', [x, w, m, bias, zp], attrs);
  };
  const plain = (x: string): string => node('Dequantize', [x, inv, zp]);
  b.outputs.push(plain(layers({ node, quantize, conv, plain }, b.input('x', { dtype: 'f32', shape }))));
  return b.build();
}

interface Layers {
  node(op: string, inputs: string[], attrs?: Attrs): string;
  quantize(x: string, to?: string): string;
  conv(x: string, k: number, groups: number, stride?: number, o?: number): string;
  plain(codes: string): string;
}

const POOL = { fn: 'max', kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1], layout: 'nhwc' };

/** Everything that may write over what it reads: depthwise, pointwise and pooling steps in a row, a residual sum. */
const small = networkOf('small', [2, 14, 11, 12], ({ node, quantize, conv, plain }, x) => {
  const a = quantize(node('Relu', [conv(quantize(x), 3, 12)]));
  const c = quantize(conv(quantize(conv(a, 1, 1)), 5, 12));
  const d = quantize(conv(c, 3, 1));
  const sum = quantize(node('Add', [conv(d, 3, 1), plain(c)]));
  const pooled = node('Pool', [quantize(conv(sum, 3, 12), 'i16')], { ...POOL, countIncludePad: false });
  return quantize(conv(pooled, 1, 1), 'i16');
});

/** Large enough for bands: rounding in place, a product with more channels than its image, a sum that is narrower than its operand. */
const large = networkOf('large', [1, 40, 40, 12], ({ node, quantize, conv, plain }, x) => {
  const a = quantize(conv(quantize(x, 'i16'), 3, 1), 'i16');
  const sum = quantize(node('Add', [conv(quantize(conv(a, 3, 1, 1, 8)), 3, 1), plain(a)]));
  const wide = quantize(conv(sum, 1, 1, 1, 24), 'i16');
  const each = quantize(conv(wide, 3, 24, 1, 24));
  return quantize(conv(each, 3, 1, 2));
});

for (const graph of [small, large]) {
  test(`${graph.name}: results that take over memory of their operands are right with any number of threads`, async () => {
    const input: Record<string, Tensor> = { x: sample(valueNamed(graph, 'x').type.shape, 5, -3, 3) };
    const want = evaluateGraph(graph, input)[graph.outputs[0]!]!;
    const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], quick: QUICK });
    for (const threads of [1, 2, 3]) {
      const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), { threads });
      for (let k = 0; k < 3; k++) {
        const got = engine.run(input)[graph.outputs[0]!]!;
        assert.ok(
          Buffer.from(bytesOf(got.data)).equals(Buffer.from(bytesOf(want.data))),
          `${threads} threads, run ${k}`,
        );
      }
      engine.close();
    }
  });

  test(`${graph.name}: a run can stop after every step`, async () => {
    const session = await wasmRunner({ target: wasmTarget }).open(graph);
    const x = { x: sample(valueNamed(graph, 'x').type.shape, 5, -3, 3) };
    const whole = (await session.run(x))[graph.outputs[0]!]!;
    let state = session.start(x);
    for (let step = 1; step <= session.steps; step++) {
      state = await session.advance(state, step);
      if (step < session.steps) await session.play(session.start({ x: tensor('f32', x.x.shape) }));
    }
    assert.equal(session.read(graph.outputs[0]!).data, whole.data);
    session.close();
  });
}

test('depthwise, pointwise and pooling need one image of codes besides the input', () => {
  const { program, arenaLowerBound } = planProgram(small, wasmTarget.vectors);
  const codes = 2 * 14 * 11 * 12;
  // The step that reads the f32 input while it writes codes, or a sum with three images of codes.
  assert.ok(program.arenaBytes <= 5 * codes + 64 + 64, `${program.arenaBytes} bytes`);
  assert.ok(program.arenaBytes <= arenaLowerBound * 1.05 + 128);
});

test('kernels whose operand and result do not fit together run in bands', () => {
  const { program } = planProgram(large, wasmTarget.vectors);
  const codes = 40 * 40 * 12;
  const names = program.steps.map((s) => s.node);
  assert.ok(names.length > new Set(names).size);
  // The f32 input with half of its codes, which begin before it; the sum of 16-bit codes with an image of eight channels.
  assert.ok(program.arenaBytes < 4 * codes + codes + 256, `${program.arenaBytes} bytes`);
});

test('what a result is written over keeps the alignment of its elements', async () => {
  const b = new GraphBuilder('aligned');
  const node = nodesOf(b);
  const x = b.input('x', { dtype: 'i8', shape: [1, 12, 4, 9] });
  const codes = sampleInts('i8', [9, 5, 6, 1], -3, 4, 1);
  const w = b.constant('w', codes, { kind: 'codes', bits: 3 });
  const m = b.constant('m', sample([9], 2, 0.001, 0.002));
  const zp = b.constant('zp', tensor('i32', [1], [-9]));
  const attrs = { strides: [1, 4], pads: [3, 5, 0, 5], dilations: [1, 1], groups: 9 };
  const y = node('QConv', [x, w, m, b.constant('b', sample([9], 3)), zp], attrs);
  // Of 4 bytes an element, under a result of 2: rows of 27 elements.
  const residual = b.input('residual', { dtype: 'f32', shape: [1, 11, 3, 9] });
  const inv = b.constant('inv', tensor('f32', [1], [1000]));
  b.outputs.push(node('Quantize', [node('Add', [y, residual]), inv, zp], { to: 'i16' }));
  const graph = b.build();
  const inputs = { x: sampleInts('i8', [1, 12, 4, 9], -128, 128, 4), residual: sample([1, 11, 3, 9], 5) };
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], quick: QUICK });
  const { program } = compiled;
  const [over, result] = [program.inputs[1]!, program.outputs[0]!];
  assert.ok(over.offset < result.offset + byteLength(result), 'the result is not written over the residual');
  assert.is(over.offset % 4, 0);
  const engine = await WasmEngine.load(program, compiled.modules, residentBlock(compiled));
  const got = engine.run(inputs)[graph.outputs[0]!]!;
  engine.close();
  assert.equal(bytesOf(got.data), bytesOf(evaluateGraph(graph, inputs)[graph.outputs[0]!]!.data));
});

test.run();
