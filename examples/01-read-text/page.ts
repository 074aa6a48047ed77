import { report } from 'eigenweights';
import type { Estimate } from './accuracy.ts';
import { type Claim, percent, REQUIRED } from './claims.ts';
import { differences } from './difference.ts';
import { pngDataUrl } from './png.ts';
import type { DemoResult, ShownLine } from './result.ts';
import { remarksOf, rowsOf } from './table.ts';

const { barPlot, figureOf, html, intervalPlot, kilobytes, pageOf, tableOf } = report;

/** The report of the demo: one HTML file with everything in it. */
export function pageOfDemo(result: DemoResult, claims: readonly Claim[]): string {
  const { sizes, accuracy, latency } = result;
  const table = tableOf(
    [{ title: '' }, { title: 'original', numeric: true }, { title: 'compressed', numeric: true }, { title: '' }],
    rowsOf(result).map(([name, ...cells]) => [
      name.startsWith(' ') ? html`<span class="part">${name.trim()}</span>` : name,
      ...cells,
    ]),
  );
  return pageOf({
    title: 'Reading text with a network of an eighth of the size',
    lead: `The English text recogniser of PP-OCR v4, compressed for ${result.board}: ${(sizes.originalWeights / sizes.payload.bytes).toFixed(2)} times fewer bytes, ${percent(accuracy.retention.line.value, 1)} of the exact lines, ${latency.speedup.value.toFixed(1)} times faster.`,
    sections: [
      { title: 'What had to be shown', content: [claimTable(claims)] },
      {
        title: 'Original and compressed',
        content: [table, ...remarksOf(result).map((r) => html`<p class="note">${r}</p>\n`)],
      },
      { title: 'A few of the lines', content: [lineTable(result.shown)] },
      {
        title: 'Accuracy, speed and size',
        content: [accuracyFigure(result), latencyFigure(result), sizeFigure(result)],
      },
      { title: 'How the weights were compressed', content: report.compressionFigures(result.compression) },
    ],
  });
}

function claimTable(claims: readonly Claim[]): report.Markup {
  return tableOf(
    [{ title: '' }, { title: 'measured' }, { title: 'required' }, { title: '' }],
    claims.map((c) => [
      c.name,
      c.measured,
      c.required,
      c.holds ? html`<span class="good">holds</span>` : html`<span class="bad">${c.goal ? 'not yet' : 'fails'}</span>`,
    ]),
  );
}

function lineTable(shown: readonly ShownLine[]): report.Markup {
  const read = (truth: string, text: string): report.Markup => {
    const parts = differences(truth, text).map((s) =>
      s.kind === 'same'
        ? html`${s.text}`
        : s.kind === 'wrong'
          ? html`<ins>${s.text}</ins>`
          : html`<del title="missing">${`-${s.text}`}</del>`,
    );
    return html`<span class="read">${parts}</span>`;
  };
  return tableOf(
    [{ title: 'picture' }, { title: 'text' }, { title: 'original' }, { title: 'compressed' }],
    shown.map((s) => [
      html`<img src="${pngDataUrl(s.line.picture)}" alt="">`,
      html`<span class="read">${s.line.text}</span>`,
      read(s.line.text, s.original),
      read(s.line.text, s.compressed),
    ]),
  );
}

function accuracyFigure({ accuracy }: DemoResult): report.Markup {
  const row = (name: string, e: Estimate, colour: report.Colour, goal?: number) => ({
    name,
    ...e,
    colour,
    ...(goal === undefined ? {} : { goal }),
  });
  const rows = (what: 'character' | 'line', goal: number) => [
    row(`${what}s, original`, accuracy.original[what], 'soft'),
    row(`${what}s, compressed`, accuracy.compressed[what], 'one'),
    row(`${what}s, kept`, accuracy.retention[what], 'three', goal),
  ];
  return figureOf({
    title: 'Accuracy.',
    caption: `${accuracy.lines} held-out lines, measured, 95 % intervals. Kept: compressed / original; the mark is what is required.`,
    content: intervalPlot({
      label: 'Accuracy of both with intervals',
      value: { title: 'characters or whole lines read right', format: (v) => percent(v, 1) },
      rows: [...rows('character', REQUIRED.character), ...rows('line', REQUIRED.line)],
    }),
  });
}

function latencyFigure({ latency, originalEngine, engine }: DemoResult): report.Markup {
  return figureOf({
    title: 'Latency.',
    caption: `${originalEngine} against ${engine}, one thread, measured on this machine, not on the board: median and quartiles.`,
    content: intervalPlot({
      label: 'Latency of both',
      value: { title: 'milliseconds a line', format: (v) => (1000 * v).toFixed(1), include: [0] },
      rows: [
        { name: 'original', ...latency.original, colour: 'soft' },
        { name: 'compressed', ...latency.compressed, colour: 'one' },
      ],
    }),
  });
}

const PART_COLOURS: readonly report.Colour[] = ['one', 'two', 'three', 'four', 'five', 'pale'];

function sizeFigure({ sizes }: DemoResult): report.Markup {
  const stack = (b: DemoResult['sizes']['payload']) =>
    b.parts.map((p, i) => ({ name: p.name, value: p.bytes / 1000, colour: PART_COLOURS[i % PART_COLOURS.length]! }));
  const one = (name: string, n: number, colour: report.Colour) => [{ name, value: n / 1000, colour }];
  return figureOf({
    title: 'Size.',
    caption: 'Rest the pointer on a part to see what it is.',
    content: barPlot({
      label: 'Bytes of weights and bundle',
      value: { title: 'kB', format: (v) => v.toLocaleString('en', { maximumFractionDigits: 1 }) },
      rows: [
        {
          name: 'original, float32',
          parts: one('weights', sizes.originalWeights, 'soft'),
          note: kilobytes(sizes.originalWeights),
        },
        { name: 'weight payload', parts: stack(sizes.payload), note: kilobytes(sizes.payload.bytes) },
        {
          name: 'weights in memory',
          parts: one('weights', sizes.residentWeights, 'one'),
          note: kilobytes(sizes.residentWeights),
        },
        { name: 'whole bundle', parts: stack(sizes.bundle), note: kilobytes(sizes.bundle.bytes) },
      ],
    }),
  });
}
