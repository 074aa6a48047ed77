// timeout: 120
/** model.json and shards of TensorFlow.js with something wrong in them. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyGraph } from '../../sdk/ir/verify.ts';
import { readTfjs } from '../../sdk/model/tfjs/index.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { mutated, oneOf } from '../support/fuzz/mutate.ts';
import { read } from '../support/tfjs/cases.ts';

const FILES = readFileSync(new URL('../golden/tfjs.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(read);
const INPUTS = 1000;
/** What others wrote is not quoted at length, but for lists of what is not supported. */
const LONGEST_MESSAGE = 2000;

type Tree = Record<string, unknown> | unknown[];

/** Values that are not what they should be. */
const WRONG: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  3,
  1e9,
  2 ** 53,
  0.5,
  '',
  'x',
  '-1',
  [],
  {},
  [1],
  ['a', 0, 0],
  { name: 1 },
];

const isTree = (v: unknown): v is Tree => typeof v === 'object' && v !== null;

/** A JSON value with one thing wrong, somewhere. */
function bent(root: Tree, rng: Rng): void {
  let at = root;
  for (let depth = rng.below(12); depth > 0; depth--) {
    const inside = Object.values(at).filter(isTree);
    if (inside.length === 0) break;
    at = oneOf(inside, rng);
  }
  const keys = Object.keys(at);
  if (keys.length === 0) return;
  const key = oneOf(keys, rng) as never;
  const way = rng.below(4);
  if (way === 0) delete at[key];
  else if (way === 1) at[key] = structuredClone(at[oneOf(keys, rng) as never]);
  else at[key] = structuredClone(oneOf(WRONG, rng)) as never;
}

function outcome(json: Uint8Array, weights: Uint8Array): 'read' | 'refused' {
  try {
    verifyGraph(readTfjs(json, { name: 'fuzz', shards: () => weights }));
    return 'read';
  } catch (e) {
    if (!isEigenError(e)) throw e;
    assert.ok(e.message.length < LONGEST_MESSAGE, e.message.slice(0, 200));
    return 'refused';
  }
}

for (const what of ['values', 'text', 'weights'] as const)
  test(`wrong ${what}: an EigenError or a legal graph, never anything else`, () => {
    const counts = { read: 0, refused: 0 };
    for (let input = 0; input < INPUTS; input++) {
      const rng = new Rng(input);
      const { json, weights } = oneOf(FILES, rng);
      const tree = JSON.parse(new TextDecoder().decode(json)) as Tree;
      if (what === 'values') for (let n = 1 + rng.below(2); n > 0; n--) bent(tree, rng);
      const bytes = what === 'text' ? mutated(json, [], rng) : new TextEncoder().encode(JSON.stringify(tree));
      try {
        counts[outcome(bytes, what === 'weights' ? mutated(weights, [], rng) : weights)]++;
      } catch (cause) {
        throw new Error(`input ${input}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
    }
    assert.ok(counts.read > 0 && counts.refused > 0, JSON.stringify(counts));
  });

test.run();
