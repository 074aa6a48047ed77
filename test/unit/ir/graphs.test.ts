import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { OPS, opOf } from '../../../sdk/ir/ops/index.ts';
import { sample } from '../../../sdk/ir/ops/lib/cases.ts';
import { graphHash, printGraph } from '../../../sdk/ir/print.ts';
import { verifyGraph } from '../../../sdk/ir/verify.ts';
import { tensor, toNumbers } from '../../../sdk/util/tensor.ts';
import { refusal } from '../../support/refusal.ts';

/** y = relu(x + c) on two elements. */
function small(name = 'small'): GraphBuilder {
  const b = new GraphBuilder(name);
  const type = { dtype: 'f32' as const, shape: [2] };
  b.input('x', type);
  b.constant('c', tensor('f32', [2], [1, -1]));
  b.node({ name: 'plus', op: 'Add', inputs: ['x', 'c'], outputs: ['s'], attrs: {} }, [type]);
  b.node({ name: 'cut', op: 'Relu', inputs: ['s'], outputs: ['y'], attrs: {} }, [type]);
  b.outputs = ['y'];
  return b;
}

const faultOf = (graph: Graph) => refusal(() => verifyGraph(graph));

test('a graph is evaluated node by node, and values can be watched', () => {
  const seen: string[] = [];
  const out = evaluateGraph(
    small().build(),
    { x: tensor('f32', [2], [3, -4]) },
    { onValue: (name, v) => seen.push(`${name}=${toNumbers(v)}`) },
  );
  assert.equal(toNumbers(out.y!), [4, 0]);
  assert.equal(seen, ['s=4,-5', 'y=4,0']);
});

test('missing and ill-typed inputs are refused', () => {
  const g = small().build();
  assert.throws(() => evaluateGraph(g, {}), /input 'x' is missing/);
  assert.throws(() => evaluateGraph(g, { x: tensor('f32', [3]) }), /input 'x' is f32\[3\]; the model needs f32\[2\]/);
});

test('a legal graph verifies, each kind of fault is named', () => {
  assert.is(faultOf(small().build()), 'none');
  const g = small().build();
  assert.match(faultOf({ ...g, nodes: g.nodes.toReversed() }), /'cut' reads 's' before it is computed/);
  assert.match(faultOf({ ...g, nodes: g.nodes.map((n) => ({ ...n, name: 'same' })) }), /two nodes are named 'same'/);
  assert.match(
    faultOf({ ...g, nodes: g.nodes.map((n) => ({ ...n, op: n.op === 'Relu' ? 'Rely' : n.op })) }),
    /unknown operator 'Rely'/,
  );
  assert.match(faultOf({ ...g, nodes: g.nodes.map((n) => ({ ...n, outputs: ['s'] })) }), /'s' is computed twice/);
  assert.match(faultOf({ ...g, outputs: ['z'] }), /output 'z' is not computed/);
  const values = new Map(g.values).set('y', { name: 'y', type: { dtype: 'f32', shape: [3] } });
  assert.match(faultOf({ ...g, values }), /'y' is declared f32\[3\], node 'cut' \(Relu\) gives f32\[2\]/);
});

test('equal graphs print and hash equally, whatever the order of attributes and constants', () => {
  assert.is(
    printGraph(small().build()).replace(/sha256:[0-9a-f]{64}/, 'sha256:...'),
    [
      'graph small',
      'input x: f32[2]',
      'const c: f32[2] = sha256:...',
      's: f32[2] = Add(x, c) // plus',
      'y: f32[2] = Relu(s) // cut',
      'output y: f32[2]',
      '',
    ].join('\n'),
  );
  assert.is(graphHash(small().build()), graphHash(small().build()));
  const changed = small();
  changed.setValue({ name: 'c', type: { dtype: 'f32', shape: [2] }, data: tensor('f32', [2], [1, -2]) });
  assert.is.not(graphHash(small().build()), graphHash(changed.build()));
  const node = (attrs: Record<string, number>): Graph => ({
    ...small().build(),
    nodes: [{ name: 'n', op: 'Clip', inputs: ['x'], outputs: ['y'], attrs }],
  });
  assert.is(graphHash(node({ min: 0, max: 6 })), graphHash(node({ max: 6, min: 0 })));
});

test('operator names are unique and unknown ones throw', () => {
  assert.is(new Set(OPS.map((o) => o.name)).size, OPS.length);
  assert.throws(() => opOf('Nope'), /no operator 'Nope'/);
});

for (const op of OPS) {
  test(`${op.name}: every case has the types that inference gives, finite values and a kernel`, () => {
    for (const c of op.cases ?? []) {
      const types = op.infer(c.inputs, c.attrs);
      const out = op.evaluate(c.inputs, c.attrs);
      assert.equal(
        out.map((t) => [t.dtype, t.shape]),
        types.map((t) => [t.dtype, t.shape]),
        c.name,
      );
      assert.ok(
        out.every((t) => toNumbers(t).every(Number.isFinite)),
        c.name,
      );
      if (op.lower && c.inputs.every((t) => t?.dtype !== 'i64' || op.name !== 'Mod'))
        assert.ok(op.lower(c.inputs, c.attrs, types).kind, c.name);
    }
    if (op.lower) assert.ok((op.cases ?? []).length > 0, 'no cases');
  });
}

test('integers have integer semantics', () => {
  const i = (...v: number[]): ReturnType<typeof tensor<'i64'>> => tensor('i64', [v.length], v);
  assert.equal(toNumbers(opOf('Div').evaluate([i(7, -7), i(2, 2)], {})[0]!), [3, -3]);
  assert.equal(toNumbers(opOf('Mod').evaluate([i(7, -7), i(3, 3)], { truncated: false })[0]!), [1, 2]);
  assert.throws(() => opOf('Add').infer([i(1), sample([1])], {}), /inputs differ in type: i64\[1\], f32\[1\]/);
  assert.throws(() => opOf('Add').lower!([i(1), i(1)], {}, []), /integer arithmetic/);
});

test.run();
