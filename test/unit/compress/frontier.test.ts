import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spread } from '../../../sdk/compress/frontier.ts';
import { DEFAULT_OPTIONS, type FrontierJob, frontier, type MeasuredPoint } from '../../../sdk/compress/index.ts';
import { referenceRunner } from '../../../sdk/testing/reference-runner.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { noProgress } from '../../../sdk/util/progress.ts';
import { imageSamples, smallCnn } from './networks.ts';

const cnn = smallCnn();
const images = imageSamples(40);
const options = { ...DEFAULT_OPTIONS, spectrum: false, dampings: [1], wireBudgetBytes: 2400 };
const sizes = [4800, 3400, 2400];
const job = (found: (p: MeasuredPoint) => void): FrontierJob => ({ options, sizes, found });

test('points of several sizes from one survey, each under its size', async () => {
  const points: MeasuredPoint[] = [];
  let layers = 0;
  const progress = (e: { stage: string; done: number; total: number }): void => {
    if (e.stage === 'sensitivity' && e.done < e.total) layers++;
  };
  await frontier(
    cnn,
    { samples: images },
    job((p) => points.push(p)),
    referenceRunner,
    progress,
  );
  assert.is(layers, 4);
  assert.equal(
    points.map((p) => p.askedBytes),
    [4800, 2400, 3400],
  );
  assert.ok(points.every((p) => p.wireBytes <= p.askedBytes && p.low <= p.quality && p.quality <= p.high));
  const bySize = [...points].sort((a, b) => a.wireBytes - b.wireBytes);
  assert.ok(bySize[0]!.divergence > bySize[2]!.divergence);
  // A point does not depend on those before it: a run that goes on where another stopped finds the same.
  const again: MeasuredPoint[] = [];
  await frontier(
    cnn,
    { samples: images },
    { ...job((p) => again.push(p)), sizes: [3400] },
    referenceRunner,
    noProgress,
  );
  assert.equal(again[0], points[2]);
});

test('interrupted: the points so far have been reported', async () => {
  const controller = new AbortController();
  const points: MeasuredPoint[] = [];
  const found = (p: MeasuredPoint): void => {
    points.push(p);
    controller.abort();
  };
  try {
    await frontier(cnn, { samples: images }, job(found), referenceRunner, noProgress, controller.signal);
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW1004_INTERRUPTED');
  }
  assert.is(points.length, 1);
});

test('the order covers the range early and everything in the end', () => {
  assert.equal(spread(1), [0]);
  assert.equal(spread(8), [0, 7, 3, 1, 5, 2, 4, 6]);
  assert.equal(
    [...spread(13)].sort((a, b) => a - b),
    [...Array(13).keys()],
  );
});

test.run();
