import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../../sdk/device/engine/wasm.ts';
import { residentBlock } from '../../../../sdk/runner.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../targets/wasm/index.ts';
import { QUICK } from '../../../support/compilers.ts';
import { GraphSketch } from '../../../support/graphs.ts';

const g = new GraphSketch('small');
const graph = g.build(g.node('Relu', [g.input('x', [4])]));
const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], quick: QUICK });
const open = (): Promise<WasmEngine> => WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled));
const [out] = graph.outputs;

test('outputs are copied to the tensors that are given', async () => {
  const engine = await open();
  const first = engine.run({ x: tensor('f32', [4], [-1, 1, 2, 3]) });
  const second = engine.run({ x: tensor('f32', [4], [4, 5, -6, 7]) }, first);
  assert.is(second[out!], first[out!]);
  assert.equal([...first[out!]!.data], [4, 5, 0, 7]);
  engine.close();
});

test('large inputs and outputs are copied whole, by any number of threads', async () => {
  const sketch = new GraphSketch('large');
  const large = sketch.build(sketch.node('Relu', [sketch.input('x', [5001])]));
  const made = await compileGraph(large, wasmTarget, { variants: ['simd128'], quick: QUICK });
  const name = large.outputs[0]!;
  const x = tensor(
    'f32',
    [5001],
    Float32Array.from({ length: 5001 }, (_, i) => (i % 3) - 1),
  );
  const want = x.data.map((v) => Math.max(v, 0));
  for (const threads of [1, 2]) {
    const engine = await WasmEngine.load(made.program, made.modules, residentBlock(made), { threads });
    const first = engine.run({ x });
    assert.equal(first[name]!.data, want);
    (first[name]!.data as Float32Array).fill(7);
    assert.equal(engine.run({ x }, first)[name]!.data, want);
    engine.close();
  }
});

test('an engine that is opened early gives the same outputs before its threads have started and after', async () => {
  const s = new GraphSketch('split');
  const x = s.input('x', [256, 192]);
  const split = s.build(s.node('Add', [s.node('Softmax', [x], { axis: 1, log: false }), x]));
  const { program, modules, ...rest } = await compileGraph(split, wasmTarget, { variants: ['simd128'], quick: QUICK });
  const data = tensor(
    'f32',
    [256, 192],
    Float32Array.from({ length: 256 * 192 }, (_, i) => Math.sin(i)),
  );
  const block = residentBlock({ program, ...rest });
  const alone = await WasmEngine.load(program, modules, block);
  const want = alone.run({ x: data });
  for (let k = 0; k < 3; k++) {
    const engine = await WasmEngine.load(program, modules, block, { threads: 3, early: true });
    for (let run = 0; run < 20; run++) {
      if (run % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(engine.run({ x: data }), want);
    }
    engine.close();
  }
});

test('a tensor of another type is refused before anything runs', async () => {
  const engine = await open();
  const wrong = { [out!]: tensor('f32', [3], [0, 0, 0]) };
  try {
    engine.run({ x: tensor('f32', [4], [1, 1, 1, 1]) }, wrong);
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e));
    assert.is(e.code, 'EW3202_DATA_INVALID');
    assert.match(e.message, `output '${out}' must be f32`);
  }
  engine.close();
});

test.run();
