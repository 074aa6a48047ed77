// timeout: 240
import { test } from 'uvu';
import { GraphBuilder } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { testFirmware } from '../support/firmware.ts';
import { testOutputs } from '../support/same-outputs.ts';

/** Sums and means of values that are stored as codes are those of their codes, decoded once: the same bits on every engine. */
interface Case {
  readonly name: string;
  /** [outer, reduced, columns]. */
  readonly shape: readonly [number, number, number];
  readonly type: 'i8' | 'i16';
  readonly fn: 'sum' | 'mean';
  /** All codes are this one, the hardest for sums. */
  readonly all?: number;
  /** A step and a zero point a column. */
  readonly each?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'few columns', shape: [2, 9, 5], type: 'i8', fn: 'mean' },
  { name: 'blocks', shape: [1, 49, 120], type: 'i8', fn: 'mean' },
  { name: 'blocks of words', shape: [2, 12, 88], type: 'i16', fn: 'sum' },
  { name: 'least bytes', shape: [1, 600, 72], type: 'i8', fn: 'sum', all: -128 },
  { name: 'most bytes', shape: [1, 513, 40], type: 'i8', fn: 'mean', all: 127, each: true },
  { name: 'least words', shape: [1, 700, 24], type: 'i16', fn: 'mean', all: -32768 },
  { name: 'a step a column', shape: [3, 31, 77], type: 'i8', fn: 'mean', each: true },
];

const b = new GraphBuilder('sums');
const inputs: Record<string, Tensor> = {};
const expected = new Map<string, Tensor>();
CASES.forEach(({ name, shape, type, fn, all, each }, i) => {
  const [outer, red, columns] = shape;
  const half = type === 'i8' ? 128 : 32768;
  const drawn = sampleInts(type, [...shape], -half, half, i);
  const codes = all === undefined ? drawn : tensor(type, shape, drawn.data.map(() => all as never) as never);
  const n = each ? columns : 1;
  const inv = sample([n], 50 + i, 20, 90);
  const zero = sampleInts('i32', [n], -half, half, 70 + i);
  const out = `${name}.out`;
  inputs[name] = codes;
  const x = b.input(name, { dtype: type, shape });
  const parameters = [b.constant(`${name}.inv`, inv), b.constant(`${name}.zero`, zero)];
  b.node({ name: `${name}.d`, op: 'Dequantize', inputs: [x, ...parameters], outputs: [`${name}.f`], attrs: {} }, [
    { dtype: 'f32', shape },
  ]);
  const attrs = { fn, axes: [1], keepdims: false };
  b.node({ name: `${name}.r`, op: 'Reduce', inputs: [`${name}.f`], outputs: [out], attrs }, [
    { dtype: 'f32', shape: [outer, columns] },
  ]);
  b.outputs.push(out);
  const f = Math.fround;
  const values = Float32Array.from({ length: outer * columns }, (_, at) => {
    const [o, c] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < red; k++) sum += Number(codes.data[(o * red + k) * columns + c]);
    const own = each ? c : 0;
    const value = f(f(sum - red * Number(zero.data[own])) * f(1 / Number(inv.data[own])));
    return fn === 'mean' ? f(value / red) : value;
  });
  expected.set(out, tensor('f32', [outer, columns], values));
});
const graph = b.build();

await testOutputs(graph, inputs, expected, [1, 3]);

testFirmware(graph, inputs, expected);

test.run();
