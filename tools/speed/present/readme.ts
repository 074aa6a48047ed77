import { between } from '../../quality/present/readme.ts';
import type { SpeedDocument } from '../results.ts';
import { absenceLines, detailLines, legendLines, machineLine, ratioTable, timeTable } from './tables.ts';

const MARKERS = ['<!-- speed: written by `npm run bench:speed -- --write` -->\n', '<!-- /speed -->'] as const;

/** README text with the measured tables between their markers. */
export function withSpeed(readme: string, document: SpeedDocument): string {
  const { models } = document;
  const notes = [
    ...legendLines(models),
    ...detailLines(models),
    ...absenceLines(models).map((line) => `left out: ${line}`),
  ];
  const text = [
    markdown(ratioTable(models)),
    markdown(timeTable(models)),
    `Times as fast, median of the ratios of a round (middle half), and the goal where it is missed; then one inference. Measured on ${machineLine(document)}. ${notes.join('. ')}.`,
  ].join('\n\n');
  return between(readme, MARKERS, text);
}

function markdown([titles, ...rows]: readonly (readonly string[])[]): string {
  const rule = titles!.map((_, i) => (i === 0 ? '---' : '---:'));
  return [titles!, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
