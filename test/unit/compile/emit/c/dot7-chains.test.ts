import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chainsOfTiles } from '../../../../../sdk/compile/emit/c/dot7-chains.ts';
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
  const w = g.builder.constant('w', tensor('i8', [CHANNELS, 1, 1, COLUMNS], codes), { kind: 'codes', bits: 8 });
  const channels = (v: number): Tensor => tensor('f32', [CHANNELS], new Array<number>(CHANNELS).fill(v));
  const attrs = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  return g.build(g.node('QConv', [x, w, channels(0.5), channels(1), tensor('i32', [1], [3])], attrs));
}

const chainsOf = (data: Int8Array, tiles = 1) =>
  chainsOfTiles({ data, rows: CHANNELS, cols: COLUMNS, segments: 1 }, { tiles });

test('codes are summed in chains as long as those of one sign allow', () => {
  const narrow = chainsOf(codesOf((_, c) => (c % 15) - 7));
  assert.is(narrow?.text, 'static const u8 chains[] = {16, 16}; static const i32 chains_at[] = {0, 1};');
  assert.is(narrow?.at('n'), 'chains + chains_at[(n) / 8]');
  assert.is(narrow?.halves, false);
  assert.is(
    chainsOf(
      codesOf((_, c) => (c % 15) - 7),
      2,
    )?.at('n'),
    'chains + chains_at[(n) / 16]',
  );
  assert.is(chainsOf(codesOf((_, c) => (c % 2 ? 127 : -127))), undefined);
  assert.is(chainsOf(codesOf((tile, c) => (tile === 0 && c < 4 ? 65 : 1)))?.halves, true);
});

test('sums of 16 bits at their very limit', async () => {
  // Codes of one sign in even pairs of eight steps add up to as much as may be, and to one more; in one step to more.
  const limit = (sign: number, more: number) => (tile: number, c: number) => {
    if (tile === 1 || (c & 2) === 2) return (c % 3) - 1;
    return sign * (c === 0 ? 2 : c === 1 ? 128 - 14 * 8 - 2 + more : c < 32 ? 8 : 0);
  };
  const networks = {
    ...{ full: limit(1, 0), over: limit(1, 1), least: limit(-1, 0), under: limit(-1, 1) },
    halves: (tile: number, c: number) => (tile === 0 && (c >> 2) % 7 === 3 ? [126, -127][c % 2]! : (c % 5) - 2),
    large: (tile: number, c: number) => (tile === 0 && (c >> 2) % 7 === 3 ? 127 : -((c % 5) - 2)),
    small: (tile: number, c: number) => (tile === 0 && (c >> 2) % 7 === 3 ? -127 : (c % 5) - 2),
    wide: (tile: number, c: number) => (tile === 0 ? (c % 2 ? 63 : -63) : (c % 5) - 2),
  };
  const inputs = [-128, 127].map((v) => tensor('i8', [1, 1, ROWS, COLUMNS], new Int8Array(ROWS * COLUMNS).fill(v)));
  for (const [name, code] of Object.entries(networks)) {
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
