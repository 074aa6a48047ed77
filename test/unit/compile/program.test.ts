import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph, planProgram } from '../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { residentBlock, wasmRunner } from '../../../sdk/runner.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { bytesOf, sizeOf, type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../targets/wasm/index.ts';
import { nodesOf } from '../../support/graphs.ts';

/**
 * A small integer network with everything that fusion does: activation and requantization in the producer, a value that
 * is both stored and used, per-channel zero points into a depthwise layer, a residual sum, a broadcast gate, 16-bit input.
 */
function network(): { graph: Graph; input: Tensor } {
  const rng = new Rng(7);
  const b = new GraphBuilder('network');
  const floats = (shape: number[], lo: number, hi: number): string =>
    b.constant(
      'c',
      tensor(
        'f32',
        shape,
        Array.from({ length: sizeOf(shape) }, () => lo + (hi - lo) * rng.uniform()),
      ),
    );
  const ints = (dtype: 'i8' | 'i32', shape: number[], lo: number, hi: number): Tensor =>
    tensor(
      dtype,
      shape,
      Array.from({ length: sizeOf(shape) }, () => Math.floor(lo + (hi - lo + 1) * rng.uniform())),
    );
  const codes = (shape: number[], bits: number): string =>
    b.constant('w', ints('i8', shape, -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1), { kind: 'codes', bits });
  const node = nodesOf(b);
  const quantize = (x: string, to: string, channels: number): string =>
    node('Quantize', [x, floats([channels], 20, 40), b.constant('z', ints('i32', [channels], -20, 20))], { to });
  const conv = (x: string, o: number, k: number, c: number, bits: number, groups = 1, channels = 1): string => {
    const pad = (k - 1) / 2;
    const attrs = { strides: [1, 1], pads: [pad, pad, pad, pad], dilations: [1, 1], groups };
    return node(
      'QConv',
      [
        x,
        codes([o, k, k, c / groups], bits),
        floats([o], 0.0005, 0.001),
        floats([o], -0.5, 0.5),
        b.constant('z', ints('i32', [channels], -20, 20)),
      ],
      attrs,
    );
  };
  const input = b.input('x', { dtype: 'f32', shape: [1, 9, 7, 3] });
  const first = node('HardSwish', [conv(quantize(input, 'i16', 1), 12, 3, 3, 5)]);
  const deep = node('Relu', [conv(quantize(first, 'i8', 12), 12, 5, 12, 7, 12, 12)]);
  const back = node('Add', [first, conv(quantize(deep, 'i8', 1), 12, 1, 12, 3)]);
  const gate = node('Sigmoid', [node('Reduce', [back], { fn: 'mean', axes: [1, 2], keepdims: true })]);
  const gated = node('Mul', [back, gate]);
  const last = conv(quantize(gated, 'i8', 1), 5, 3, 12, 4);
  b.outputs.push(back, last);
  return {
    graph: b.build(),
    input: tensor(
      'f32',
      [1, 9, 7, 3],
      Array.from({ length: 189 }, () => rng.uniform() * 2 - 1),
    ),
  };
}

const same = (a: Tensor, b: Tensor): boolean => Buffer.from(bytesOf(a.data)).equals(Buffer.from(bytesOf(b.data)));
const { graph, input } = network();

test('a fused integer network equals the reference bit for bit where nothing rounds differently', async () => {
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
  const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled));
  const got = engine.run({ x: input });
  const want = evaluateGraph(graph, { x: input });
  const [exact, rounded] = graph.outputs as [string, string];
  assert.ok(same(got[exact]!, want[exact]!));
  const worst = Math.max(
    ...Array.from(got[rounded]!.data as Float32Array, (v, i) =>
      Math.abs(v - (want[rounded]!.data as Float32Array)[i]!),
    ),
  );
  assert.ok(worst < 0.05, `largest difference ${worst}`);
});

test('elementwise work is fused: one step a product, one for the mean, one for the gate, one for the gated sum, one for the input', () => {
  const { program, arenaLowerBound } = planProgram(graph, wasmTarget.vectors);
  assert.equal(
    program.steps.map((s) => s.kind),
    ['quantize', 'qconv', 'qconv', 'qconv', 'reduce', 'map', 'map', 'qconv'],
  );
  assert.ok(program.arenaBytes <= arenaLowerBound * 1.05 + 64);
});

test('the emitted source is the same for the same graph', () => {
  assert.is(planProgram(graph, wasmTarget.vectors).source, planProgram(network().graph, wasmTarget.vectors).source);
});

test('a run that is paused and resumed at every step gives what a whole run gives, with one thread and with two', async () => {
  for (const threads of [1, 2]) {
    const session = await wasmRunner({ target: wasmTarget, threads }).open(graph, { keep: ['v3'] });
    const whole = await session.run({ x: input });
    const other = session.start({ x: tensor('f32', input.shape) });
    let state = session.start({ x: input });
    for (let step = 1; step <= session.steps; step++) {
      state = await session.advance(state, step);
      if (step < session.steps) await session.advance(other, session.steps);
    }
    for (const o of graph.outputs) assert.ok(same(session.read(o), whole[o]!), `${o} with ${threads} threads`);
    session.close();
  }
});

test('kernels that are made at once compute what those of clang do', async () => {
  const results = [];
  for (const quick of [false, true]) {
    const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], quick });
    const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled));
    results.push(engine.run({ x: input }));
    engine.close();
  }
  for (const y of graph.outputs) assert.ok(same(results[1]![y]!, results[0]![y]!), y);
});

test('a mutable constant changes the run and can be put back', async () => {
  const name = [...graph.values.values()].find((v) => v.packing?.kind === 'codes')!.name;
  const session = await wasmRunner({ target: wasmTarget }).open(graph, { mutable: [name] });
  const before = await session.run({ x: input });
  const codes = graph.values.get(name)!.data!;
  session.setConstant(name, tensor('i8', codes.shape));
  assert.not.ok(same((await session.run({ x: input }))[graph.outputs[0]!]!, before[graph.outputs[0]!]!));
  session.setConstant(name, codes);
  assert.ok(same((await session.run({ x: input }))[graph.outputs[0]!]!, before[graph.outputs[0]!]!));
  session.close();
});

test('a variant that the compiler does not take is left out where that is allowed', async () => {
  const { graph } = network();
  const refusing = (optional: boolean) =>
    compileGraph(graph, {
      ...wasmTarget,
      variants: [
        { id: 'plain', defines: [], flags: [] },
        { id: 'newer', defines: [], flags: [], optional },
      ],
      build: async (_source, { id }) => {
        if (id === 'newer') throw new EigenError('EW5002_COMPILER_FAILED', 'unknown flag');
        return { platform: 'wasm', variant: id, bytes: new Uint8Array() };
      },
    });
  assert.equal(
    (await refusing(true)).modules.map((m) => m.variant),
    ['plain'],
  );
  try {
    await refusing(false);
    assert.unreachable();
  } catch (e) {
    assert.is((e as EigenError).code, 'EW5002_COMPILER_FAILED');
  }
});

test.run();
