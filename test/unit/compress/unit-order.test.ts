import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compress, DEFAULT_OPTIONS, graphSize } from '../../../sdk/compress/index.ts';
import { orderUnits } from '../../../sdk/compress/unit-order.ts';
import { evaluateGraph } from '../../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../../sdk/ir/graph.ts';
import { verifyGraph } from '../../../sdk/ir/verify.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { encodedSize } from '../../../sdk/wire/ints.ts';
import { residentCodeBytes } from '../../../sdk/wire/panels.ts';
import { smallLstm, tokenSamples } from './networks.ts';

const samples = tokenSamples(12);

/** An integer LSTM in which every other unit has narrow codes. */
async function mixedUnits(): Promise<Graph> {
  const options = { ...DEFAULT_OPTIONS, wireBudgetBytes: 4000, frontierPoints: 0 };
  const { graph } = await compress(smallLstm(), { samples }, options, referenceRunner, noProgress);
  const b = new GraphBuilder(graph.name, graph);
  const lstm = graph.nodes.find((n) => n.op === 'QLstm')!;
  for (const name of [lstm.inputs[2]!, lstm.inputs[4]!]) {
    const value = b.values.get(name)!;
    const { data, shape } = value.data!;
    const cols = shape[2]!;
    const codes = Int8Array.from(data as Int8Array, (q, i) => (Math.floor(i / cols) % 2 === 0 ? Math.sign(q) : q));
    b.setValue({ ...value, data: tensor('i8', shape, codes) });
  }
  return b.build();
}

const codeBytes = (g: Graph): number =>
  graphSize(g, (data, rows, cols) => encodedSize(data, rows, cols), residentCodeBytes).residentBytes;

test('units of like width lie together: less memory, the same outputs to the bit', async () => {
  const graph = await mixedUnits();
  const ordered = orderUnits(graph);
  verifyGraph(ordered);
  assert.ok(codeBytes(ordered) < codeBytes(graph) - 100, `${codeBytes(ordered)} of ${codeBytes(graph)} bytes`);
  for (const s of samples) assert.equal(evaluateGraph(ordered, s), evaluateGraph(graph, s));
});

test('what shows its units stays as it is', async () => {
  const graph = await mixedUnits();
  const lstm = graph.nodes.find((n) => n.op === 'QLstm')!;
  const shown: Graph = { ...graph, outputs: [...graph.outputs, lstm.outputs[0]!] };
  assert.equal(orderUnits(shown).values, shown.values);
});

test.run();
