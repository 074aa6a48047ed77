// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../sdk/compile/index.ts';
import { TARGETS } from '../../targets/index.ts';
import { testOutputs } from '../support/same-outputs.ts';
import { turnedGraph, turnedOverImage } from '../support/turned-graph.ts';

/** Images that are quantized as they are turned, and results that are written as columns, are those of the operators on every engine. */
const { graph, inputs, expected, apart } = turnedGraph();

await testOutputs(graph, inputs, expected, [1, 2, 3]);

const over = turnedOverImage();
await testOutputs(over.graph, over.inputs, over.expected, [1, 2, 3]);

test('nothing is turned by a kernel of its own where another can do it', () => {
  for (const target of TARGETS) {
    for (const vectors of new Set([target.vectors, ...target.variants.flatMap((v) => v.vectors ?? [])])) {
      const { steps } = planProgram(graph, vectors).program;
      const nodes = (kind: string): number => new Set(steps.filter((s) => s.kind === kind).map((s) => s.node)).size;
      assert.equal({ quantize: nodes('quantize'), strided: nodes('strided') }, apart, target.id);
    }
  }
});

test.run();
