import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeError } from '../../sdk/app/reference-test.ts';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { readTfjs } from '../../sdk/model/tfjs/index.ts';
import { read } from '../support/tfjs/cases.ts';

/** Of an output's largest magnitude. */
const ROUNDING = 2e-5;

const examples = readFileSync(new URL('../golden/tfjs.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(read);

for (const { name, json, weights, inputs, outputs } of examples)
  test(`${name}: as TensorFlow.js computes it`, () => {
    const graph = readTfjs(json, { name, shards: () => weights });
    for (const [form, g] of Object.entries({ read: graph, normalized: normalize(graph) })) {
      const got = evaluateGraph(g, inputs);
      g.outputs.forEach((output, i) => {
        const expected = outputs[i]!;
        assert.equal(got[output]!.shape, expected.shape, `${output}, ${form}`);
        const error = relativeError(got[output]!, expected);
        assert.ok(error < ROUNDING, `${output}, ${form}: differs by ${error}`);
      });
    }
  });

test.run();
