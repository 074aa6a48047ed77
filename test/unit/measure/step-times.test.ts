import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { timeSteps } from '../../../sdk/measure/step-times.ts';

/** A program whose steps take as many milliseconds, on a clock of its own. */
function program(rowOf: readonly number[], ms: (step: number, run: number) => number) {
  let clock = 0;
  let run = 0;
  return {
    now: () => clock,
    stepped: {
      rowOf,
      watched: (ended: (step: number) => void): void => {
        run++;
        rowOf.forEach((_, i) => {
          clock += ms(i, run);
          ended(i);
        });
      },
      unwatched: async (): Promise<void> => {
        clock += 7;
      },
    },
  };
}

const near = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-9, `${got}, not ${want}`);

test('every step has the median of its times; steps of one row are added up within a run', async () => {
  const { stepped, now } = program([0, 1, 1, 2], (i, run) => i + 1 + (run % 2));
  const times = await timeSteps(stepped, { runs: 8, now });
  assert.is(times.runs, 8);
  near(times.rows[0]!.median, 1.5e-3);
  near(times.rows[1]!.median, 6e-3);
  near(times.rows[1]!.low, 5e-3);
  near(times.rows[1]!.high, 7e-3);
  near(times.rows[2]!.median, 4.5e-3);
  near(times.whole.median, 7e-3);
});

test('the number of runs follows from the time of one, within limits', async () => {
  const runsOf = async (ms: number): Promise<number> => {
    const { stepped, now } = program([0], () => ms);
    return (await timeSteps(stepped, { now })).runs;
  };
  assert.is(await runsOf(13), 100);
  assert.is(await runsOf(5000), 5);
  assert.is(await runsOf(0.01), 285);
});

test('an abort ends it before the next run', async () => {
  const stop = new AbortController();
  const { stepped, now } = program([0], () => 1);
  const error = await timeSteps(stepped, {
    now,
    runs: 3,
    signal: stop.signal,
    onRun: () => stop.abort(new Error('enough')),
  }).catch((e: Error) => e.message);
  assert.is(error, 'enough');
});

test.run();
