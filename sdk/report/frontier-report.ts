import { kilobytes, percent } from './compression-report.ts';
import { type Figure, figureOf, type Markup, pageOf, tableOf } from './html.ts';
import { linePlot, type Point } from './plot.ts';
import type { Axis } from './svg.ts';

/** What a frontier page shows; the report of `measureFrontier` has this shape. */
export interface FrontierSummary {
  readonly model: string;
  readonly target: string;
  readonly originalBytes: number;
  readonly minQuality: number;
  readonly latencyOrigin: string;
  readonly points: readonly FrontierSize[];
  readonly smallestPassing?: FrontierSize;
  readonly missing: number;
}

export interface FrontierSize {
  readonly wireBytes: number;
  readonly ratio: number;
  readonly residentBytes: number;
  readonly ramBytes: number;
  readonly latencyMs: number;
  readonly quality: number;
  readonly low: number;
  readonly high: number;
  readonly divergence: number;
  readonly agreement: number;
  readonly samples: number;
}

const SIZE: Axis = {
  title: 'weights on the wire, kB (equal ratios are equally far apart)',
  format: (v) => v.toLocaleString('en'),
  logarithmic: true,
};

/** Sizes against quality, divergence, memory and time. */
export function frontierPage(report: FrontierSummary): string {
  const { smallestPassing: smallest, minQuality, points } = report;
  const found = smallest
    ? `${kilobytes(smallest.wireBytes)}, ${smallest.ratio.toFixed(2)} times smaller, is the smallest size here that keeps ${percent(minQuality)} with its whole interval.`
    : `No size here keeps ${percent(minQuality)} with its whole interval.`;
  const missing = report.missing > 0 ? ` ${report.missing} sizes were not measured: the run was interrupted.` : '';
  return pageOf({
    title: `${report.model} for ${report.target}: size against quality`,
    lead: `${found}${missing}`,
    sections: [
      { title: 'Quality', content: [qualityFigure(report), divergenceFigure(points)] },
      { title: 'Memory and time', content: [memoryFigure(points), latencyFigure(report)] },
      { title: 'All sizes', content: [pointTable(report)] },
    ],
  });
}

function qualityFigure({ points, minQuality }: FrontierSummary): Markup {
  const kept = points.map((p): Point => ({ x: p.wireBytes / 1000, y: p.quality, low: p.low, high: p.high }));
  const agreeing = points.map((p): Point => ({ x: p.wireBytes / 1000, y: p.agreement }));
  return figureOf({
    title: 'Size against quality.',
    caption: `Measured on ${points[0]?.samples ?? 0} held-out samples: the share of the original's quality that is kept, with its 95 % interval, and how often the answer is the original's.`,
    content: linePlot({
      label: 'Bytes on the wire against quality kept',
      x: SIZE,
      y: { title: 'share', format: (v) => percent(v), include: [1] },
      series: [
        { name: 'quality kept', colour: 'one', points: kept },
        { name: 'same answer', colour: 'three', points: agreeing },
      ],
      guides: [{ axis: 'y', value: minQuality, name: 'required' }],
    }),
  });
}

/** One curve over the sizes. */
function curve(
  figure: Omit<Figure, 'content'>,
  y: Axis,
  points: readonly FrontierSize[],
  value: (p: FrontierSize) => number,
): Markup {
  const line = points.map((p): Point => ({ x: p.wireBytes / 1000, y: value(p) }));
  const series = [{ name: y.title, colour: 'one' as const, points: line }];
  return figureOf({ ...figure, content: linePlot({ label: figure.title, x: SIZE, y, series, height: 220 }) });
}

function divergenceFigure(points: readonly FrontierSize[]): Markup {
  return curve(
    {
      title: 'Size against divergence.',
      caption: "How far the outputs are from the original's on the held-out samples, measured.",
    },
    { title: 'nats a row', format: (v) => String(v), logarithmic: true },
    points,
    (p) => Math.max(1e-9, p.divergence),
  );
}

function memoryFigure(points: readonly FrontierSize[]): Markup {
  const of = (value: (p: FrontierSize) => number): Point[] =>
    points.map((p) => ({ x: p.wireBytes / 1000, y: value(p) / 1000 }));
  return figureOf({
    title: 'Size against memory.',
    caption: 'Weights as the kernels read them, and with activations and working memory as compiled; exact.',
    content: linePlot({
      label: 'Bytes on the wire against bytes in memory',
      x: SIZE,
      y: { title: 'kB', format: (v) => v.toLocaleString('en'), include: [0] },
      series: [
        { name: 'weights', colour: 'one', points: of((p) => p.residentBytes) },
        { name: 'weights, activations, working memory', colour: 'two', points: of((p) => p.ramBytes) },
      ],
      height: 240,
    }),
  });
}

function latencyFigure({ points, target, latencyOrigin }: FrontierSummary): Markup {
  return curve(
    {
      title: 'Size against time.',
      caption: `One run in one thread on ${target} by the board's cost model (${latencyOrigin}).`,
    },
    { title: 'ms', format: (v) => v.toLocaleString('en'), include: [0] },
    points,
    (p) => p.latencyMs,
  );
}

function pointTable({ points, latencyOrigin }: FrontierSummary): Markup {
  const titles = ['on the wire', 'smaller', 'weights in memory', 'memory', `one run (${latencyOrigin})`];
  const quality = ['quality kept', '95 % interval', 'same answer', 'divergence, nats'];
  return tableOf(
    [...titles, ...quality].map((title) => ({ title, numeric: true })),
    points.map((p) => [
      kilobytes(p.wireBytes),
      `${p.ratio.toFixed(2)}x`,
      kilobytes(p.residentBytes),
      kilobytes(p.ramBytes),
      `${p.latencyMs.toPrecision(3)} ms`,
      percent(p.quality, 2),
      `${percent(p.low, 2)} to ${percent(p.high, 2)}`,
      percent(p.agreement, 2),
      p.divergence.toPrecision(3),
    ]),
  );
}
