import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { editDistance, nearest } from '../../../sdk/util/nearest.ts';

test('edit distance counts insertions, deletions and replacements', () => {
  assert.is(editDistance('', 'abc'), 3);
  assert.is(editDistance('kitten', 'sitting'), 3);
  assert.is(editDistance('same', 'same'), 0);
});

test('the nearest candidate, or none when nothing is near', () => {
  assert.is(nearest('jetson-nan', ['jetson-nano', 'raspberry-pi-4b']), 'jetson-nano');
  assert.is(nearest('PEAKGBPS', ['peakGBps', 'type']), 'peakGBps');
  assert.is(nearest('zebra', ['jetson-nano', 'host']), undefined);
});

test.run();
