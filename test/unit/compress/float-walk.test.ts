import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FloatValues } from '../../../sdk/compress/float-walk.ts';
import { findLayers } from '../../../sdk/compress/layers.ts';
import type { Session } from '../../../sdk/compress/runner.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { imageSamples, smallCnn } from './networks.ts';

const graph = smallCnn();
const layers = findLayers(graph);
const samples = imageSamples(4);
const fit = samples.slice(0, 3);

/** Inputs of all layers for all samples, and how many steps were run for them. */
async function walk(
  values: FloatValues,
  counted: { steps: number },
  from = 0,
): Promise<{ read: number[]; steps: number }> {
  const before = counted.steps;
  const read: number[] = [];
  const over = values.over(samples);
  for (const { input } of layers)
    for (let i = from; i < over.samples; i++) read.push(...((await over.read(i, [input]))[0]!.data as Float32Array));
  over.close();
  return { read, steps: counted.steps - before };
}

async function counting(): Promise<{ session: Session; counted: { steps: number } }> {
  const session = await referenceRunner.open(graph);
  const counted = { steps: 0 };
  const advance = session.advance.bind(session);
  session.advance = (state, to) => {
    counted.steps += to - state.step;
    return advance(state, to);
  };
  return { session, counted };
}

test('what was computed for fitted samples is not computed again, and is the same', async () => {
  const { session, counted } = await counting();
  const values = new FloatValues({ graph, layers, fit }, session);
  const first = await walk(values, counted);
  const second = await walk(values, counted);
  assert.equal(second.read, first.read);
  // The sample that was held out.
  assert.is(second.steps, first.steps / 4);
});

test('where not all fits, the last layers are kept', async () => {
  const { session, counted } = await counting();
  const last = graph.values.get(layers.at(-1)!.input)!.type.shape;
  const values = new FloatValues({ graph, layers, fit }, session, 4 * 3 * last.reduce((a, b) => a * b));
  const first = await walk(values, counted);
  const second = await walk(values, counted);
  assert.equal(second.read, first.read);
  assert.ok(second.steps < first.steps && second.steps > first.steps / 4, `${second.steps} of ${first.steps}`);
});

test.run();
