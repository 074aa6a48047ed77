// timeout: 120
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompiledProgram, compileGraph } from '../../sdk/compile/index.ts';
import { NativeEngine } from '../../sdk/device/engine/native.ts';
import { processorFlags, runnable } from '../../sdk/device/engine/processor.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { type Attrs, type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { opOf } from '../../sdk/ir/ops/index.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { fromHalf, toHalf } from '../../sdk/util/half.ts';
import { scaleFromLog8 } from '../../sdk/util/log8.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { bytesOf, sizeOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { thisPlatform } from '../../sdk/wire/kernels.ts';
import type { WeightLayout } from '../../sdk/wire/program.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { compilesFor, QUICK, WITHOUT_COMPILER } from '../support/compilers.ts';
import { wasmVariants } from '../support/engines.ts';

/**
 * Constants in the forms that devices hold them in (weight codes at mixed widths with lists of wide ones, scales as exponents, biases
 * in half precision, small integers in bytes) give the same outputs, to the bit, as in the plain forms that the compressor works with.
 */
const rng = new Rng(11);
const b = new GraphBuilder('resident');
const ints = (dtype: 'i8' | 'i16' | 'i32' | 'i64', shape: number[], low: number, high: number): Tensor =>
  tensor(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, () => low + Math.floor((high - low) * rng.uniform())),
  );

/** Rows of different spread and some far codes, so that tiles have different widths and lists. */
function codes(shape: number[], most: number): string {
  const row = sizeOf(shape) / shape[0]!;
  const data = Array.from({ length: sizeOf(shape) }, (_, i) => {
    const spread = 0.5 + 3 * ((Math.floor(i / row / 8) * 0.37) % 1);
    const far = rng.uniform() < 0.02 ? 12 : 1;
    return Math.max(-most, Math.min(most, Math.round(far * spread * rng.normal())));
  });
  return b.constant('w', tensor('i8', shape, data), { kind: 'codes', bits: most > 63 ? 8 : 7 });
}

/** Small codes, but for all of four columns: whole vectors of listed ones. */
function striped([n, k]: [number, number]): string {
  const data = Array.from({ length: n * k }, (_, i) => ((i % k) >> 2 === 5 ? 30 + (i % 9) : (i % 3) - 1));
  return b.constant('w', tensor('i8', [n, k], data), { kind: 'codes', bits: 7 });
}

function scales(shape: number[]): string {
  const base = Math.fround(0.01);
  const exponents = Array.from({ length: sizeOf(shape) }, () => Math.floor(24 * rng.uniform()) - 16);
  const data = exponents.map((e) => scaleFromLog8(base, e));
  return b.constant('m', tensor('f32', shape, data), { kind: 'log8', base, exponents });
}

const halves = (shape: number[]): string =>
  b.constant(
    'b',
    tensor(
      'f32',
      shape,
      Array.from({ length: sizeOf(shape) }, () =>
        fromHalf(toHalf(rng.normal() * 2 ** Math.floor(-20 * rng.uniform()))),
      ),
    ),
    { kind: 'f16' },
  );
const zeroPoints = (n: number): string => b.constant('z', ints('i32', [n], -128, 128), { kind: 'ints' });

const inputs: Record<string, Tensor> = {};
function input(t: Tensor): string {
  const name = `x${b.inputs.length}`;
  inputs[name] = t;
  return b.input(name, { dtype: t.dtype, shape: t.shape });
}

let count = 0;
function node(op: string, args: string[], attrs: Attrs = {}): void {
  const types = opOf(op).infer(
    args.map((v) => (v === '' ? undefined : b.values.get(v)!.type)),
    attrs,
  );
  const outputs = types.map((_, i) => `${op}${count}.${i}`);
  b.node({ name: `${op}${count++}`, op, inputs: args, outputs, attrs }, types);
  b.outputs.push(...outputs);
}

function conv(
  dtype: 'i8' | 'i16',
  w: [number, number, number, number],
  groups: number,
  zp: number,
  most: number,
  { size = [9, 8], strides = [1, 1] }: { size?: [number, number]; strides?: [number, number] } = {},
): void {
  const [o, kh, kw, cg] = w;
  const pads = [(kh - 1) >> 1, (kw - 1) >> 1, (kh - 1) >> 1, (kw - 1) >> 1];
  const x = input(ints(dtype, [1, ...size, cg * groups], -128, 128));
  const args = [x, codes([o, kh, kw, cg], most), scales([o]), halves([o]), zeroPoints(zp)];
  node('QConv', args, { strides, pads, dilations: [1, 1], groups });
}

conv('i8', [150, 1, 1, 35], 1, 1, 63); // more tiles than one start, columns left over, a last tile of six rows
conv('i8', [16, 3, 3, 5], 1, 1, 127);
conv('i16', [12, 3, 3, 3], 1, 1, 127);
conv('i8', [24, 3, 3, 1], 24, 24, 127);
conv('i8', [9, 5, 5, 1], 9, 1, 127);
conv('i8', [16, 4, 2, 1], 16, 1, 63);
conv('i8', [12, 3, 3, 2], 3, 6, 127);
conv('i8', [32, 1, 3, 16], 2, 1, 63);
conv('i8', [24, 3, 3, 1], 24, 24, 15); // sums of all taps, of rows, of four taps in 16 bits
conv('i8', [16, 3, 3, 1], 16, 1, 60, { size: [7, 13], strides: [2, 2] });
conv('i8', [9, 5, 5, 1], 9, 9, 60, { size: [6, 11] });
conv('i8', [16, 1, 5, 3], 1, 1, 63, { size: [1, 21], strides: [1, 2] }); // pieces of a line
conv('i16', [10, 4, 1, 4], 1, 1, 127, { size: [90, 1] });
conv('i8', [10, 3, 3, 7], 1, 1, 63, { size: [1, 1] }); // one row
conv('i16', [40, 10, 4, 1], 1, 1, 15, { size: [25, 9], strides: [2, 2] }); // short lines of windows
conv('i8', [12, 31, 1, 1], 1, 1, 127, { size: [70, 1], strides: [3, 1] }); // an image of one column
conv('i16', [12, 31, 1, 1], 1, 1, 127, { size: [70, 1], strides: [3, 1] });
conv('i16', [20, 3, 3, 1], 20, 20, 127, { size: [19, 9] }); // filters of 16-bit images
for (const rows of [1, 3]) {
  const x = input(ints('i8', [rows, 53], -128, 128));
  const fixed = [striped([19, 53]), scales([19]), halves([19])];
  node('QLinear', [x, '', ...fixed, b.constant('z', tensor('i32', [1], [-3]), { kind: 'ints' })]);
  const wide = input(ints('i16', [rows, 53], -3000, 3000));
  node('QLinear', [wide, '', ...fixed, b.constant('z', tensor('i32', [1], [0]), { kind: 'ints' })]);
}
for (const [rows, n, k, most] of [
  [1, 10, 64, 63],
  [1, 27, 83, 127],
  [1, 150, 96, 127],
  [5, 21, 100, 127],
] as const) {
  const x = input(ints('i8', [rows, k], -127, 128));
  const xs = input(tensor('f32', [rows], new Array(rows).fill(0.03)));
  node('QLinear', [x, xs, codes([n, k], most), scales([n]), halves([n])]);
}
for (const [d, direction, t, n] of [
  [1, 'forward', 3, 2],
  [2, 'bidirectional', 3, 2],
  [2, 'bidirectional', 1, 1],
] as const) {
  const [h, i] = [5, 18];
  const x = input(ints('i8', [t, n, i], -127, 128));
  const xs = input(tensor('f32', [t, n], new Array(t * n).fill(0.03)));
  const [w, r] = [codes([d, 4 * h, i], 127), codes([d, 4 * h, h], 127)];
  node('QLstm', [x, xs, w, scales([d, 4 * h]), r, scales([d, 4 * h]), halves([d, 4 * h])], { hidden: h, direction });
}
const wide = input(
  tensor(
    'f32',
    [5, 24],
    Array.from({ length: 120 }, () => rng.normal()),
  ),
);
node('Quantize', [wide, scales([24]), zeroPoints(24)], { to: 'i8' });
const table = [codes([300, 21], 127), scales([300])];
node('QGather', [...table, input(ints('i64', [7], -300, 300))]);
node('QGather', [...table, b.constant('rows', ints('i32', [40], 0, 300), { kind: 'ints' })]);
const graph: Graph = b.build();

const constants = [...graph.values.values()].filter((v) => v.data).map((v) => v.name);
const short = await compileGraph(graph, wasmTarget, { quick: QUICK });
const plain = await compileGraph(graph, wasmTarget, { mutable: constants, variants: ['simd128'], quick: QUICK });

async function outputsOf(compiled: CompiledProgram, variant: string, threads: number): Promise<Record<string, Tensor>> {
  const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), {
    variant,
    threads,
    splitAll: true,
  });
  const outputs = engine.run(inputs);
  engine.close();
  return outputs;
}

const same = (x: Tensor, y: Tensor): boolean => Buffer.from(bytesOf(x.data)).equals(Buffer.from(bytesOf(y.data)));

const kinds = (compiled: CompiledProgram): Set<WeightLayout['kind']> =>
  new Set(compiled.program.weights.map((w) => w.layout.kind));

test('the two programs hold their constants in different forms', () => {
  assert.equal([...kinds(short)].sort(), ['f16', 'log8', 'narrow', 'panels', 'plain']);
  assert.equal([...kinds(plain)].sort(), ['panels', 'plain']);
  const panels = (compiled: CompiledProgram) =>
    compiled.program.weights.flatMap((w) => (w.layout.kind === 'panels' ? [w.layout] : []));
  assert.ok(panels(short).some((l) => l.widths.length > 2));
  assert.ok(panels(plain).every((l) => l.widths.join() === '8'));
  assert.ok(short.program.weightBytes < 0.7 * plain.program.weightBytes);
});

/** Kernels of this machine, where there is a compiler for them and a processor that runs them. */
async function nativeCases(): Promise<{ variant: string; run(threads: number): Promise<Record<string, Tensor>> }[]> {
  if (hostTarget.platform !== thisPlatform()) {
    skip('resident forms on native kernels', 'no kernels for this processor', 'unsupported');
    return [];
  }
  if (!(await compilesFor(hostTarget))) {
    skip('resident forms on native kernels', WITHOUT_COMPILER);
    return [];
  }
  const compiled = await compileGraph(graph, hostTarget);
  const weights = residentBlock(compiled);
  return runnable(compiled.modules, thisPlatform(), processorFlags()).map((module) => ({
    variant: module.variant,
    run: async (threads) => {
      const engine = await NativeEngine.load(compiled.program, [module], weights, { threads, splitAll: true });
      const outputs = engine.run(inputs);
      engine.close();
      return outputs;
    },
  }));
}

const expected = await outputsOf(plain, 'simd128', 1);
const exact = evaluateGraph(graph, inputs);
for (const variant of short.modules.flatMap((m) => wasmVariants(m.variant))) {
  for (const threads of [1, 2]) {
    test(`${variant}, ${threads} threads: the same outputs`, async () => {
      const got = await outputsOf(short, variant, threads);
      for (const o of graph.outputs) {
        assert.ok(same(got[o]!, expected[o]!), `${o} depends on the form of the weights`);
        assert.ok(same(got[o]!, exact[o]!), `${o} is not what the operator says`);
      }
    });
  }
}

for (const { variant, run } of await nativeCases())
  test(`${variant}: the same outputs`, async () => {
    for (const threads of [1, 2]) {
      const got = await run(threads);
      for (const o of graph.outputs) assert.ok(same(got[o]!, exact[o]!), `${o} is not what the operator says`);
    }
  });

test.run();
