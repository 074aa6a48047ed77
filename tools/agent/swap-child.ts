/**
 * FIRST SECOND COUNT: changes between the models of two bundles so many times under load, and prints the figures as JSON. In a process of
 * its own: collecting the garbage of a compiler would be counted as pauses.
 */
import { readFile } from 'node:fs/promises';
import { openBundle } from '../../sdk/bundle/index.ts';
import type { Tensors } from '../../sdk/device/agent/model.ts';
import { openEngine } from '../../sdk/device/engine/open.ts';
import { goldenSetOf } from '../../sdk/device/golden.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';
import { type Contestant, swapUnderLoad } from './swaps.ts';

const [first, second, count] = process.argv.slice(2) as [string, string, string];

const bundles = await Promise.all([first, second].map((file) => readFile(file)));
const inputs = goldenSetOf(openBundle(bundles[0]!)).inputs(0);

async function contestantOf(file: Uint8Array): Promise<Contestant> {
  const bundle = new Uint8Array(file);
  const { engine } = await openEngine(openBundle(bundle));
  const bytes = (outputs: Tensors): Uint8Array[] => Object.values(outputs).map((t) => bytesOf(t.data));
  const expected = bytes(engine.run(inputs));
  engine.close();
  // Hashes would be quicker to compare, and objects that the collector has to end one by one.
  const isAnswer = (outputs: Tensors): boolean => bytes(outputs).every((b, i) => Buffer.compare(b, expected[i]!) === 0);
  return { bundle, isAnswer };
}

const pair = [await contestantOf(bundles[0]!), await contestantOf(bundles[1]!)] as const;
process.stdout.write(JSON.stringify(await swapUnderLoad(pair, inputs, Number(count))));
