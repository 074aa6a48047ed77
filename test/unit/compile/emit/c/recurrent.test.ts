// timeout: 120
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../../sdk/compile/index.ts';
import { probeDot7 } from '../../../../../sdk/device/engine/probe.ts';
import { WasmEngine } from '../../../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../../../sdk/ir/graph.ts';
import { sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { residentBlock } from '../../../../../sdk/runner.ts';
import { coarsen, codeCounts } from '../../../../../sdk/util/nested.ts';
import { type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { panelPoints } from '../../../../../sdk/wire/codes.ts';
import { packWeight } from '../../../../../sdk/wire/layout.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { QUICK } from '../../../../support/compilers.ts';
import { GraphSketch } from '../../../../support/graphs.ts';

const [STEPS, SAMPLES, INPUTS] = [3, 2, 18];

/** Codes of a tile by column. */
type Row = (column: number) => number;

/** Codes that are large, in even pairs of columns, in four steps from column `first` on: one of those fits a sum, two do not. */
const around =
  (first: number): Row =>
  (column) =>
    (column & 2) === 0 && column >= first && column < first + 16 ? 63 : 0;
/** The same code in all even pairs: chains are as long as it allows. */
const even =
  (code: number): Row =>
  (column) =>
    (column & 2) === 0 ? code : 0;
const mixed: Row = (column) => ((5 * column) % 127) - 63;

/** Units, directions, and codes of seven bits at most for every other tile of eight rows of the recurrent matrix. */
const CASES: readonly (readonly [number, 1 | 2, Row, Row])[] = [
  // Chains of three steps, of six, of two, which do not pay beside the large ones, and of one, which do not pay at all.
  [64, 1, around(24), even(20)],
  [64, 1, even(10), around(24)],
  [64, 1, around(16), even(30)],
  [64, 1, around(8), even(40)],
  // An odd number of tiles, and tiles of two directions.
  [6, 1, mixed, even(63)],
  [5, 2, mixed, even(7)],
];

const g = new GraphSketch('lstm');
const x = g.input('x', [STEPS, SAMPLES, INPUTS], 'i8');
const states: string[] = [];
const outputs = CASES.flatMap(([hidden, directions, one, other], i) => {
  const rows = 4 * hidden;
  const all = (v: number): Tensor => tensor('f32', [directions, rows], new Array<number>(directions * rows).fill(v));
  const constant = (name: string, data: Tensor): string =>
    g.builder.constant(`${name}${i}`, data, { kind: 'codes', bits: 7 });
  const recurrent = Int8Array.from({ length: directions * rows * hidden }, (_, k) =>
    (Math.floor(k / hidden / 8) % 2 ? other : one)(k % hidden),
  );
  const w = constant('w', sampleInts('i8', [directions, rows, INPUTS], -7, 8, 3));
  const r = constant('r', tensor('i8', [directions, rows, hidden], recurrent));
  const initial = ['h', 'c'].map((v) => g.input(`${v}${i}`, [directions, SAMPLES, hidden]));
  states.push(...initial);
  const attrs = { hidden, direction: directions === 2 ? 'bidirectional' : 'forward' };
  return g.nodes('QLstm', [x, '', w, all(1e-3), r, all(1e-4), all(0.01), ...initial], attrs);
});
const graph = g.build(...outputs);

test('recurrent products of two tiles are those of the reference, hidden states being as large as they may be', async () => {
  const { whole, chained } = probeDot7();
  const variants = [...(whole.right ? ['dot7'] : []), ...(chained.right ? ['dot7x16'] : [])];
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['dot7'], quick: QUICK });
  const weights = residentBlock(compiled);
  for (const h of [-2, 1]) {
    const inputs: Record<string, Tensor> = { x: sampleInts('i8', [STEPS, SAMPLES, INPUTS], -128, 128, 4) };
    for (const v of states) {
      const { shape } = graph.values.get(v)!.type;
      const length = shape.reduce((a, b) => a * b);
      inputs[v] = tensor('f32', shape, new Array<number>(length).fill(v.startsWith('h') ? h : 0.5));
    }
    const want = evaluateGraph(graph, inputs);
    for (const variant of variants) {
      const engine = await WasmEngine.load(compiled.program, compiled.modules, weights, { variant });
      const got = engine.run(inputs);
      for (const v of outputs) assert.ok(largestError(got[v]!, want[v]!) < 1e-5, `${v} ${variant} ${h}`);
      engine.close();
    }
  }
});

test('sums of 16 bits have room for the larger codes of a part', async () => {
  const [hidden, rows, cols] = [16, 64, 16];
  // In even pairs of two steps 128 as they are, 132 from a part: times 255 that is beyond 16 bits.
  // A larger one elsewhere, so that there are codes as large as that.
  const first = (i: number): number => (i < 8 && (i & 2) === 0 ? 32 : 0);
  const codes = Int8Array.from({ length: rows * cols }, (_, i) => (i < cols ? first(i) : i === cols ? 40 : 10));
  const coarse = coarsen(codes, panelPoints(codes, rows, cols)(1, codeCounts(codes)));
  assert.ok(coarse[0]! > 32);
  const lstm = (data: Int8Array): Graph => {
    const b = new GraphSketch('part');
    const [w, r] = ['w', 'r'].map((v) =>
      b.builder.constant(v, tensor('i8', [1, rows, cols], data), { kind: 'codes', bits: 7 }),
    ) as [string, string];
    const all = (v: number): Tensor => tensor('f32', [1, rows], new Array<number>(rows).fill(v));
    const x = b.input('x', [2, 1, cols], 'i8');
    const [h, c] = ['h', 'c'].map((v) => b.input(v, [1, 1, hidden])) as [string, string];
    const inputs = [x, '', w, all(1e-5), r, all(1e-5), all(0), h, c];
    return b.build(...b.nodes('QLstm', inputs, { hidden, direction: 'forward' }));
  };
  const ones = (shape: number[]): Tensor => tensor('f32', shape, new Array<number>(hidden).fill(1));
  const inputs = {
    x: tensor('i8', [2, 1, cols], new Int8Array(2 * cols).fill(127)),
    ...{ h: ones([1, 1, hidden]), c: ones([1, 1, hidden]) },
  };
  const compiled = await compileGraph(lstm(codes), wasmTarget, { variants: ['dot7'], quick: QUICK });
  const block = new Uint8Array(compiled.program.weightBytes);
  for (const { slot, tensor: t } of compiled.weights)
    block.set(packWeight(slot.layout, t.dtype === 'i8' ? { ...t, data: coarse } : t, 'within'), slot.offset);
  const want = evaluateGraph(lstm(coarse), inputs);
  const { whole, chained } = probeDot7();
  for (const variant of [...(whole.right ? ['dot7'] : []), ...(chained.right ? ['dot7x16'] : [])]) {
    const engine = await WasmEngine.load(compiled.program, compiled.modules, block, { variant });
    const got = engine.run(inputs);
    for (const v of Object.keys(want)) assert.ok(largestError(got[v]!, want[v]!) < 1e-5, `${v} ${variant}`);
    engine.close();
  }
});

function largestError({ data: a }: Tensor, { data: b }: Tensor): number {
  return (a as Float32Array).reduce((most, v, i) => Math.max(most, Math.abs(v - Number(b[i]))), 0);
}

test.run();
