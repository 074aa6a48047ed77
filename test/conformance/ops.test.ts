// timeout: 240
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import type { OpCase, OpDef } from '../../sdk/ir/op.ts';
import { OPS } from '../../sdk/ir/ops/index.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { bytesOf, sizeOf, type Tensor } from '../../sdk/util/tensor.ts';
import { engineCases } from '../support/engines.ts';

/**
 * Every case of every operator on every engine, compared with the operator's own reference semantics. All cases go into
 * one program, so that the kernel compiler runs once.
 */
interface Placed {
  readonly op: OpDef;
  readonly opCase: OpCase;
  readonly inputs: Record<string, Tensor>;
  readonly outputs: string[];
  readonly expected: Tensor[];
}

function place(builder: GraphBuilder, op: OpDef, opCase: OpCase, id: string): Placed {
  const inputs: Record<string, Tensor> = {};
  const names = opCase.inputs.map((t, i) => {
    if (!t) return '';
    const name = `${id}.in${i}`;
    if (opCase.constants?.includes(i)) return builder.constant(name, t);
    inputs[name] = t;
    return builder.input(name, { dtype: t.dtype, shape: t.shape });
  });
  const expected = op.evaluate(opCase.inputs, opCase.attrs);
  const outputs = expected.map((_, i) => `${id}.out${i}`);
  builder.node(
    { name: id, op: op.name, inputs: names, outputs, attrs: opCase.attrs },
    expected.map((t) => ({ dtype: t.dtype, shape: t.shape })),
  );
  builder.outputs.push(...outputs);
  return { op, opCase, inputs, outputs, expected };
}

function runsOnDevices(op: OpDef, c: OpCase): boolean {
  const outputs = op.infer(c.inputs, c.attrs);
  try {
    op.lower!(c.inputs, c.attrs, outputs);
    return true;
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW3102_OP_UNSUPPORTED') return false;
    throw e;
  }
}

const builder = new GraphBuilder('conformance');
const placed: Placed[] = [];
/** Cases that a device never sees: integer arithmetic on shapes, NCHW images. The operator refuses them with a clear error. */
const hostOnly: { name: string; opCase: OpCase }[] = [];
for (const op of OPS) {
  if (!op.lower) continue;
  (op.cases ?? []).forEach((c, i) => {
    if (runsOnDevices(op, c)) placed.push(place(builder, op, c, `${op.name}.${i}`));
    else hostOnly.push({ name: `${op.name}, ${c.name}`, opCase: c });
  });
}
const graph: Graph = builder.build();

function difference(got: Tensor, want: Tensor, exact: boolean): string | undefined {
  if (exact)
    return Buffer.from(bytesOf(got.data)).equals(Buffer.from(bytesOf(want.data)))
      ? undefined
      : firstDifference(got, want);
  let top = 1e-6;
  for (let i = 0; i < sizeOf(want.shape); i++)
    if (Number.isFinite(Number(want.data[i]))) top = Math.max(top, Math.abs(Number(want.data[i])));
  for (let i = 0; i < sizeOf(want.shape); i++) {
    const a = Number(got.data[i]);
    const b = Number(want.data[i]);
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= 1e-5 * top)) return `element ${i}: got ${a}, expected ${b} (largest ${top})`;
  }
  return undefined;
}

function firstDifference(got: Tensor, want: Tensor): string {
  for (let i = 0; i < sizeOf(want.shape); i++)
    if (!Object.is(got.data[i], want.data[i])) return `element ${i}: got ${got.data[i]}, expected ${want.data[i]}`;
  return 'bytes differ';
}

const inputs = Object.assign({}, ...placed.map((p) => p.inputs)) as Record<string, Tensor>;
const runs: { name: string; outputs: Record<string, Tensor> }[] = [];
for (const { name, load } of await engineCases(graph)) {
  for (const threads of [1, 2]) {
    const engine = await load(threads);
    runs.push({ name: `${name}, ${threads} thread${threads > 1 ? 's' : ''}`, outputs: engine.run(inputs) });
    engine.close();
  }
}

for (const run of runs) {
  for (const p of placed) {
    test(`${run.name}: ${p.op.name}, ${p.opCase.name}`, () => {
      p.outputs.forEach((o, i) => {
        const diff = difference(run.outputs[o]!, p.expected[i]!, p.op.tolerance === 'exact');
        assert.is(diff, undefined, `${p.op.name} (${p.opCase.name}), output ${i}: ${diff}`);
      });
    });
  }
}

for (const { name, opCase } of hostOnly) {
  test(`only on the host: ${name}`, () => {
    const integers = opCase.inputs.some((t) => t && t.dtype !== 'f32' && t.dtype !== 'bool');
    assert.ok(integers || opCase.attrs.layout === 'nchw', `${name} has no reason to be refused by devices`);
  });
}

test('engines and thread counts agree bit for bit', () => {
  const first = runs[0]!;
  for (const run of runs.slice(1)) {
    for (const o of graph.outputs)
      assert.ok(
        Buffer.from(bytesOf(run.outputs[o]!.data)).equals(Buffer.from(bytesOf(first.outputs[o]!.data))),
        `${o} differs between ${first.name} and ${run.name}`,
      );
  }
});

test.run();
