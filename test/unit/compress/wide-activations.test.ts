import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StorageCost } from '../../../sdk/compress/activations.ts';
import type { Context } from '../../../sdk/compress/context.ts';
import { findLayers } from '../../../sdk/compress/layers.ts';
import { isConvolution, storagesOf } from '../../../sdk/compress/storage.ts';
import type { CompressOptions, ProductTime } from '../../../sdk/compress/types.ts';
import { wideStorages } from '../../../sdk/compress/wide-activations.ts';
import { smallCnn } from './networks.ts';

const graph = smallCnn();
const layers = findLayers(graph);
const storages = storagesOf(graph, layers.filter(isConvolution), new Map());
/** Products of 16 bits take twice as long, but for the depthwise layer, which has few for its elements. */
const twice: ProductTime = ({ macs, elements }, bits) => (macs / elements < 4 ? macs : (macs * bits) / 8);
const WEIGHTS = 0.01;

/** Names of the layers whose inputs get 16 bits where 8 cost so much. */
function wide(costs: Readonly<Record<string, number>>, more: Partial<CompressOptions> = {}): string[] {
  const options = { wideActivations: 'auto', productTime: twice, ...more };
  const listed = storages
    .map((storage): StorageCost => ({ storage, cost: costs[storage.layers[0]?.name ?? ''] ?? 0 }))
    .sort((a, b) => b.cost - a.cost);
  const chosen = wideStorages({ graph, layers, options } as unknown as Context, listed, WEIGHTS);
  return chosen.map(({ storage }) => storage.layers[0]?.name ?? '');
}

test('16 bits that save less than the time they take are not worth it, however much is left', () => {
  const costs = { first: 0.002, depthwise: 0.0001, pointwise: 0.002 };
  assert.equal(wide(costs), []);
  assert.equal(wide(costs, { productTime: (_, bits) => bits }), []);
  assert.equal(wide(costs, { productTime: ({ macs }) => macs }).sort(), ['first', 'pointwise']);
});

test('where 8 bits are bad, 16 are taken whatever they take', () => {
  assert.equal(wide({ first: 0.02, pointwise: 0.001 }), ['first']);
  assert.equal(wide({ first: 0.5, pointwise: 0.4 }, { productTime: (w, bits) => (bits === 16 ? 8 : 1) * w.macs }), [
    'first',
    'pointwise',
  ]);
});

test('8 bits that are expected to add less than the weights do are made good by the fit: 16 are worth no time', () => {
  const slower: ProductTime = ({ macs }, bits) => (bits === 16 ? 1.01 : 1) * macs;
  assert.equal(wide({ first: 0.009 }, { productTime: slower }), []);
  assert.equal(wide({ first: 0.02, pointwise: 0.009 }, { productTime: slower }), ['first']);
});

test('what is not multiplied, or multiplied as fast, only has to be more than the weights leave unseen', () => {
  assert.equal(wide({ depthwise: 0.002 }), ['depthwise']);
  assert.equal(wide({ depthwise: 0.0002 }), []);
});

test('a limit of time says itself what time is worth: what saves most for it goes first', () => {
  const costs = { first: 0.0021, pointwise: 0.002 };
  assert.equal(wide(costs), []);
  assert.equal(wide(costs, { maxLatencyMs: 1 }), ['pointwise', 'first']);
});

test('all and none are as they say', () => {
  assert.equal(wide({ first: 0.5 }, { wideActivations: 'none' }), []);
  assert.is(wide({}, { wideActivations: 'all' }).length, storages.length);
});

test.run();
