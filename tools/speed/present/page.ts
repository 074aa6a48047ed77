import { report } from '../../../sdk/index.ts';
import { CONTESTANTS } from '../contestants.ts';
import type { Comparison, ModelSpeed, SpeedDocument } from '../results.ts';
import {
  absenceLines,
  comparisonTitle,
  detailLines,
  errorTable,
  legendLines,
  machineLine,
  missed,
  pairsOf,
  profileTable,
  ratioTable,
  time,
  timeTable,
  titleOf,
} from './tables.ts';

const { barPlot, figureOf, html, pageOf, tableOf } = report;

/** The whole benchmark as one page. */
export function speedPage(document: SpeedDocument): string {
  const { models, failures } = document;
  const failed = failures.map((f) => html`<p class="bad">${`${f.model}: ${f.error}`}</p>\n`);
  const pairs = pairsOf(models);
  return pageOf({
    title: 'Speed of whole models in one thread',
    lead: `${machineLine(document)}. Ratios are taken within a round; medians.`,
    sections: [
      {
        title: 'How many times faster',
        content: [...failed, ...pairs.map((p) => ratioFigure(p, models)), tableFrom(ratioTable(models))],
      },
      { title: 'Time of one inference', content: [tableFrom(timeTable(models)), ...models.map(timeFigure)] },
      { title: 'Outputs', content: [tableFrom(errorTable(models))] },
      ...slowSection(models),
      {
        title: 'Who took part',
        content: [...legendLines(models), ...detailLines(models), ...absenceLines(models)].map(
          (line) => html`<p>${line}</p>\n`,
        ),
      },
    ],
  });
}

/** First row: titles; first column: names. */
function tableFrom([titles, ...rows]: readonly (readonly string[])[]): report.Markup {
  return tableOf(
    titles!.map((title, i) => ({ title, numeric: i > 0 })),
    rows,
  );
}

function ratioFigure(pair: Pick<Comparison, 'ours' | 'over'>, models: readonly ModelSpeed[]): report.Markup {
  const rows = models.flatMap((m) => {
    const c = m.comparisons.find((x) => x.ours === pair.ours && x.over === pair.over);
    if (!c) return [];
    const part = { value: c.ratio.median, colour: missed(c) ? ('two' as const) : ('one' as const), name: 'ratio' };
    const mark = c.goal === undefined ? {} : { mark: { value: c.goal, name: 'goal' } };
    return [{ name: m.model, parts: [part], note: `${c.ratio.median.toFixed(2)}x`, ...mark }];
  });
  return figureOf({
    title: `${comparisonTitle(pair)}.`,
    caption: "The other's time by ours, above 1 is faster; the mark is the goal.",
    content: barPlot({
      label: comparisonTitle(pair),
      value: { title: 'times as fast', format: (v) => String(v) },
      rows,
      rowHeight: 20,
    }),
  });
}

function timeFigure({ model, rows }: ModelSpeed): report.Markup {
  const ours = new Set(CONTESTANTS.filter((c) => c.runtime === 'ours').map((c) => c.id));
  return figureOf({
    title: `${model}.`,
    caption: 'Time of one inference, median over the rounds.',
    content: barPlot({
      label: `Time of one inference, ${model}`,
      value: { title: 'time', format: time },
      rows: rows.map((r) => ({
        name: titleOf(r.contestant),
        parts: [{ value: r.median, colour: ours.has(r.contestant) ? 'one' : 'soft', name: 'time' }],
        note: time(r.median),
      })),
      rowHeight: 18,
      labelWidth: 190,
    }),
  });
}

function slowSection(models: readonly ModelSpeed[]): { title: string; content: report.Markup[] }[] {
  const content = models.flatMap((m) =>
    m.profiles.map((s) =>
      figureOf({
        title: `${m.model}, ${titleOf(s.contestant)}.`,
        caption:
          'Layers by their share of the time, median of each over many inferences; the roof is that of the machine.',
        content: tableFrom(profileTable(s)),
      }),
    ),
  );
  return content.length > 0 ? [{ title: 'Where the time goes of those that are slower than the goal', content }] : [];
}
