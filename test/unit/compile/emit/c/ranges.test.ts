import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeRange } from '../../../../../sdk/compile/emit/c/ranges.ts';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { evaluateGraph } from '../../../../../sdk/ir/evaluate.ts';
import { type Attrs, type Graph, GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { wasmRunner } from '../../../../../sdk/runner.ts';
import { bytesOf, type Tensor, tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { nodesOf } from '../../../../support/graphs.ts';

interface Layer {
  readonly name: string;
  /** Filters [o, k, k, c / groups]. */
  readonly codes: Tensor;
  readonly groups?: number;
  /** Factor of the sums, and what the results are quantized with. */
  readonly m: number;
  readonly inv: readonly number[];
  readonly zp: readonly number[];
  /** Bounds that results are cut off at. */
  readonly clip?: { readonly min?: number; readonly max?: number };
}

const C = 8;

/** i8 [1, 6, 9, 8] -> convolution -> Clip -> Quantize. */
function networkOf({ name, codes, groups = 1, m, inv, zp, clip }: Layer): Graph {
  const b = new GraphBuilder(name);
  const node = nodesOf(b);
  const o = codes.shape[0]!;
  const pad = (codes.shape[1]! - 1) / 2;
  const x = b.input('x', { dtype: 'i8', shape: [1, 6, 9, C] });
  const w = b.constant('w', codes, { kind: 'codes', bits: 8 });
  const factors = b.constant('m', tensor('f32', [o], new Array<number>(o).fill(m)));
  const bias = b.constant('b', tensor('f32', [o], new Array<number>(o).fill(0.25)));
  const zero = b.constant('zx', tensor('i32', [1], [-7]));
  const attrs = { strides: [1, 1], pads: [pad, pad, pad, pad], dilations: [1, 1], groups };
  const sums = node('QConv', [x, w, factors, bias, zero], attrs);
  const cut = clip ? node('Clip', [sums], clip as Attrs) : sums;
  const steps = b.constant('inv', tensor('f32', [inv.length], [...inv]));
  const to = b.constant('zp', tensor('i32', [zp.length], [...zp]));
  b.outputs.push(node('Quantize', [cut, steps, to], { to: 'i8' }));
  return b.build();
}

async function sameAsReference(graph: Graph, inputs: Record<string, Tensor>): Promise<void> {
  const session = await wasmRunner({ target: wasmTarget }).open(graph);
  const got = await session.run(inputs);
  const want = evaluateGraph(graph, inputs);
  session.close();
  for (const v of graph.outputs) assert.equal(bytesOf(got[v]!.data), bytesOf(want[v]!.data), `${graph.name}: ${v}`);
}

/** The kernels of a graph, without the helpers before them. */
function kernels(graph: Graph): string {
  const { source } = planProgram(graph, wasmTarget.vectors);
  return source.slice(source.indexOf('k0_epi('));
}

const x = sampleInts('i8', [1, 6, 9, C], -128, 128, 3);
const codes = sampleInts('i8', [12, 3, 3, C], -127, 128, 5);
const each = <T>(v: T): T[] => new Array<T>(12).fill(v);

test('sums are cut off where they may be below what the rounding takes', async () => {
  const cutOff = /ew_round_add\(f4_max\(/;
  const near = networkOf({ name: 'near', codes, m: 0.001, inv: [20], zp: [-3] });
  assert.not.match(kernels(near), cutOff);
  await sameAsReference(near, { x });
  for (const m of [1000, 1e30]) {
    const far = networkOf({ name: `far ${m}`, codes, m, inv: [20], zp: [-3] });
    assert.match(kernels(far), cutOff);
    await sameAsReference(far, { x });
    // What is too large is above all codes anyway.
    const above = networkOf({ name: `above ${m}`, codes, m, inv: [20], zp: [-3], clip: { min: -2 } });
    assert.not.match(kernels(above), cutOff);
    await sameAsReference(above, { x });
  }
});

test('a bound that saturation keeps is left out, by channel as well', async () => {
  const network = (zp: readonly number[], inv: readonly number[], max?: number): Graph =>
    networkOf({
      name: `clip ${zp[0]} ${inv[0]} ${max}`,
      codes,
      m: 0.001,
      inv,
      zp,
      clip: max === undefined ? { min: 0 } : { min: 0, max },
    });
  const relu = network([-128], [20]);
  const kept = network([-127], [20]);
  assert.match(kernels(relu), /f4_mul\(a, /);
  assert.not.match(kernels(kept), /f4_mul\(a, /);
  for (const g of [relu, network([...each(-128).slice(1), -100], each(20)), network([-128], [255 / 6], 6)])
    await sameAsReference(g, { x });
});

test('depthwise sums in 16 bits at their very limit', async () => {
  // 8 channels: as much as fits for a filter, a row, a piece of a row, and one code too much for each.
  const rows = [
    [40, 40, 40, 40, 40, 40, 5, 5, 5],
    [-29, -29, -29, -28, -28, -28, -28, -28, -28],
    [127, 64, 64, -127, -64, -64, 1, 0, -1],
  ];
  const full = tensor('i8', [C, 3, 3, 1], Int8Array.from([0, 1, 2, 3, 4, 5, 6, 7].flatMap((c) => rows[c % 2]!)));
  const row = tensor('i8', [C, 3, 3, 1], Int8Array.from([0, 1, 2, 3, 4, 5, 6, 7].flatMap(() => rows[2]!)));
  const over = tensor(
    'i8',
    [C, 3, 3, 1],
    Int8Array.from([0, 1, 2, 3, 4, 5, 6, 7].flatMap(() => [127, 127, 2, 0, 0, 0, 1, 1, 1])),
  );
  const extremes = tensor(
    'i8',
    [1, 6, 9, C],
    new Int8Array(6 * 9 * C).map((_, i) => (i % 3 === 0 ? 127 : -128)),
  );
  for (const [name, w] of Object.entries({ full, row, over })) {
    const graph = networkOf({ name, codes: w, groups: C, m: 0.003, inv: [4], zp: [0] });
    await sameAsReference(graph, { x });
    await sameAsReference(graph, { x: extremes });
    await sameAsReference(graph, { x: tensor('i8', [1, 6, 9, C], new Int8Array(6 * 9 * C).fill(-128)) });
  }
});

test('codes end where values were cut off before they were rounded, through what only moves them', () => {
  const b = new GraphBuilder('codes');
  const node = nodesOf(b);
  const x = b.input('x', { dtype: 'f32', shape: [1, 4, 4, 2] });
  const inv = b.constant('inv', tensor('f32', [1], [100]));
  const zp = b.constant('zp', tensor('i32', [1], [0]));
  const codes = (limits?: Attrs) => node('Quantize', [limits ? node('Clip', [x], limits) : x, inv, zp], { to: 'i16' });
  const both = codes({ min: -80, max: 70.004 });
  const one = codes({ max: 81.91 });
  const joined = node('Concat', [both, node('Transpose', [both], { perm: [0, 2, 1, 3] })], { axis: 3 });
  const wider = node('Concat', [both, codes()], { axis: 3 });
  const padded = node('Pad', [both], { mode: 'constant', before: [0, 1, 1, 0], after: [0, 1, 1, 0], value: 9999 });
  b.outputs.push(joined, wider, padded, one);
  const graph = b.build();
  assert.equal(codeRange(graph, both), { lo: -8000, hi: 7000 });
  assert.equal(codeRange(graph, one), { lo: -32768, hi: 8191 });
  assert.equal(codeRange(graph, joined), { lo: -8000, hi: 7000 });
  for (const v of [wider, padded]) assert.equal(codeRange(graph, v), { lo: -32768, hi: 32767 });
});

test.run();
