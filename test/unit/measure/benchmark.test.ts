import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareSpeed } from '../../../sdk/measure/benchmark.ts';

test('ratios are taken within rounds, so a machine that slows down does not change them', async () => {
  let now = 0;
  let drag = 1;
  const order: string[] = [];
  const contestant = (name: string, ms: number) => ({
    name,
    run: () => {
      order.push(name);
      now += ms * drag;
    },
  });
  const contestants = [contestant('ours', 10), contestant('theirs', 25)];
  const onRound = (): void => {
    drag *= 1.5;
  };
  const { timings, speedups } = await compareSpeed(contestants, { rounds: 5, turnMs: 1, now: () => now, onRound });
  assert.ok(Math.abs(speedups.theirs! - 2.5) < 1e-9);
  assert.is(timings[0]!.rounds, 5);
  assert.ok(timings[0]!.low < timings[0]!.median && timings[0]!.median < timings[0]!.high);
  assert.equal(order.slice(0, 4), ['ours', 'theirs', 'theirs', 'ours']);
});

test('an abort stops between turns', async () => {
  const stop = new AbortController();
  let runs = 0;
  const run = (): void => {
    runs++;
    stop.abort(new Error('enough'));
  };
  const error = await compareSpeed([{ name: 'a', run }], { turnMs: 0, signal: stop.signal }).catch(
    (e: Error) => e.message,
  );
  assert.is(error, 'enough');
  assert.is(runs, 1);
});

test.run();
