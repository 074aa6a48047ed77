// timeout: 240
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { coarsen, codeCounts } from '../../sdk/util/nested.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { panelPoints } from '../../sdk/wire/codes.ts';
import { packWeight } from '../../sdk/wire/layout.ts';
import { engineCases } from '../support/engines.ts';

/** Kernels are written for whole codes; those of a part of a bundle, some of which are larger, give exact sums as well. */
interface Layer {
  readonly name: string;
  /** Of the image, and of the filters. */
  readonly shape: readonly [number, number, number, number];
  readonly filters: readonly [number, number, number, number];
  /** All elements of the image. */
  readonly element: number;
  /** Code i of the first filter. The others make coarse codes of it larger, as far as there are such codes: `largest` is one. */
  code(i: number): number;
  readonly largest: number;
}

const OTHERS = 10;

const LAYERS: readonly Layer[] = [
  // 255 as they are, 264 from a part: times -128 that is beyond 16 bits.
  {
    name: 'dw',
    shape: [1, 6, 9, 8],
    filters: [8, 3, 3, 1],
    element: -128,
    largest: 31,
    code: (i) => (i < 8 ? 29 : 23),
  },
  // 127 as they are, 129 from a part: times 255 that is beyond 16 bits.
  {
    name: 'pw',
    shape: [1, 6, 9, 16],
    filters: [16, 1, 1, 16],
    element: 127,
    largest: 70,
    code: (i) => [65, 62][i] ?? 1,
  },
  // Magnitudes of a row, 128 at most: 255 as they are in a unit, 261 from a part.
  {
    name: 'row',
    shape: [1, 1, 1, 32],
    filters: [8, 1, 1, 32],
    element: -128,
    largest: 40,
    code: (i) => (i % 16 === 0 ? 31 : [32, 32, 0, 0][i % 4]!),
  },
];

function codesOf({ filters: [o, kh, kw, c], code, largest }: Layer): Int8Array {
  const k = kh * kw * c;
  return Int8Array.from({ length: o * k }, (_, i) => (i < k ? code(i) : i === k ? largest : OTHERS));
}

function graphOf(codes: readonly Int8Array[]): Graph {
  const b = new GraphBuilder('parts');
  const zp = b.constant('zp', tensor('i32', [1], [0]));
  LAYERS.forEach(({ name, shape, filters }, i) => {
    const [o, k, , c] = filters;
    const w = b.constant(`${name}.w`, tensor('i8', filters, codes[i]!), { kind: 'codes', bits: 8 });
    const m = b.constant(`${name}.m`, tensor('f32', [o], new Array<number>(o).fill(1)));
    const bias = b.constant(`${name}.b`, tensor('f32', [o], new Array<number>(o).fill(0)));
    const x = b.input(name, { dtype: 'i8', shape });
    const pad = (k - 1) / 2;
    const attrs = { strides: [1, 1], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: shape[3] / c };
    b.node({ name: `${name}.y`, op: 'QConv', inputs: [x, w, m, bias, zp], outputs: [`${name}.y`], attrs }, [
      { dtype: 'f32', shape: [...shape.slice(0, 3), o] },
    ]);
    b.outputs.push(`${name}.y`);
  });
  return b.build();
}

const whole = LAYERS.map(codesOf);
const part = whole.map((codes, i) => {
  const [o] = LAYERS[i]!.filters;
  return coarsen(codes, panelPoints(codes, o, codes.length / o)(1, codeCounts(codes)));
});
const inputs = Object.fromEntries(
  LAYERS.map(({ name, shape, element }) => {
    const n = shape.reduce((a, b) => a * b, 1);
    return [name, tensor('i8', shape, new Int8Array(n).fill(element))];
  }),
);

test('coarse codes of the first filter are the larger ones', () => {
  LAYERS.forEach(({ name, filters: [o] }, i) => {
    const first = part[i]!.subarray(0, part[i]!.length / o);
    assert.ok(
      first.some((q, j) => q > whole[i]![j]!),
      name,
    );
  });
});

for (const { name: engine, compiled, load } of await engineCases(graphOf(whole)))
  test(`${engine}: a part`, async () => {
    const block = new Uint8Array(compiled.program.weightBytes);
    for (const { slot, tensor: t } of compiled.weights) {
      const i = LAYERS.findIndex(({ name }) => slot.name === `${name}.w`);
      const held = i < 0 ? t : { ...t, data: part[i]! };
      block.set(packWeight(slot.layout, held, 'within'), slot.offset);
    }
    const e = await load(1, block);
    const got = e.run(inputs);
    e.close();
    for (const [name, want] of Object.entries(evaluateGraph(graphOf(part), inputs)))
      assert.equal(got[name]!.data, want.data, name);
  });

test.run();
