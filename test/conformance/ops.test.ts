// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesOf, sizeOf, type Tensor } from '../../sdk/util/tensor.ts';
import { conformanceGraph } from '../support/conformance-graph.ts';
import { engineCases } from '../support/engines.ts';

/** Every case of every operator on every engine, compared with the operator's own reference semantics. */
const { graph, inputs, placed, hostOnly } = conformanceGraph();

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

const runs: { name: string; outputs: Record<string, Tensor> }[] = [];
for (const { name, load } of await engineCases(graph, { quick: false })) {
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
