import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scalingPage, scalingText } from '../../../tools/speed/present/scaling.ts';
import type { ScalingDocument } from '../../../tools/speed/scaling.ts';

function documentOf(layers: readonly (readonly [twoThreads: number, control: number])[]): ScalingDocument {
  const timed = layers.map(([twoThreads, control]) => ({
    ...{ macs: 20e6, bytes: 1e6, seconds: 1e-4, deviation: 0.01 },
    ...{ twoThreads, network: { seconds: 4e-4, twoThreads: 1.44 }, control, dropped: 1 },
  }));
  const line = { perMac: 5e-12, perByte: 0, fixed: 0 };
  return {
    machine: { processor: 'P', cores: 2, node: 'v20' },
    rounds: 9,
    series: [{ engine: 'wasm', family: 'convolution', line, layers: timed }],
  };
}

test('what two threads gain is shown beside what the machine gave', () => {
  const document = documentOf([
    [1.81, 1.95],
    [1.65, 1.93],
  ]);
  const text = scalingText(document);
  assert.match(text, /1\.81x +400 us +1\.44x +1\.95x/);
  assert.match(text, /1\.65x ! +400 us +1\.44x +1\.93x/);
  assert.match(text, /networks of three such layers.* 1\.44 times at the median/);
  assert.match(text, /1 of 2 with more than 10 M MACs are at least 1\.7 times faster/);
  assert.match(text, /arithmetic alone 1\.94 times the speed of one/);
  assert.match(text, /2 rounds in which it gave less than 1\.7/);
  assert.not.match(text, /not idle/);
  assert.match(scalingPage(document), /the machine gave/);
});

test('a machine that was not idle all the while is said to have been busy', () => {
  const text = scalingText(documentOf([[1.2, 1.31]]));
  assert.match(text, /1\.31x \(not idle\)/);
  assert.match(text, /1 layers were timed without a rest of it: the machine was not idle/);
});

test.run();
