import { barPlot, heatMap } from './chart.ts';
import { figureOf, html, type Markup, pageOf, tableOf } from './html.ts';
import { linePlot, type Point, type Series } from './plot.ts';

/** The part of a compression report that the page shows; the report of the compressor has this shape. */
export interface CompressionSummary {
  readonly layers: readonly LayerSummary[];
  readonly totals: {
    readonly params: number;
    readonly originalBytes: number;
    readonly wireBytes: number;
    readonly residentBytes: number;
    readonly wireBudgetBytes: number;
    readonly ratio: number;
    readonly sideBytes: number;
    /** Weights, activations and working memory of the program. */
    readonly ramBytes?: number | null;
  };
  readonly binds?: readonly string[];
  readonly stages?: readonly string[];
  readonly gate: {
    readonly quality: number;
    readonly low: number;
    readonly high: number;
    readonly minQuality: number;
    readonly samples: number;
    readonly measure: string;
  };
  readonly frontier: readonly {
    readonly wireBytes: number;
    readonly residentBytes: number;
    readonly quality: number;
    readonly low?: number;
    readonly high?: number;
  }[];
  /** What the first bytes of the weights are worth. */
  readonly progressive?: readonly {
    readonly bytes: number;
    readonly share: number;
    readonly quality: number;
    readonly agreement: number;
    readonly samples: number;
  }[];
}

export interface LayerSummary {
  readonly name: string;
  readonly op: string;
  readonly shape: readonly number[];
  readonly params: number;
  readonly bits: number;
  /** Bits a weight on the wire. */
  readonly entropy: number;
  readonly wireBytes: number;
  readonly residentBytes: number;
  readonly relativeError: number;
  /** How its input is quantized. */
  readonly activation?: string;
  readonly activationBits?: number;
  /** Shares of the energy of the whitened weights, largest first. */
  readonly components: readonly number[];
  readonly ranks?: readonly [number, number, number];
}

export const percent = (v: number, digits = 1): string => `${(100 * v).toFixed(digits)} %`;

/** Bytes in kB (1000). */
export const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;

/** The last part of a node's path, which is what tells layers apart at a glance. */
function shortName(name: string): string {
  return name.length <= 26 ? name : `…${name.slice(-25)}`;
}

/** Size against quality: the measured points, the chosen one, the original, the limits. */
export function frontierFigure(report: CompressionSummary): Markup {
  const { totals, gate } = report;
  const measured: Point[] = [...report.frontier]
    .sort((a, b) => a.wireBytes - b.wireBytes)
    .map((p) => ({
      x: p.wireBytes / 1000,
      y: p.quality,
      ...(p.low !== undefined && p.high !== undefined ? { low: p.low, high: p.high } : {}),
      tip: `${kilobytes(p.wireBytes)}: ${percent(p.quality, 2)} kept`,
    }));
  const chosen: Point = {
    x: totals.wireBytes / 1000,
    y: gate.quality,
    low: gate.low,
    high: gate.high,
  };
  const others: Series = { name: 'other plans measured', colour: 'two', points: measured };
  const original: Series = { name: 'original', colour: 'soft', points: [{ x: totals.originalBytes / 1000, y: 1 }] };
  const result: Series = { name: 'chosen', colour: 'one', points: [chosen], scatter: true };
  return figureOf({
    title: 'Size against quality.',
    caption: `Share of the original's quality kept on ${gate.samples} held-out samples (${gate.measure}), measured; the line is the 95 % interval.`,
    content: linePlot({
      label: 'Bytes on the wire against quality kept',
      x: {
        title: 'weights on the wire, kB (equal ratios are equally far apart)',
        format: (v) => v.toLocaleString('en'),
        logarithmic: true,
      },
      y: { title: 'quality kept', format: (v) => percent(v), include: [1] },
      series: [...(measured.length > 0 ? [others] : []), original, result],
      guides: [
        { axis: 'x', value: totals.wireBudgetBytes / 1000, name: 'budget' },
        { axis: 'y', value: gate.minQuality, name: 'required' },
      ],
    }),
  });
}

/** Quality of a receiver that has only the first bytes; undefined where the weights travel in one piece. */
export function progressiveFigure(report: CompressionSummary): Markup | undefined {
  const points = report.progressive ?? [];
  if (points.length < 2) return undefined;
  const series = (name: string, colour: Series['colour'], value: (p: (typeof points)[number]) => number): Series => ({
    name,
    colour,
    points: points.map((p) => ({
      x: p.bytes / 1000,
      y: value(p),
      tip: `${kilobytes(p.bytes)}, ${percent(p.share)} of the weights: ${name} ${percent(value(p), 2)}`,
    })),
  });
  return figureOf({
    title: 'Quality against bytes received.',
    caption: `A prefix of the weights is a model too: the base of all layers, then refinements by what they are worth for their bytes. Measured on ${points[0]!.samples} held-out samples.`,
    content: linePlot({
      label: 'Bytes of the weights received against quality kept',
      x: { title: 'weights received, kB', format: (v) => v.toLocaleString('en'), include: [0] },
      y: { title: 'share', format: (v) => percent(v), include: [1] },
      series: [
        series('quality kept', 'one', (p) => p.quality),
        series('same answer as the original', 'two', (p) => p.agreement),
      ],
      guides: [{ axis: 'x', value: points.at(-1)!.bytes / 2000, name: 'half' }],
    }),
  });
}

/** Bits a weight of every layer: what is sent, and what is resident. */
export function bitsFigure(report: CompressionSummary): Markup {
  return figureOf({
    title: 'Bits per layer.',
    caption:
      'Layers in the order of execution. Bar: bits a weight on the wire, entropy-coded; mark: bits a weight in memory.',
    content: barPlot({
      label: 'Bits a weight of every layer',
      value: { title: 'bits a weight', format: (v) => String(Math.round(v * 100) / 100) },
      rows: report.layers.map((l) => ({
        name: shortName(l.name),
        parts: [{ value: l.entropy, colour: 'one' as const, name: 'on the wire' }],
        mark: { value: (8 * l.residentBytes) / l.params, name: 'in memory' },
      })),
      rowHeight: 15,
      labelWidth: 190,
    }),
  });
}

/** What rounding left wrong at the output of every layer. */
export function errorsFigure(report: CompressionSummary): Markup {
  return figureOf({
    title: 'Error per layer.',
    caption:
      "Squared error of the layer's output on calibration data, relative to its energy; layers in the order of execution. What a layer may lose depends on what the network makes of it.",
    content: barPlot({
      label: 'Relative error of the output of every layer',
      value: { title: 'error, share of the energy', format: (v) => percent(v, 2) },
      rows: report.layers.map((l) => ({
        name: shortName(l.name),
        parts: [{ value: l.relativeError, colour: 'two' as const, name: 'output error' }],
        ...(l.activationBits === 16 ? { note: '16-bit input' } : {}),
      })),
      rowHeight: 15,
      labelWidth: 190,
    }),
  });
}

/** Components of the whitened weights in the order of their contribution to the layer's output. */
export function componentsFigure(report: CompressionSummary): Markup | undefined {
  const layers = report.layers.filter((l) => l.components.length > 0);
  if (layers.length === 0) return undefined;
  return figureOf({
    title: 'Components by contribution.',
    caption:
      'Each row is a layer, each cell one component of its whitened weights: the stronger the colour, the larger its share of the energy of the output. Right: components that hold 99 %, of all.',
    content: heatMap({
      label: 'Share of output energy of the first components of every layer',
      columnTitle: 'component, largest first',
      format: (v) => percent(v, 2),
      rows: layers.map((l) => ({
        name: shortName(l.name),
        cells: l.components,
        ...(l.ranks ? { note: `${l.ranks[1]} of ${fullRank(l)}` } : {}),
      })),
    }),
  });
}

/** The rank a weight could have: its shape is [rows, ...columns]. */
function fullRank(l: LayerSummary): number {
  const rows = l.shape[0] ?? 1;
  return Math.min(rows, l.params / rows);
}

export function layerTable(report: CompressionSummary): Markup {
  const columns = [
    { title: 'layer' },
    { title: 'operator' },
    { title: 'shape' },
    ...['weights', 'bits', 'wire bits', 'wire', 'resident', 'output error'].map((title) => ({ title, numeric: true })),
    { title: 'input' },
  ];
  const rows = report.layers.map((l) => [
    l.name,
    l.op,
    l.shape.join(' x '),
    l.params.toLocaleString('en'),
    l.bits,
    l.entropy.toFixed(2),
    kilobytes(l.wireBytes),
    kilobytes(l.residentBytes),
    percent(l.relativeError, 2),
    inputOf(l),
  ]);
  return html`<details><summary>${`All ${rows.length} layers`}</summary>${tableOf(columns, rows)}</details>`;
}

function inputOf({ activation, activationBits }: LayerSummary): string {
  return activation === undefined || activation === 'none' ? '' : `${activationBits} bits, ${activation}`;
}

/** The plots and the layer table, to put into a page. */
export function compressionFigures(report: CompressionSummary): Markup[] {
  const components = componentsFigure(report);
  const progressive = progressiveFigure(report);
  const sizes = [frontierFigure(report), ...(progressive ? [progressive] : [])];
  const figures = [...sizes, bitsFigure(report), errorsFigure(report)];
  return [...figures, ...(components ? [components] : []), layerTable(report)];
}

/** A page about one compression. */
export function compressionPage(title: string, report: CompressionSummary): string {
  const { totals, gate } = report;
  const rows = [
    [
      'weights of the original, fp32',
      kilobytes(totals.originalBytes),
      `${totals.params.toLocaleString('en')} parameters`,
    ],
    [
      'weights on the wire',
      kilobytes(totals.wireBytes),
      `${totals.ratio.toFixed(2)}x smaller; ${kilobytes(totals.sideBytes)} are not codes`,
    ],
    ['weights in memory', kilobytes(totals.residentBytes), percent(totals.residentBytes / totals.originalBytes)],
    ['quality kept', percent(gate.quality, 2), `${percent(gate.low, 2)} to ${percent(gate.high, 2)}; ${gate.measure}`],
  ];
  if (totals.ramBytes)
    rows.push(['memory of the program', kilobytes(totals.ramBytes), 'weights, activations and working memory']);
  if (report.binds) rows.push(['held back by', '', report.binds.join(', ') || 'nothing']);
  if (report.stages) rows.push(['stages', '', report.stages.join(', ')]);
  return pageOf({
    title,
    lead: `${totals.ratio.toFixed(2)} times smaller on the wire, ${percent(gate.quality, 2)} of the quality kept.`,
    sections: [
      { title: 'Result', content: [tableOf([{ title: '' }, { title: '', numeric: true }, { title: '' }], rows)] },
      { title: 'How it was reached', content: compressionFigures(report) },
    ],
  });
}
