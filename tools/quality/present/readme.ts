import type { QualityDocument } from '../results.ts';
import { TASKS } from '../tasks.ts';
import { ablationMarkdown, documentMarkdown, exportMarkdown } from './tables.ts';

const QUALITY = ['<!-- quality: written by `npm run bench:quality -- --write` -->\n', '<!-- /quality -->'] as const;
const ABLATION = [
  '<!-- ablation: written by `npm run bench:quality -- --ablation --write` -->\n',
  '<!-- /ablation -->',
] as const;

const EXPORTS = [
  '<!-- exports: written by `npm run bench:quality -- --export --write` -->\n',
  '<!-- /exports -->',
] as const;

/** README text with the measured tables between their markers; a table whose tasks are not all measured stays as it is. */
export function withQuality(readme: string, document: QualityDocument): string {
  const complete = (found: readonly { readonly task: string }[]): boolean =>
    TASKS.every((t) => found.some((r) => r.task === t.id));
  const tables = complete(document.rows) ? between(readme, QUALITY, documentMarkdown(document)) : readme;
  const stages =
    document.ablations.length < 3 ? tables : between(tables, ABLATION, ablationMarkdown(document.ablations));
  return complete(document.exports) ? between(stages, EXPORTS, exportMarkdown(document.exports)) : stages;
}

/** Replaces what is between two markers. Throws when the text has lost them. */
export function between(readme: string, [begin, end]: readonly [string, string], text: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has lost the marker ${begin.trim()}`);
  return `${readme.slice(0, from + begin.length)}\n${text}\n\n${readme.slice(to)}`;
}
