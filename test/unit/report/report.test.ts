import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compressionPage } from '../../../sdk/report/compression-report.ts';
import { frontierPage } from '../../../sdk/report/frontier-report.ts';
import {
  barPlot,
  heatMap,
  html,
  intervalPlot,
  linePlot,
  niceTicks,
  ratioTicks,
  tableOf,
} from '../../../sdk/report/index.ts';

const axis = { title: 'x', format: String };

test('ticks are round and cover the range', () => {
  assert.equal(niceTicks(0, 10), [0, 2, 4, 6, 8, 10]);
  assert.equal(niceTicks(0.93, 1.001), [0.92, 0.94, 0.96, 0.98, 1, 1.02]);
  assert.equal(niceTicks(-3, 7, 4), [-5, 0, 5, 10]);
  assert.equal(niceTicks(5, 5), [5]);
});

test('ticks of a logarithmic axis enclose the range', () => {
  assert.equal(ratioTicks(1334, 10750), [1000, 2000, 5000, 10000, 20000]);
  assert.equal(ratioTicks(0.02, 0.05), [0.02, 0.05]);
  assert.equal(ratioTicks(3, 4), [2, 5]);
});

test('html: values are escaped, markup is kept, lists are joined', () => {
  const inner = html`<b>${'<&"\'>'}</b>`;
  assert.is(inner.markup, '<b>&lt;&amp;&quot;&#39;&gt;</b>');
  assert.is(html`<p>${[inner, inner]}${3}</p>`.markup, `<p>${inner.markup}${inner.markup}3</p>`);
});

test('table: a row of the wrong width is refused', () => {
  assert.throws(() => tableOf([{ title: 'a' }], [['1', '2']]), /2 cells for 1 columns/);
});

test('bars: lengths are in proportion, tips say what a part is', () => {
  const plot = barPlot({
    label: 'l',
    value: axis,
    rows: [
      {
        name: 'r<',
        parts: [
          { name: 'p', value: 1, colour: 'one' },
          { name: 'q', value: 3, colour: 'two' },
        ],
      },
      { name: 's', parts: [{ name: 'p', value: 2, colour: 'one' }], mark: { value: 4, name: 'limit' } },
    ],
  }).markup;
  const widths = [...plot.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)"/g)].map((m) => Number(m[1]));
  assert.ok(Math.abs(widths[1]! / widths[0]! - 3) < 0.01);
  assert.ok(Math.abs(widths[2]! / widths[0]! - 2) < 0.01);
  assert.match(plot, '<title>r&lt;, q: 3</title>');
  assert.match(plot, '<title>s, limit: 4</title>');
});

test('points: larger values are higher and further right; intervals and guides are drawn', () => {
  const plot = linePlot({
    label: 'l',
    x: axis,
    y: axis,
    series: [
      {
        name: 's',
        colour: 'one',
        points: [
          { x: 0, y: 0 },
          { x: 10, y: 5, low: 4, high: 6 },
        ],
      },
    ],
    guides: [{ axis: 'y', value: 3, name: 'goal' }],
  }).markup;
  const [a, b] = [...plot.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((m) => [Number(m[1]), Number(m[2])]);
  assert.ok(b![0]! > a![0]! && b![1]! < a![1]!);
  assert.match(plot, 'stroke-dasharray');
  assert.match(plot, '>goal</text>');
});

test('degenerate data draws without NaN', () => {
  const plots = [
    intervalPlot({ label: 'l', value: axis, rows: [{ name: 'r', value: 1, low: 1, high: 1, colour: 'one' }] }),
    linePlot({ label: 'l', x: axis, y: axis, series: [] }),
    barPlot({ label: 'l', value: axis, rows: [{ name: 'r', parts: [] }] }),
    heatMap({ label: 'l', columnTitle: 'c', rows: [], format: String }),
  ];
  for (const p of plots) assert.not.match(p.markup, /NaN|Infinity|undefined/);
});

test('page: complete without components and frontier, the same text every time', () => {
  const layer = {
    name: 'fc',
    op: 'linear',
    shape: [10, 4],
    params: 40,
    bits: 4,
    entropy: 3.2,
    wireBytes: 20,
    residentBytes: 24,
    relativeError: 0.02,
  };
  const report = {
    layers: [{ ...layer, components: [] }],
    totals: {
      params: 40,
      originalBytes: 160,
      wireBytes: 20,
      residentBytes: 24,
      wireBudgetBytes: 20,
      ratio: 8,
      sideBytes: 4,
    },
    gate: { quality: 0.99, low: 0.98, high: 1, minQuality: 0.985, samples: 10, measure: 'top class' },
    frontier: [],
  };
  const page = compressionPage('fc & co', report);
  assert.match(page, '<title>fc &amp; co</title>');
  assert.match(page, '8.00x smaller');
  assert.not.match(page, 'Components by contribution');
  assert.not.match(page, /<script|https?:|NaN/);
  assert.is(compressionPage('fc & co', report), page);
  const spectral = compressionPage('t', {
    ...report,
    layers: [{ ...layer, components: [0.7, 0.3], ranks: [2, 2, 2] }],
  });
  assert.match(spectral, 'fc, component 1: 70.00 %');
  assert.match(spectral, '2 of 4');
  assert.not.match(page, 'bytes received');
  const received = [0.4, 1].map((share) => ({
    bytes: 1000 * share,
    share,
    quality: share,
    agreement: share,
    samples: 9,
  }));
  const progressive = compressionPage('t', { ...report, progressive: received });
  assert.match(progressive, 'Quality against bytes received');
  assert.match(progressive, '0.4 kB, 40.0 % of the weights: quality kept 40.00 %');
});

test('frontier page: plots, a table, and what is the smallest', () => {
  const point = (wireBytes: number, quality: number) => ({
    wireBytes,
    ratio: 8000 / wireBytes,
    residentBytes: 2 * wireBytes,
    ramBytes: 5000,
    latencyMs: 1.5,
    quality,
    low: quality - 0.01,
    high: 1,
    divergence: 1 - quality,
    agreement: quality,
    samples: 30,
  });
  const points = [point(500, 0.9), point(1000, 0.99), point(2000, 1)];
  const base = { model: 'm<', target: 'board', originalBytes: 8000, minQuality: 0.985, latencyOrigin: 'estimated' };
  const page = frontierPage({ ...base, points, smallestPassing: points[1]!, missing: 2 });
  assert.match(page, 'm&lt; for board');
  assert.match(
    page,
    '1.0 kB, 8.00 times smaller, is the smallest size here that keeps 98.5 % with its whole interval. 2 sizes were not measured',
  );
  assert.match(page, '<td class="number">99.00 %</td>');
  assert.is(page.match(/<figure>/g)!.length, 4);
  assert.not.match(page, /NaN|undefined/);
  assert.match(frontierPage({ ...base, points: points.slice(0, 1), missing: 0 }), 'No size here keeps 98.5 %');
});

test.run();
