import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attrs, GraphBuilder } from '../../sdk/ir/graph.ts';
import { opOf } from '../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { bytesOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { type EngineCase, engineCases } from '../support/engines.ts';

/** Rows quantized inside the kernel that makes them must be those that DynQuantize makes of the same rows in memory. */
class Network {
  readonly b = new GraphBuilder('rows');
  readonly inputs: Record<string, Tensor> = {};
  /** Values that DynQuantize reads. */
  readonly rows: string[] = [];
  /** Values that are in memory only when they are kept. */
  readonly apart: string[] = [];

  input(name: string, t: Tensor): string {
    this.inputs[name] = t;
    return this.b.input(name, { dtype: t.dtype, shape: t.shape });
  }

  op(op: string, name: string, inputs: string[], attrs: Attrs = {}): string {
    const types = opOf(op).infer(
      inputs.map((v) => this.b.values.get(v)!.type),
      attrs,
    );
    const outputs = types.map((_, i) => (i === 0 ? name : `${name}.${i}`));
    this.b.node({ name, op, inputs, outputs, attrs }, types);
    return name;
  }

  quantized(x: string): void {
    this.rows.push(x);
    this.op('DynQuantize', `${x}.q`, [x]);
    this.b.outputs.push(`${x}.q`, `${x}.q.1`);
  }
}

function network(): Network {
  const n = new Network();
  const x = n.input('x', sample([5, 3, 13]));
  const scale = n.b.constant('scale', sample([13], 2));
  n.quantized(n.op('LayerNormalization', 'norm', [x, scale], { axis: 2, epsilon: 1e-5, rms: false }));
  n.op('Relu', 'relu', [n.op('LayerNormalization', 'norm2', [x], { axis: 2, epsilon: 1e-3, rms: true })]);
  n.quantized('relu');
  const codes16 = n.input('codes16', sampleInts('i16', [6, 19], -9000, 9000, 15));
  const grid = [n.b.constant('inv', tensor('f32', [1], [900])), n.b.constant('zp', tensor('i32', [1], [0]))];
  const decoded = n.op('Dequantize', 'decoded', [codes16, ...grid]);
  n.apart.push(decoded);
  n.quantized(n.op('LayerNormalization', 'norm3', [decoded], { axis: 1, epsilon: 1e-5, rms: false }));
  n.quantized(n.op('Tanh', 'tanh', [n.input('y', sample([4, 24], 3))]));
  n.b.outputs.push('tanh');
  const table = n.b.constant('table', sampleInts('i8', [9, 10], -127, 128, 4));
  const steps = n.b.constant('steps', sample([9], 5, 0.01, 0.1));
  n.op('QGather', 'gather', [table, steps, n.input('ids', tensor('i32', [6], [0, 8, -1, 3, 3, 5]))]);
  n.op('QGather', 'gather2', [table, steps, 'ids']);
  n.quantized(n.op('Add', 'placed', ['gather2', n.input('places', sample([6, 10], 16))]));
  const floats = n.b.constant('floats', sample([9, 10], 17));
  n.op('Gather', 'gather3', [floats, 'ids'], { axis: 0 });
  n.b.outputs.push(n.op('Mul', 'product', ['gather3', 'places']));
  n.apart.push('gather3');
  n.quantized(n.op('Reshape', 'view', ['gather'], { shape: [2, 3, 10] }));
  const weights = ['w', 'r'].flatMap((v, i) => [
    n.b.constant(v, sampleInts('i8', [1, 32, 8], -63, 64, 6 + i)),
    n.b.constant(`${v}s`, sample([1, 32], 8 + i, 0.002, 0.02)),
  ]);
  const codes = n.input('codes', sampleInts('i8', [7, 2, 8], -127, 128));
  const scales = n.input('scales', sample([7, 2], 10, 0.002, 0.02));
  const bias = n.b.constant('bias', sample([1, 32], 11, -0.3, 0.3));
  n.op('QLstm', 'lstm', [codes, scales, ...weights, bias], { hidden: 8, direction: 'forward' });
  n.quantized('lstm');
  const qkv = n.input('qkv', sampleInts('i8', [1, 37, 36], -127, 128, 12));
  const sizes = { batch: 1, heads: 2, queries: 37, keys: 37, size: 6, valueSize: 6 };
  const at = { q: [0, 1332, 6, 36], k: [12, 1332, 6, 36], v: [24, 1332, 6, 36] };
  const scores = [
    n.b.constant('scale', sample([2], 13, 1e-4, 4e-4)),
    n.b.constant('values', sample([12], 14, 0.01, 0.02)),
  ];
  n.quantized(n.op('QAttention', 'attention', [qkv, qkv, qkv, ...scores], { ...sizes, ...at, causal: true }));
  return n;
}

async function run({ compiled, load }: EngineCase, inputs: Record<string, Tensor>) {
  const engine = await load(1);
  const outputs = engine.run(inputs);
  engine.close();
  return { outputs, slots: new Set(compiled.slots.map((s) => s.name)) };
}

const { b, inputs, rows, apart: values } = network();
const graph = b.build();
const together = await engineCases(graph);
const [separate] = await engineCases(graph, { keep: [...rows, ...values], variants: ['simd128'] });

for (const engine of together)
  test(`${engine.name}: rows are quantized as they are made, and decoded as they are read`, async () => {
    const joined = await run(engine, inputs);
    const apart = await run(separate!, inputs);
    for (const v of [...rows, ...values]) assert.is(joined.slots.has(v), v === 'tanh', `${v} in memory`);
    for (const name of graph.outputs) {
      const [a, c] = [joined.outputs[name]!, apart.outputs[name]!];
      assert.ok(Buffer.from(bytesOf(a.data)).equals(Buffer.from(bytesOf(c.data))), name);
    }
    const [codes, scales] = opOf('DynQuantize').evaluate([joined.outputs.tanh!], {});
    assert.equal(joined.outputs['tanh.q']!.data, codes!.data);
    assert.equal(joined.outputs['tanh.q.1']!.data, scales!.data);
  });

test.run();
