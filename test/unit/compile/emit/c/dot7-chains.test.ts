import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MOST_SUM, paysChains } from '../../../../../sdk/compile/emit/c/dot7-chains.ts';
import { compileGraph } from '../../../../../sdk/compile/index.ts';
import { probeDot7 } from '../../../../../sdk/device/engine/probe.ts';
import { WasmEngine } from '../../../../../sdk/device/engine/wasm.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import type { Graph } from '../../../../../sdk/ir/graph.ts';
import { residentBlock } from '../../../../../sdk/runner.ts';
import { bytesOf, type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { QUICK } from '../../../../support/compilers.ts';
import { GraphSketch } from '../../../../support/graphs.ts';

const [ROWS, CHANNELS, COLUMNS] = [40, 16, 64];

/** Those that are right here. */
const { whole, chained } = probeDot7();
const VARIANTS = ['simd128', ...(whole.right ? ['dot7'] : []), ...(chained.right ? ['dot7x16'] : [])];

/** Codes by tile of eight channels and column. */
function codesOf(code: (tile: number, column: number) => number): Int8Array {
  return Int8Array.from({ length: CHANNELS * COLUMNS }, (_, i) => code(Math.floor(i / COLUMNS / 8), i % COLUMNS));
}

/** i8 [1, 1, ROWS, COLUMNS] times the codes. */
function networkOf(codes: Int8Array): Graph {
  const g = new GraphSketch('product');
  const x = g.input('x', [1, 1, ROWS, COLUMNS], 'i8');
  const w = g.builder.constant('w', tensor('i8', [CHANNELS, 1, 1, COLUMNS], codes), { kind: 'codes', bits: 7 });
  const channels = (v: number): Tensor => tensor('f32', [CHANNELS], new Array<number>(CHANNELS).fill(v));
  const attrs = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  return g.build(g.node('QConv', [x, w, channels(0.5), channels(1), tensor('i32', [1], [3])], attrs));
}

test('narrow codes are summed in chains where there are rows enough', () => {
  const pays = (data: Int8Array, rows = ROWS): boolean =>
    paysChains({ data, rows: CHANNELS, cols: COLUMNS, segments: 1 }, rows);
  const narrow = codesOf((_, c) => (c % 15) - 7);
  assert.ok(pays(narrow));
  assert.not(pays(narrow, 2));
  assert.not(pays(codesOf((_, c) => (c % 2 ? 63 : -63))));
});

test('sums of 16 bits at their very limit', async () => {
  // Sums of even pairs of a chain of eight steps less the least code are as large as may be, and one more.
  const limit = (more: number) => (tile: number, c: number) => {
    if (tile === 1 || (c & 2) === 2) return c % 3;
    return c === 0 ? 0 : c === 1 ? MOST_SUM - 14 * 16 + more : c < 32 ? 16 : 1;
  };
  const wide = (tile: number, c: number): number => (tile === 0 ? (c % 2 ? 63 : -63) : (c % 5) - 2);
  const inputs = [-128, 127].map((v) => tensor('i8', [1, 1, ROWS, COLUMNS], new Int8Array(ROWS * COLUMNS).fill(v)));
  for (const [name, code] of Object.entries({ full: limit(0), over: limit(1), wide })) {
    const graph = networkOf(codesOf(code));
    const compiled = await compileGraph(graph, wasmTarget, { quick: QUICK });
    for (const variant of VARIANTS) {
      const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), { variant });
      for (const x of inputs) {
        const [got, want] = [engine.run({ x }), evaluateGraph(graph, { x })];
        for (const v of graph.outputs)
          assert.equal(bytesOf(got[v]!.data), bytesOf(want[v]!.data), `${name} ${variant}`);
      }
      engine.close();
    }
  }
});

test.run();
