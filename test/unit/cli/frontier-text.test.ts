import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { frontierText } from '../../../sdk/cli/frontier-text.ts';
import type { FrontierReport, FrontierRow } from '../../../sdk/index.ts';

const point = (wireBytes: number, quality: number): FrontierRow => ({
  askedBytes: wireBytes,
  wireBytes,
  ratio: 8000 / wireBytes,
  residentBytes: wireBytes,
  ramBytes: 9000,
  latencyMs: 2,
  quality,
  low: quality,
  high: 1,
  agreement: quality,
  divergence: 0.01,
  samples: 30,
  damping: 1,
});

const report = (points: FrontierRow[]): FrontierReport => ({
  model: 'm',
  target: 'board',
  originalBytes: 8000,
  minQuality: 0.985,
  latencyOrigin: 'estimated',
  points,
  missing: 0,
});

test('a row a point, and the points where they belong in the plot', () => {
  const points = [point(500, 0.9), point(1000, 0.99), point(2000, 1)];
  const lines = frontierText({ ...report(points), smallestPassing: points[1]! }).split('\n');
  assert.is(lines.filter((l) => l.includes('9.00 kB')).length, 3);
  assert.match(lines.at(-1)!, 'smallest that keeps 98.5 % with its whole interval: 1.00 kB, 8.00x smaller');
  const plot = lines.filter((l) => / \|/.test(l));
  assert.match(plot[0]!, /^ 100.00 % \|.{63}o$/);
  assert.match(plot.at(-1)!, /^ {2}90.00 % \|o$/);
  assert.is(plot.filter((l) => l.includes('---')).length, 1);
  assert.is(
    plot.findIndex((l) => /\|.{31,32}o/.test(l)),
    1,
  );
});

test('one point, and none that keeps the quality', () => {
  const text = frontierText(report([point(500, 0.9)]));
  assert.match(text, 'none of these sizes keeps 98.5 %');
  assert.not.match(text, /NaN|undefined/);
});

test.run();
