import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SimulatedClock } from '../../../sdk/testing/simulated-clock.ts';
import { fullJitter } from '../../../sdk/util/backoff.ts';
import { pause, systemClock } from '../../../sdk/util/clock.ts';

test('a pause ends after its time, or when it is stopped', async () => {
  const clock = new SimulatedClock();
  await clock.run(pause(clock, 5000));
  assert.is(clock.monotonic(), 5000);
  const stop = new AbortController();
  clock.after(100, () => stop.abort());
  await clock.run(pause(clock, 5000, stop.signal));
  assert.is(clock.monotonic(), 5100);
  await pause(clock, 5000, stop.signal);
  assert.is(await clock.run(pause(clock, 1)).then(() => clock.monotonic()), 5101, 'nothing of the others is left');
});

test("the system's clock", async () => {
  const from = systemClock.monotonic();
  await pause(systemClock, 1);
  assert.ok(systemClock.monotonic() > from);
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 60_000);
  systemClock.after(1, () => assert.unreachable())();
  await pause(systemClock, 5);
});

test('simulated time stands while there is work, and work that waits for nothing is found', async () => {
  const clock = new SimulatedClock();
  const log: string[] = [];
  clock.after(10, () => log.push('10'));
  clock.after(5, () => log.push('5'));
  clock.after(5, () => log.push('5 again'));
  clock.after(7, () => log.push('never'))();
  await clock.run(
    (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      log.push(`worked at ${clock.monotonic()}`);
      await pause(clock, 20);
    })(),
  );
  assert.equal(log, ['worked at 0', '5', '5 again', '10']);
  const e: unknown = await clock.run(new Promise(() => undefined)).catch((x) => x);
  assert.match((e as Error).message, 'waits for no event');
});

test('waits with full jitter', () => {
  const backoff = { first: 1000, longest: 60_000 };
  const waits = [1, 2, 3, 7, 100].map((n) => fullJitter(backoff, n, () => 0.5));
  assert.equal(waits, [500, 1000, 2000, 30_000, 30_000]);
  assert.is(
    fullJitter(backoff, 5, () => 0),
    0,
  );
});

test.run();
