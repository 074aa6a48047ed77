import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../../sdk/device/engine/wasm.ts';
import { residentBlock } from '../../../../sdk/runner.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../targets/wasm/index.ts';
import { GraphSketch } from '../../../support/graphs.ts';

const g = new GraphSketch('small');
const graph = g.build(g.node('Relu', [g.input('x', [4])]));
const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
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
