import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { affinity } from '../../../sdk/device/engine/affinity.ts';
import { skip } from '../../../sdk/testing/skip.ts';
import { pinning } from '../../../tools/speed/pin.ts';

test('a thread stays on the processor that it is given, until it is released', async () => {
  const places = await pinning();
  const calls = await affinity();
  if (!places || !calls) return skip('pinning', 'no Linux, or no koffi');
  try {
    for (const processor of places.processors) {
      places.pin(processor);
      assert.is(calls.current(), processor);
      assert.equal((await pinning())!.processors, [processor]);
    }
  } finally {
    places.release();
  }
  assert.equal((await pinning())!.processors, places.processors);
});

test('a processor that there is not is refused', async () => {
  const places = await pinning();
  if (!places) return skip('pinning', 'no Linux, or no koffi');
  assert.throws(() => places.pin(1023), /does not let/);
  assert.equal((await pinning())!.processors, places.processors);
});

test.run();
