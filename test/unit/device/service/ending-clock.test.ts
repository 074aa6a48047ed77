import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EndingClock } from '../../../../sdk/device/service/ending-clock.ts';

test('waits are as those of the clock until they are ended', () => {
  const waits = new Map<number, () => void>();
  const clock = new EndingClock({
    now: () => 1,
    monotonic: () => 2,
    after: (milliseconds, call) => {
      waits.set(milliseconds, call);
      return () => waits.delete(milliseconds);
    },
  });
  const called: string[] = [];
  assert.equal([clock.now(), clock.monotonic()], [1, 2]);
  clock.after(10, () => called.push('ten'));
  clock.after(20, () => called.push('twenty'))();
  clock.after(30, () => called.push('thirty'));
  waits.get(10)!();
  clock.end();
  clock.after(40, () => called.push('forty'));
  assert.equal([...waits.keys()], [10]);
  assert.equal(called, ['ten']);
});

test.run();
