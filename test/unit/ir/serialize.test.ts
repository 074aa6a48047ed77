import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { graphFromData, graphToData } from '../../../sdk/ir/serialize.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';

const weight = tensor('f32', [2], [3, -4]);

function small(): Graph {
  const b = new GraphBuilder('small');
  const type = { dtype: 'f32', shape: [1, 2] } as const;
  b.input('x', type);
  b.constant('w', weight);
  b.constant('half', tensor('f32', [1], [0.5]));
  b.node({ name: 'mul', op: 'Mul', inputs: ['x', 'w'], outputs: ['m'], attrs: {} }, [type]);
  b.node({ name: 'add', op: 'Add', inputs: ['m', 'half'], outputs: ['y'], attrs: {} }, [type]);
  b.outputs = ['y'];
  return b.build();
}

const weightOf = (value: string): string | undefined => (value === 'w' ? 'slot' : undefined);
const weights = (name: string): Tensor | undefined => (name === 'slot' ? weight : undefined);

test('a graph survives as JSON text, its weights by name, other constants inside', () => {
  const data = graphToData(small(), weightOf);
  assert.equal(data.values[1], { name: 'w', dtype: 'f32', shape: [2], weight: 'slot' });
  const text = JSON.stringify(data);
  const back = graphFromData(JSON.parse(text), weights);
  const x = tensor('f32', [1, 2], [1, 2]);
  assert.equal(evaluateGraph(back, { x }), evaluateGraph(small(), { x }));
  assert.is(JSON.stringify(graphToData(back, weightOf)), text);
});

test('attributes keep numbers that JSON does not have', () => {
  const graph = small();
  const odd = {
    ...graph.nodes[0]!,
    attrs: { a: -0, b: Number.POSITIVE_INFINITY, c: [Number.NaN, 1], d: 't', e: ['u'] },
  };
  const data = JSON.parse(JSON.stringify(graphToData({ ...graph, nodes: [odd, graph.nodes[1]!] }, weightOf)));
  const { attrs } = graphFromData(data, weights).nodes[0]!;
  assert.ok(Object.is(attrs.a, -0));
  assert.equal(attrs, odd.attrs);
});

test('what is not such a graph is refused with its place', () => {
  const refused = (data: unknown, text: string): void =>
    assert.throws(
      () => graphFromData(data, weights),
      (e: unknown) => isEigenError(e) && e.code === 'EW6001_BUNDLE_UNREADABLE' && e.message.includes(text),
      text,
    );
  const data = graphToData(small(), weightOf);
  const value = (index: number, change: object) => ({
    ...data,
    values: data.values.map((v, i) => (i === index ? { ...v, ...change } : v)),
  });
  refused('text', 'top level');
  refused({ ...data, nodes: [{ ...data.nodes[0], op: 7 }] }, 'nodes.0.op');
  refused({ ...data, nodes: [{ ...data.nodes[0], op: 'Nothing' }] }, "unknown operator 'Nothing'");
  refused({ ...data, nodes: [...data.nodes].reverse() }, 'before it is computed');
  refused(value(1, { weight: 'absent' }), "no weight 'absent'");
  refused(value(1, { shape: [3] }), "no weight 'slot' of its type");
  refused(value(2, { data: 'AAA=' }), "'half' has 2 bytes");
});

test.run();
