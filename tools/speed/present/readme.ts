import { between } from '../../quality/present/readme.ts';
import type { SpeedDocument } from '../results.ts';
import { absenceLines, machineLine, ratioTable, timeTable } from './tables.ts';

const MARKERS = ['<!-- speed: written by `npm run bench:speed -- --write` -->\n', '<!-- /speed -->'] as const;

/** README text with the measured tables between their markers. */
export function withSpeed(readme: string, document: SpeedDocument): string {
  const { models } = document;
  const notes = absenceLines(models).map((line) => `Left out: ${line}.`);
  const text = [
    markdown(ratioTable(models)),
    markdown(timeTable(models)),
    [`Measured on ${machineLine(document)}.`, ...notes].join('\n'),
  ].join('\n\n');
  return between(readme, MARKERS, text);
}

function markdown([titles, ...rows]: readonly (readonly string[])[]): string {
  const rule = titles!.map((_, i) => (i === 0 ? '---' : '---:'));
  return [titles!, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
