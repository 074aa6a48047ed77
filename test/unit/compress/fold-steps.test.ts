import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foldSteps } from '../../../sdk/compress/fold-steps.ts';
import { factorsOf } from '../../../sdk/compress/step-scale.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, type Node, producersOf } from '../../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../../sdk/ir/ops/lib/cases.ts';
import { verifyGraph } from '../../../sdk/ir/verify.ts';
import { fromHalf, toHalf } from '../../../sdk/util/half.ts';
import { scaleFromLog8 } from '../../../sdk/util/log8.ts';
import { type Tensor, tensor, toNumbers } from '../../../sdk/util/tensor.ts';
import { NetworkBuilder } from './networks.ts';

const CHANNELS = 6;
const WINDOW = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1, layout: 'nhwc' };
const EVEN = [0, -2, -6, -4, 0, -10];

/** A network of integer products whose results go through some operators and become codes again. */
class Integers extends NetworkBuilder {
  constructor() {
    super('integers', 1);
    this.input('x', { dtype: 'i8', shape: [1, 5, 4, 3] });
    this.input('before', { dtype: 'i8', shape: [1, 5, 4, CHANNELS] });
  }

  one(value: number): string {
    return this.b.constant('c', tensor('f32', [1], [value]));
  }

  zero(...values: number[]): string {
    return this.b.constant('zp', tensor('i32', [values.length], values));
  }

  /** One factor a channel, as the compressor writes them. */
  each(base: number, exponents: readonly number[]): string {
    const factors = Float32Array.from(exponents, (e) => scaleFromLog8(Math.fround(base), e));
    const packing = { kind: 'log8', base: Math.fround(base), exponents } as const;
    return this.b.constant('c', tensor('f32', [exponents.length], factors), packing);
  }

  product(name = 'product'): string {
    const w = this.b.constant(`${name}.q`, sampleInts('i8', [CHANNELS, 3, 3, 3], -7, 8, 3));
    const m = this.each(0.004, [0, -3, 5, 2, -8, 1]);
    return this.op(
      'QConv',
      name,
      ['x', w, m, this.b.constant(`${name}.b`, sample([CHANNELS], 5)), this.zero(-9)],
      WINDOW,
    );
  }

  decoded(codes = 'before', inv = 21): string {
    return this.op('Dequantize', this.b.fresh('decoded'), [codes, this.one(inv), this.zero(4)]);
  }

  /** Codes of a value and what they stand for, which is the output. */
  coded(value: string, inv: string, zp = this.zero(-20), to = 'i8'): Graph {
    this.op('Quantize', 'codes', [value, inv, zp], { to });
    return this.build(this.op('Dequantize', 'y', ['codes', inv, zp]));
  }

  hardSwish(x: string): string {
    const raised = this.op('Add', 'raised', [x, this.one(3)]);
    return this.op('Mul', 'swish', [x, this.op('Clip', 'bounded', [raised], { min: 0, max: 6 })]);
  }
}

const inputs = {
  x: sampleInts('i8', [1, 5, 4, 3], -128, 128, 7),
  before: sampleInts('i8', [1, 5, 4, CHANNELS], -128, 128, 8),
};

/** Numbers that half precision holds, so that whole powers of two times as much are held, too. */
const halves = (t: Tensor<'f32'>): Tensor<'f32'> => ({ ...t, data: t.data.map((v) => fromHalf(toHalf(v))) });

/** The folded graph with multipliers and biases as they are to be. */
function folded(graph: Graph): Graph {
  const { graph: out, scales } = foldSteps(graph);
  const values = new Map(out.values);
  const scaled = (name: string, factors: Float32Array): void => {
    const v = values.get(name)!;
    const data = tensor(
      'f32',
      v.type.shape,
      (v.data as Tensor<'f32'>).data.map((x, i) => x * factors[i % factors.length]!),
    );
    values.set(name, { name, type: v.type, data });
  };
  for (const n of out.nodes) {
    const scale = scales.get(n.inputs[2] ?? '');
    if (n.op === 'QConv' && scale) for (const v of n.inputs.slice(2, 4)) scaled(v, factorsOf(scale));
  }
  verifyGraph({ ...out, values });
  return { ...out, values };
}

function codesOf(graph: Graph): number[] {
  let codes: Tensor | undefined;
  evaluateGraph(graph, inputs, {
    onValue: (name, t) => {
      if (name === 'codes') codes = t;
    },
  });
  return Array.from(codes!.data, Number);
}

/** Codes differ by one at most, and where a value lies halfway between two. */
function assertSame(graph: Graph, of: Graph): void {
  const [a, b] = [codesOf(graph), codesOf(of)];
  assert.ok(new Set(b).size > 3, `codes that tell nothing: ${[...new Set(b)]}`);
  const off = a.map((v, i) => Math.abs(v - b[i]!));
  assert.ok(Math.max(...off) <= 1, `codes differ by ${Math.max(...off)}`);
  assert.ok(off.filter((d) => d > 0).length <= 2, `${off.filter((d) => d > 0).length} of ${off.length} codes differ`);
}

/** Operators from what the products give to the codes. */
function pathOf(graph: Graph): string[] {
  const made = producersOf(graph);
  const out: string[] = [];
  for (let n: Node | undefined = made.get('codes'); n; n = made.get(n.inputs[0]!)) {
    out.push(n.op);
    if (n.op === 'QConv' || n.op === 'Dequantize') break;
  }
  return out.reverse();
}

const isFolded = (graph: Graph): boolean => {
  const step = graph.values.get(producersOf(graph).get('codes')!.inputs[1]!)!.data!;
  return step.data.length === 1 && Number(step.data[0]) === 1;
};

const CASES: readonly (readonly [string, string[], (n: Integers) => Graph])[] = [
  ['products alone', ['QConv', 'Quantize'], (n) => n.coded(n.product(), n.one(30))],
  [
    'a step a channel',
    ['QConv', 'Quantize'],
    (n) => n.coded(n.product(), n.each(40, EVEN), n.zero(0, -3, 5, 7, -20, 1)),
  ],
  [
    'Relu',
    ['QConv', 'Relu', 'Quantize'],
    (n) => n.coded(n.op('Relu', 'relu', [n.product()]), n.each(60, EVEN), n.zero(-128)),
  ],
  [
    'bounds beyond the codes are left out',
    ['QConv', 'Quantize'],
    (n) => n.coded(n.op('Clip', 'clip', [n.product()], { min: 0, max: 6 }), n.one(255 / 5.9), n.zero(-128)),
  ],
  [
    'a bound within the codes of some channels',
    ['QConv', 'Min', 'Quantize'],
    (n) => n.coded(n.op('Clip', 'clip', [n.product()], { min: 0, max: 2 }), n.each(255 / 2, EVEN), n.zero(-128)),
  ],
  [
    'both bounds within the codes',
    ['QConv', 'Max', 'Min', 'Quantize'],
    (n) => n.coded(n.op('Clip', 'clip', [n.product()], { min: -0.7, max: 1.1 }), n.one(31)),
  ],
  [
    'bounds of whole steps stay in the operator',
    ['QConv', 'Clip', 'Quantize'],
    (n) => {
      const bound = Math.fround(8191 / 5000);
      return n.coded(n.op('Clip', 'clip', [n.product()], { min: -bound, max: bound }), n.one(5000), n.zero(0), 'i16');
    },
  ],
  ['hard swish', ['QConv', 'HardGate', 'Quantize'], (n) => n.coded(n.hardSwish(n.product()), n.each(9, EVEN))],
  [
    'hard swish divided',
    ['QConv', 'HardGate', 'Quantize'],
    (n) => n.coded(n.op('Div', 'sixth', [n.hardSwish(n.product()), n.one(6)]), n.one(50)),
  ],
  [
    'hard swish as an operator',
    ['QConv', 'HardGate', 'Quantize'],
    (n) => n.coded(n.op('HardSwish', 'swish', [n.product()]), n.one(50)),
  ],
  [
    'hard swish from a hard sigmoid',
    ['QConv', 'HardGate', 'Quantize'],
    (n) => {
      const x = n.product();
      const gate = n.op('HardSigmoid', 'gate', [x], { alpha: Math.fround(0.2), beta: 0.5 });
      return n.coded(n.op('Mul', 'swish', [gate, x]), n.one(50));
    },
  ],
  [
    'scaled and shifted after it, by a negative number',
    ['QConv', 'HardGate', 'Add', 'Quantize'],
    (n) =>
      n.coded(
        n.op('Add', 'shifted', [n.op('Mul', 'scaled', [n.hardSwish(n.product()), n.one(0.21)]), n.one(-0.4)]),
        n.each(40, EVEN),
      ),
  ],
  [
    'factors and terms a channel',
    ['QConv', 'Relu', 'Mul', 'Add', 'Quantize'],
    (n) => {
      const [scale, shift] = ['scale', 'shift'].map((v, i) => n.b.constant(v, halves(sample([CHANNELS], 11 + i))));
      const x = n.op('Mul', 'scaled', [n.op('Relu', 'relu', [n.product()]), scale!]);
      return n.coded(n.op('Add', 'shifted', [x, shift!]), n.one(32));
    },
  ],
  [
    'residual sums',
    ['Dequantize', 'Add', 'Quantize'],
    (n) => n.coded(n.op('Add', 'sum', [n.decoded(), n.product()]), n.one(15)),
  ],
  [
    'codes and a gate',
    ['Dequantize', 'Mul', 'Quantize'],
    (n) => {
      const mean = n.op('Reduce', 'mean', [n.product()], { fn: 'mean', axes: [1, 2], keepdims: true });
      return n.coded(n.op('Mul', 'gated', [n.decoded(), n.op('Sigmoid', 'gate', [mean])]), n.one(33));
    },
  ],
  [
    'codes decoded twice from the same ones',
    ['Dequantize', 'Add', 'Quantize'],
    (n) => n.coded(n.op('Add', 'sum', [n.decoded(), n.op('Add', 'more', [n.decoded(), n.product()])]), n.one(9)),
  ],
];

for (const [name, path, make] of CASES)
  test(`folded: ${name}`, () => {
    const graph = make(new Integers());
    const out = folded(graph);
    assert.equal(pathOf(out), path);
    assert.ok(isFolded(out));
    assertSame(out, graph);
  });

test('a gate that takes the step of codes leaves nothing to multiply by', () => {
  const out = folded(CASES.find(([name]) => name === 'codes and a gate')![2](new Integers()));
  const decoded = out.nodes.find((n) => n.op === 'Dequantize' && n.outputs[0] !== 'y')!;
  assert.equal(toNumbers(out.values.get(decoded.inputs[1]!)!.data!), [1]);
});

/** Graphs in which somebody wants the value as it is, or that have no form without the multiplication. */
const LEFT: readonly (readonly [string, (n: Integers) => Graph])[] = [
  [
    'the value is an output',
    (n) => {
      const graph = n.coded(n.op('Relu', 'relu', [n.product()]), n.one(30));
      return { ...graph, outputs: ['y', 'relu'] };
    },
  ],
  [
    'another operator reads it',
    (n) => {
      const x = n.product();
      n.op('Tanh', 'tanh', [x]);
      const graph = n.coded(x, n.one(30));
      return { ...graph, outputs: ['y', 'tanh'] };
    },
  ],
  [
    'the codes are an output',
    (n) => {
      const graph = n.coded(n.product(), n.one(30));
      return { ...graph, outputs: ['y', 'codes'] };
    },
  ],
  [
    'the codes are moved to an output',
    (n) => {
      const graph = n.coded(n.product(), n.one(30));
      n.b.outputs = ['y', n.op('Reshape', 'flat', ['codes'], { shape: [1, 120] })];
      return { ...n.b.build(), outputs: graph.outputs.concat('flat') };
    },
  ],
  ['a step a channel that has no root', (n) => n.coded(n.hardSwish(n.product()), n.each(9, [0, -1, -2, -3, -4, -5]))],
  ['an operator that no factor goes through', (n) => n.coded(n.op('Tanh', 'tanh', [n.product()]), n.one(100))],
  [
    'half of what is needed',
    (n) => n.coded(n.op('Add', 'sum', [n.product(), n.op('Tanh', 'tanh', [n.product('other')])]), n.one(30)),
  ],
];

for (const [name, make] of LEFT)
  test(`left as it is: ${name}`, () => {
    const graph = make(new Integers());
    const { graph: out, scales } = foldSteps(graph);
    assert.is(scales.size, 0);
    assert.equal(
      out.nodes.map((n) => n.op),
      graph.nodes.map((n) => n.op),
    );
    assert.not.ok(isFolded(out));
  });

const STEP = fc.oneof(
  fc.constant({ op: 'Relu' as const }),
  fc.record({
    op: fc.constant('Clip' as const),
    min: fc.double({ min: -4, max: 0, noNaN: true }),
    max: fc.double({ min: 0.5, max: 8, noNaN: true }),
  }),
  fc.record({ op: fc.constantFrom('Mul' as const, 'Div' as const), by: fc.double({ min: 0.25, max: 3, noNaN: true }) }),
  fc.record({ op: fc.constant('Add' as const), by: fc.double({ min: -2, max: 2, noNaN: true }) }),
  fc.constant({ op: 'HardSwish' as const }),
  fc.constant({ op: 'Residual' as const }),
);

test('any chain gives the codes that it gave before', () => {
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 5 }),
      fc.boolean(),
      fc.double({ min: 1, max: 60, noNaN: true }),
      (steps, channels, inv) => {
        const n = new Integers();
        let x = n.product();
        for (const s of steps) {
          const name = n.b.fresh(s.op);
          if (s.op === 'Residual') x = n.op('Add', name, [x, n.decoded()]);
          else if (s.op === 'Clip') x = n.op('Clip', name, [x], { min: Math.fround(s.min), max: Math.fround(s.max) });
          else x = n.op(s.op, name, 'by' in s ? [x, n.one(s.by)] : [x]);
        }
        const graph = n.coded(x, channels ? n.each(inv, EVEN) : n.one(inv));
        const out = folded(graph);
        // Exponents are halved once.
        const twice = channels && steps.filter((s) => s.op === 'HardSwish').length > 1;
        assert.is(isFolded(out), !twice);
        const [a, b] = [codesOf(out), codesOf(graph)];
        for (const [i, v] of a.entries()) assert.ok(Math.abs(v - b[i]!) <= 1, `code ${v} was ${b[i]}`);
        assert.ok(a.filter((v, i) => v !== b[i]).length <= 6, 'codes differ that do not lie halfway');
      },
    ),
    { numRuns: 150 },
  );
});

test.run();
