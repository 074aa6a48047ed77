import type { ProfileRow } from '../../../sdk/app/profile-bundle.ts';
import { CONTESTANTS, PAIRS, REFERENCE, RESTRAINED } from '../contestants.ts';
import type { Comparison, ModelSpeed, SlowProfile, SpeedDocument } from '../results.ts';

/** Layers that a table of a slow model lists; the others are summed up. */
const LISTED = 12;

export const titleOf = (id: string): string => CONTESTANTS.find((c) => c.id === id)?.title ?? id;

const shortOf = (id: string): string => CONTESTANTS.find((c) => c.id === id)?.short ?? id;

export function time(seconds: number): string {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(seconds < 1e-4 ? 1 : 0)} us`;
  return `${(seconds * 1e3).toFixed(seconds < 0.1 ? 2 : 0)} ms`;
}

export function comparisonTitle({ ours, over }: Pick<Comparison, 'ours' | 'over'>): string {
  return `${titleOf(ours)} over ${titleOf(over)}`;
}

/** Pairs that any model has. */
export function pairsOf(models: readonly ModelSpeed[]): Pick<Comparison, 'ours' | 'over'>[] {
  return PAIRS.filter(({ ours, over }) =>
    models.some((m) => m.comparisons.some((c) => c.ours === ours && c.over === over)),
  );
}

export const missed = (c: Comparison): boolean => c.goal !== undefined && c.ratio.median < c.goal;

function ratioCell(c: Comparison | undefined): string {
  if (!c) return '-';
  const { median, low, high } = c.ratio;
  const note = missed(c) ? `, goal ${c.goal}` : '';
  return `${median.toFixed(2)}x (${low.toFixed(2)} to ${high.toFixed(2)}${note})`;
}

/** One row a model: how many times faster ours is. */
export function ratioTable(models: readonly ModelSpeed[]): string[][] {
  const pairs = pairsOf(models);
  return [
    ['model', ...pairs.map(({ ours, over }) => `${shortOf(ours)} : ${shortOf(over)}`)],
    ...models.map((m) => [
      m.model,
      ...pairs.map((p) => ratioCell(m.comparisons.find((c) => c.ours === p.ours && c.over === p.over))),
    ]),
  ];
}

/** Contestants that ran any model, in order. */
function columnsOf(models: readonly ModelSpeed[]): string[] {
  return CONTESTANTS.map((c) => c.id).filter((id) => models.some((m) => m.rows.some((r) => r.contestant === id)));
}

/** One row a model: medians of everyone. */
export function timeTable(models: readonly ModelSpeed[]): string[][] {
  const ids = columnsOf(models);
  return [
    ['model', 'MACs', ...ids.map(shortOf), 'rounds'],
    ...models.map((m) => [
      m.model,
      millions(m.macs),
      ...ids.map((id) => {
        const row = m.rows.find((r) => r.contestant === id);
        return row ? time(row.median) : '-';
      }),
      roundsCell(m),
    ]),
  ];
}

function roundsCell({ rounds: { kept, dropped, repeated } }: ModelSpeed): string {
  const notes = [...(dropped ? [`${dropped} dropped`] : []), ...(repeated ? [`${repeated} turns repeated`] : [])];
  return notes.length > 0 ? `${kept} (${notes.join(', ')})` : String(kept);
}

/** The layers that take most of the time, and the rest together. */
export function profileTable({ rows }: SlowProfile): string[][] {
  const sorted = [...rows].sort((a, b) => b.seconds.median - a.seconds.median);
  const rest = sorted.slice(LISTED);
  const sum = (of: (r: ProfileRow) => number): number => rest.reduce((a, r) => a + of(r), 0);
  return [
    ['layer', 'kernel', 'time', 'share', 'MACs', 'GMAC/s', 'of the roof'],
    ...sorted
      .slice(0, LISTED)
      .map((r) => [
        r.node,
        r.kind,
        time(r.seconds.median),
        percent(r.share),
        r.macs > 0 ? millions(r.macs) : '',
        r.macs > 0 ? r.GMACps.toFixed(1) : '',
        r.ofRoof === null ? '' : `${percent(r.ofRoof)} (${r.bound})`,
      ]),
    ...(rest.length > 0
      ? [
          [
            `${rest.length} others`,
            '',
            time(sum((r) => r.seconds.median)),
            percent(sum((r) => r.share)),
            millions(sum((r) => r.macs)),
            (sum((r) => r.macs) / sum((r) => r.seconds.median) / 1e9).toFixed(1),
            '',
          ],
        ]
      : []),
  ];
}

const percent = (v: number): string => `${(100 * v).toFixed(1)} %`;
const millions = (macs: number): string => `${(macs / 1e6).toFixed(macs < 1e7 ? 2 : 0)} M`;

/** One row a model: how far outputs are from the reference's. */
export function errorTable(models: readonly ModelSpeed[]): string[][] {
  const ids = columnsOf(models).filter((id) => id !== REFERENCE);
  return [
    ['largest difference, relative', ...ids.map(shortOf)],
    ...models.map((m) => [
      m.model,
      ...ids.map((id) => m.rows.find((r) => r.contestant === id)?.error.toExponential(1) ?? '-'),
    ]),
  ];
}

/** What stands on both sides of comparisons that need it said. */
export function legendLines(models: readonly ModelSpeed[]): string[] {
  if (!pairsOf(models).some((p) => p.over === RESTRAINED)) return [];
  return [
    `${shortOf(RESTRAINED)} is onnxruntime as a processor without AVX-512 has it: cpuid instructions of a copy of its library trap and are answered without AVX-512 and AVX-VNNI, and the C library is told so too; after each of its turns and of those of ${shortOf('avx2')} the processor says that no mask and no register 16 to 31 of AVX-512 was used`,
    `the goal of ${shortOf('avx2')} is against that; ${shortOf('node')} uses AVX-512 where the processor has it`,
  ];
}

/** What each contestant ran with, and where that was not the same on all models, on which. */
export function detailLines(models: readonly ModelSpeed[]): string[] {
  return columnsOf(models).map((id) => {
    const where = new Map<string, string[]>();
    for (const m of models) {
      const detail = m.rows.find((r) => r.contestant === id)?.detail;
      if (detail !== undefined) where.set(detail, [...(where.get(detail) ?? []), m.model]);
    }
    const parts = [...where].map(([detail, names]) => (where.size === 1 ? detail : `${detail} (${names.join(', ')})`));
    return `${shortOf(id)} is ${titleOf(id)}: ${parts.join('; ')}`;
  });
}

/** Everybody's absence with its reason; the same reason is said once. */
export function absenceLines(models: readonly ModelSpeed[]): string[] {
  const where = new Map<string, string[]>();
  for (const m of models) {
    for (const a of m.absent) {
      const line = `${titleOf(a.contestant)}: ${a.reason}`;
      where.set(line, [...(where.get(line) ?? []), m.model]);
    }
  }
  return [...where].map(([line, names]) => (names.length === models.length ? line : `${line} (${names.join(', ')})`));
}

export function machineLine({ machine, settings }: SpeedDocument): string {
  const { processor, cores, others } = machine;
  return `${processor}, ${cores} cores; ${others.join(', ')}; one thread, ${settings.rounds} interleaved rounds of ${settings.turnMs} ms turns, those of a round on one processor where the system allows to choose it`;
}

/** Columns of text. */
export function aligned(table: readonly (readonly string[])[]): string {
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return table.map(line).join('\n');
}

/** The document for the terminal: ratios first. */
export function documentText(document: SpeedDocument): string {
  const { models } = document;
  if (models.length === 0) return 'nothing was measured';
  const slow = models.flatMap((m) =>
    m.profiles.map(
      (s) =>
        `${m.model}, ${titleOf(s.contestant)}: slower than the goal; where its time goes\n${aligned(profileTable(s))}`,
    ),
  );
  return [
    `How many times faster ours is, median of the ratios of each round (middle half)\n${aligned(ratioTable(models))}`,
    `Time of one inference, median\n${aligned(timeTable(models))}`,
    `Outputs against those of ${titleOf(REFERENCE)}\n${aligned(errorTable(models))}`,
    ...slow,
    [...legendLines(models), ...detailLines(models)].join('\n'),
    absenceLines(models).join('\n'),
    machineLine(document),
  ].join('\n\n');
}
