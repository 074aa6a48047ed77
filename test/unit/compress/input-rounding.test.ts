import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planStatic, Ranges } from '../../../sdk/compress/activations.ts';
import { heldOut } from '../../../sdk/compress/evaluate.ts';
import { inputBehind, inputDivergence } from '../../../sdk/compress/input-rounding.ts';
import { measuresOf } from '../../../sdk/compress/outputs.ts';
import type { Sample } from '../../../sdk/compress/types.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { imageSamples, NetworkBuilder, smallCnn } from './networks.ts';

const graph = smallCnn();

/** Divergence of 8-bit codes for the images, on samples of them. */
async function divergenceOf(samples: readonly Sample[]): Promise<number> {
  const session = await referenceRunner.open(graph);
  const outputs = [];
  const ranges = new Ranges(3);
  for (const s of samples) {
    outputs.push(await session.run(s));
    ranges.add(s.image!);
  }
  const held = heldOut(measuresOf(graph, outputs[0]!, 'auto'), samples, outputs, 1);
  const plan = planStatic({ perChannel: false, columns: 27 }, ranges, 8);
  const found = await inputDivergence(session, held, 'image', plan, 4);
  session.close();
  return found;
}

test('pictures of whole steps lose nothing, other values something', async () => {
  const samples = imageSamples(8);
  const pictures = samples.map(({ image }) => {
    const pixels = Float32Array.from(image!.data as Float32Array, (v) =>
      Math.max(0, Math.min(255, Math.round(128 + 40 * v))),
    );
    pixels[0] = 0;
    pixels[1] = 255;
    return { image: tensor('f32', image!.shape, pixels) };
  });
  assert.is(await divergenceOf(pictures), 0);
  const other = await divergenceOf(samples);
  assert.ok(other > 0 && other < 0.01, `${other}`);
});

test('a value that only moves an input about is that input, one that is computed from it is not', () => {
  const n = new NetworkBuilder('moved', 1);
  const x = n.input('x', { dtype: 'f32', shape: [1, 3, 8, 8] });
  const moved = n.op('Transpose', 'moved', [x], { perm: [0, 2, 3, 1] });
  const made = n.op('Relu', 'made', [moved]);
  const g = n.build(made);
  assert.is(inputBehind(g, moved), 'x');
  assert.is(inputBehind(g, x), 'x');
  assert.is(inputBehind(g, made), undefined);
});

test.run();
