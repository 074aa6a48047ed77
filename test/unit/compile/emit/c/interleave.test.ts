import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../../sdk/compile/index.ts';
import { WasmEngine } from '../../../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import { sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { residentBlock } from '../../../../../sdk/runner.ts';
import { bytesOf, type Tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { QUICK } from '../../../../support/compilers.ts';
import { GraphSketch } from '../../../../support/graphs.ts';

const CASES = [
  { shape: [1, 3, 45, 52], type: 'i8' },
  { shape: [2, 3, 4, 9], type: 'i8' },
  { shape: [1, 2, 5, 7], type: 'i16' },
  { shape: [3, 4, 40, 30], type: 'i16' },
] as const;

test('planes of which there are a few are interleaved a vector of each at a time', async () => {
  const g = new GraphSketch('planes');
  const inputs: Record<string, Tensor> = {};
  const outputs = CASES.map(({ shape, type }, i) => {
    const x = g.input(`x${i}`, [...shape], type);
    inputs[x] = sampleInts(type, [...shape], -100, 100, i);
    return g.node('Transpose', [x], { perm: [0, 2, 3, 1] });
  });
  const graph = g.build(...outputs);
  const want = evaluateGraph(graph, inputs);
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'], quick: QUICK });
  assert.is(compiled.source.match(/static const u8 picks/g)?.length, CASES.length);
  for (const threads of [1, 3]) {
    const options = { variant: 'simd128', threads, splitAll: true };
    const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), options);
    const got = engine.run(inputs);
    engine.close();
    for (const o of outputs) assert.equal(bytesOf(got[o]!.data), bytesOf(want[o]!.data), `${o}, ${threads} threads`);
  }
});

test.run();
