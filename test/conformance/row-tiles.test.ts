import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { sizeOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { engineCases } from '../support/engines.ts';
import { GraphSketch } from '../support/graphs.ts';

/** Products of one row with weights that have room for tiles in a form of their own give what those of several rows do. */
const rng = new Rng(3);
const sketch = new GraphSketch('rows');
const inputs: Record<string, Tensor> = {};
const integers = (dtype: 'i8' | 'i32', shape: number[], of: () => number): Tensor =>
  tensor(dtype, shape, Array.from({ length: sizeOf(shape) }, of));

for (const [n, k, deviation, zp] of [
  [72, 400, 2.2, 0],
  [40, 83, 2.5, 0],
  [64, 200, 2.6, -9],
  [44, 96, 1.2, 7],
] as const) {
  const weights = integers('i8', [n, k], () => Math.max(-63, Math.min(63, Math.round(deviation * rng.normal()))));
  weights.data[5] = 63;
  const codes = sketch.builder.constant('w', weights, { kind: 'codes', bits: 7 });
  const name = `x${n}`;
  inputs[name] = integers('i8', [1, k], () => rng.below(255) - 127);
  const x = sketch.builder.input(name, { dtype: 'i8', shape: [1, k] });
  const scale = tensor('f32', [n], new Array<number>(n).fill(1));
  const bias = tensor('f32', [n], new Array<number>(n).fill(0));
  sketch.builder.outputs.push(sketch.node('QLinear', [x, '', codes, scale, bias, tensor('i32', [1], [zp])]));
}
const graph = sketch.build();
const expected = evaluateGraph(graph, inputs);
const { program } = planProgram(graph, wasmTarget.vectors);

test('their slots have room, within the share of memory that is meant for weights', () => {
  const rooms = program.weights.flatMap(({ layout }) => (layout.kind === 'panels' ? [layout.room ?? 0] : []));
  assert.ok(rooms.length === 4 && rooms.every((room) => room > 0), rooms.join());
});

test('a compact program has none', () => {
  const { weights } = planProgram(graph, wasmTarget.vectors, { compact: true }).program;
  assert.ok(weights.every(({ layout }) => layout.kind !== 'panels' || layout.room === undefined));
});

for (const { name: engineName, load } of await engineCases(graph))
  for (const threads of [1, 3])
    test(`${engineName}, ${threads} threads`, async () => {
      const engine = await load(threads);
      const outputs = engine.run(inputs);
      for (const [name, want] of Object.entries(expected)) assert.equal([...outputs[name]!.data], [...want.data], name);
      engine.close();
    });

test.run();
