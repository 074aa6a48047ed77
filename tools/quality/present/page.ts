import { report } from '../../../sdk/index.ts';
import { type Ablation, type QualityDocument, type QualityRow, sumOf } from '../results.ts';
import { bytes, COST, percent, QUALITY } from './tables.ts';

const { barPlot, figureOf, html, intervalPlot, linePlot, pageOf, tableOf } = report;

const REQUIRED = 0.985;
/** Goal for weights and activations in memory, of the float program's. */
const MEMORY_GOAL = 0.14;
/** Bars of quality below this are cut. */
const SHOWN_FROM = 0.9;

/** The whole benchmark as one page. */
export function qualityPage({ machine, rows, ablations, failures }: QualityDocument): string {
  const passing = rows.filter((r) => r.evaluation.ours.retention >= REQUIRED).length;
  const failed = failures.map((f) => html`<p class="bad">${`${f.task}, ${f.step}: ${f.error.slice(-300)}`}</p>\n`);
  return pageOf({
    title: 'Quality kept at an eighth of the size',
    lead: `${passing} of ${rows.length} tasks keep at least ${percent(REQUIRED, 1)} of the original's quality with 8 times fewer bytes of weights, all with the same settings. Measured on ${machine.processor}, ${machine.cores} cores, Node ${machine.node}.`,
    sections: [
      { title: 'At 8x', content: [...failed, table(QUALITY, rows), keptFigure(rows), plainFigure(rows)] },
      { title: 'Size against quality', content: rows.map(sizeFigure) },
      { title: 'Memory, time', content: [memoryFigure(rows), table(COST, rows)] },
      ...(ablations.length > 0
        ? [{ title: 'What each stage is worth, at equal bytes', content: ablations.flatMap(ablationParts) }]
        : []),
    ],
  });
}

function table(columns: typeof QUALITY, rows: readonly QualityRow[]): report.Markup {
  return tableOf(
    columns.map(({ title, text }) => ({ title, numeric: !text })),
    rows.map((r) => columns.map((c) => c.cell(r))),
  );
}

function keptFigure(rows: readonly QualityRow[]): report.Markup {
  return figureOf({
    title: 'Quality kept at 8x.',
    caption:
      'On labelled data that calibration never saw, with the 95 % interval of a paired bootstrap; the mark is 98.5 %.',
    content: intervalPlot({
      label: "Share of the original's quality kept by task",
      value: { title: "share of the original's quality", format: (v) => percent(v, 1) },
      rows: rows.map(({ task, evaluation: { ours } }) => ({
        name: task,
        value: ours.retention,
        low: ours.low,
        high: ours.high,
        colour: ours.retention >= REQUIRED ? 'one' : 'two',
        goal: REQUIRED,
      })),
    }),
  });
}

function plainFigure(rows: readonly QualityRow[]): report.Markup {
  const bar = (name: string, value: number, colour: 'one' | 'soft') => ({
    name,
    parts: [{ value: Math.min(1, Math.max(0, value)), colour, name: 'quality kept' }],
    note: percent(value, 1),
  });
  return figureOf({
    title: 'Ours and plain rounding with the same bytes.',
    caption: 'Plain rounding: the same grid of scales and the same coder, no calibration. Quality kept, same samples.',
    content: barPlot({
      label: 'Quality kept by ours and by plain rounding',
      value: { title: "share of the original's quality", format: (v) => percent(v, 0) },
      rows: rows.flatMap(({ task, evaluation: e }) => [
        bar(task, e.ours.retention, 'one'),
        bar('plain', e.plain.retention, 'soft'),
      ]),
      rowHeight: 16,
      legend: [
        { name: 'ours', colour: 'one' },
        { name: 'plain rounding', colour: 'soft' },
      ],
    }),
  });
}

/** Every size measured on held-out samples, and the ones that were then measured on the labelled data. */
function sizeFigure({ task, compression: c, smallest: s, evaluation: e }: QualityRow): report.Markup {
  const held = [...s.points]
    .sort((a, b) => a.wireBytes - b.wireBytes)
    .map((p) => ({ x: p.wireBytes / 1000, y: Math.max(SHOWN_FROM, p.quality), tip: percent(p.quality) }));
  const received = c.progressive.map((p) => ({
    x: p.bytes / 1000,
    y: Math.max(SHOWN_FROM, p.quality),
    tip: `${percent(p.share, 0)} of the weights: ${percent(p.quality)}`,
  }));
  const labelled = [
    ...(e.half ? [{ bytes: c.wireBytes / 2, judgement: e.half }] : []),
    { bytes: s.wireBytes, judgement: e.smallest },
    { bytes: c.wireBytes, judgement: e.ours },
  ].map(({ bytes: n, judgement: j }) => ({
    x: n / 1000,
    y: Math.max(SHOWN_FROM, j.retention),
    low: Math.max(SHOWN_FROM, j.low),
    high: Math.max(SHOWN_FROM, j.high),
    tip: `${bytes(n)} bytes: ${percent(j.retention)}`,
  }));
  return figureOf({
    title: `${task}.`,
    caption: `${s.points[0] ? `${s.gate.samples} held-out calibration samples` : 'No sizes'} for the lines: models compressed to each size, and prefixes of the one at 8x; ${e.samples} labelled samples for the points; what is below ${percent(SHOWN_FROM, 0)} is drawn there.`,
    content: linePlot({
      label: `Bytes against quality kept, ${task}`,
      x: { title: 'weights on the wire, kB', format: (v) => v.toLocaleString('en'), logarithmic: true },
      y: { title: 'quality kept', format: (v) => percent(v, 1), include: [1] },
      series: [
        { name: 'held-out', colour: 'two', points: held },
        ...(received.length > 0 ? [{ name: 'prefixes', colour: 'three' as const, points: received }] : []),
        { name: 'labelled', colour: 'one', points: labelled, scatter: true },
      ],
      guides: [
        { axis: 'y', value: REQUIRED, name: '98.5 %' },
        { axis: 'x', value: c.originalBytes / 8000, name: '8x' },
      ],
      height: 230,
    }),
  });
}

function memoryFigure(rows: readonly QualityRow[]): report.Markup {
  return figureOf({
    title: 'Memory, as a share of the float program.',
    caption:
      'Weights, activations and working memory of our program against those of the float model compiled by the same compiler; the mark is 14 %.',
    content: barPlot({
      label: 'Memory of the program as a share of the float program',
      value: { title: "share of the float program's bytes", format: (v) => percent(v, 0) },
      rows: rows.map(({ task, evaluation: { program: p, floatProgram } }) => {
        const all = sumOf(floatProgram);
        return {
          name: task,
          parts: [
            { value: p.weights / all, colour: 'one' as const, name: 'weights' },
            { value: p.arena / all, colour: 'two' as const, name: 'activations' },
            { value: p.scratch / all, colour: 'three' as const, name: 'working memory' },
          ],
          mark: { value: MEMORY_GOAL, name: 'goal' },
          note: percent(sumOf(p) / all, 1),
        };
      }),
      legend: [
        { name: 'weights', colour: 'one' },
        { name: 'activations', colour: 'two' },
        { name: 'working memory', colour: 'three' },
      ],
    }),
  });
}

function ablationParts({ task, metric, samples, original, rows }: Ablation): report.Markup[] {
  const figure = figureOf({
    title: `${task}: divergence.`,
    caption: `Mean divergence from the original's outputs on ${samples} labelled samples, nats; smaller is better. Each bar is the full recipe with one stage changed.`,
    content: barPlot({
      label: `Divergence by variant, ${task}`,
      value: { title: 'nats', format: (v) => String(v) },
      rows: rows.map(({ variant, judgement: j }, i) => ({
        name: variant,
        parts: [{ value: j.divergence, colour: i === 0 ? ('one' as const) : ('two' as const), name: 'divergence' }],
        note: j.divergence.toPrecision(3),
      })),
      rowHeight: 20,
      labelWidth: 230,
    }),
  });
  const titles = ['wire bytes', 'divergence, nats', 'agreement', metric, 'kept', '95 % interval'];
  const lines = rows.map(({ variant, wireBytes, judgement: j }) => [
    variant,
    bytes(wireBytes),
    j.divergence.toPrecision(3),
    percent(j.agreement),
    `${j.score.toFixed(4)} of ${original.toFixed(4)}`,
    percent(j.retention),
    `${percent(j.low)} to ${percent(j.high)}`,
  ]);
  return [figure, tableOf([{ title: '' }, ...titles.map((title) => ({ title, numeric: true }))], lines)];
}
