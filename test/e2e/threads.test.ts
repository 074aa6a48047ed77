import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompiledProgram, compileGraph } from '../../sdk/compile/index.ts';
import type { Target } from '../../sdk/compile/target.ts';
import type { Engine } from '../../sdk/device/engine/engine.ts';
import { NativeEngine } from '../../sdk/device/engine/native.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { bytesOf, tensor } from '../../sdk/util/tensor.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { GraphSketch } from '../support/graphs.ts';

const SECONDS = 6;
/** Rows of inputs: steps that one thread does alone; that are split; inputs and outputs that all threads copy. */
const ROWS = [4, 96, 512];
const COLS = 64;

function graphOf(rows: number) {
  const g = new GraphSketch(`rows-${rows}`);
  const x = g.input('x', [rows, COLS]);
  const many = g.node('Add', [g.node('Softmax', [x], { axis: 1, log: false }), x]);
  const few = g.node('Reduce', [many], { fn: 'sum', axes: [0], keepdims: true });
  return g.build(g.node('Mul', [g.node('Softmax', [many], { axis: 1, log: false }), few]));
}

interface Model {
  readonly compiled: CompiledProgram;
  readonly inputs: readonly Float32Array[];
  /** Outputs of one thread for every input. */
  readonly want: readonly Buffer[];
}

function answer(engine: Engine, rows: number, data: Float32Array): Buffer {
  const { outputs } = engine.program;
  return Buffer.from(bytesOf(engine.run({ x: tensor('f32', [rows, COLS], data) })[outputs[0]!.name]!.data));
}

/**
 * Engines of several models with one to four threads come, run in turn, one after another or after a pause in which threads sleep, and are closed
 * while the threads of others, and their own, still poll.
 */
async function stress(target: Target, variant: string, load: (c: CompiledProgram, threads: number) => Promise<Engine>) {
  const rng = new Rng(11);
  const models: Model[] = [];
  for (const rows of ROWS) {
    const compiled = await compileGraph(graphOf(rows), target, { variants: [variant] });
    const inputs = [0, 1, 2].map(() => Float32Array.from({ length: rows * COLS }, () => rng.normal()));
    const engine = await load(compiled, 1);
    models.push({ compiled, inputs, want: inputs.map((data) => answer(engine, rows, data)) });
    engine.close();
  }
  let calls = 0;
  let engines = 0;
  for (const end = performance.now() + 1000 * SECONDS; performance.now() < end; ) {
    const open = await Promise.all(
      models.map(async (model, m) => ({
        ...model,
        rows: ROWS[m]!,
        engine: await load(model.compiled, 1 + rng.below(4)),
      })),
    );
    for (let turn = 0; turn < 60; turn++) {
      const { engine, rows, inputs, want } = open[rng.below(open.length)]!;
      for (let run = rng.below(40); run >= 0; run--) {
        const i = rng.below(inputs.length);
        assert.ok(answer(engine, rows, inputs[i]!).equals(want[i]!), `${rows} rows, ${engine.threads} threads`);
        calls++;
      }
      if (rng.below(6) === 0) await sleep(rng.below(3));
    }
    for (const { engine } of open) engine.close();
    engines += open.length;
  }
  assert.ok(calls > 100 && engines > 0, `${calls} calls of ${engines} engines`);
}

test('native threads: thousands of short calls of several models give the bits of one thread, and end', async () => {
  if (process.arch !== 'x64' || process.platform !== 'linux' || !(await hostTarget.toolchain()))
    return skip('native threads under stress', 'no C compiler for x86-64 here');
  await stress(hostTarget, 'sse4', (c, threads) =>
    NativeEngine.load(c.program, c.modules, residentBlock(c), { threads }),
  );
});

test('WebAssembly threads: thousands of short calls of several models give the bits of one thread, and end', () =>
  stress(wasmTarget, 'simd128', (c, threads) => WasmEngine.load(c.program, c.modules, residentBlock(c), { threads })));

test.run();
