import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Periodic } from '../../../../sdk/fleet/controller/periodic.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { pause } from '../../../../sdk/util/clock.ts';

/** Work that takes so long, and when it began. */
function timed(clock: SimulatedClock, takes: number, times = 0): { work: Periodic; began: number[] } {
  const began: number[] = [];
  const run = async (): Promise<void> => {
    began.push(clock.monotonic());
    await pause(clock, takes);
  };
  return { work: new Periodic({ clock, milliseconds: 1000, times, run }), began };
}

test('one run at a time, and as long a rest as was asked for', async () => {
  const clock = new SimulatedClock();
  const { work, began } = timed(clock, 300);
  work.start();
  await clock.pass(4000);
  assert.equal(began, [1000, 2300, 3600]);
});

test('work that takes long rests longer', async () => {
  const clock = new SimulatedClock();
  const { work, began } = timed(clock, 1500, 2);
  work.start();
  await clock.pass(11_000);
  assert.equal(began, [1000, 5500, 10_000]);
});

test('soon is at once, or once more after the run that goes on', async () => {
  const clock = new SimulatedClock();
  const { work, began } = timed(clock, 300);
  work.soon();
  await clock.pass(500);
  assert.equal(began, [], 'not before the start');
  work.start();
  await clock.pass(100);
  work.soon();
  await clock.pass(100);
  for (let n = 0; n < 3; n++) work.soon();
  await clock.pass(1000);
  assert.equal(began, [600, 900]);
});

test('who stops it waits for the run that goes on', async () => {
  const clock = new SimulatedClock();
  const { work, began } = timed(clock, 300);
  work.start();
  await clock.pass(1100);
  await clock.run(work.stop());
  assert.is(clock.monotonic(), 1300);
  work.soon();
  await clock.pass(5000);
  assert.equal(began, [1000]);
});

test.run();
