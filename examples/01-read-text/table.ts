import type { Estimate } from './accuracy.ts';
import { type Claim, percent } from './claims.ts';
import { markDifferences } from './difference.ts';
import { type Breakdown, type DemoResult, memoryShare } from './result.ts';

export const bytes = (n: number): string => n.toLocaleString('en');
export const milliseconds = (s: number): string => `${(1000 * s).toFixed(1)} ms`;
export const interval = (e: Estimate): string => `${percent(e.value)} (${percent(e.low)} to ${percent(e.high)})`;
const quartiles = (e: Estimate): string =>
  `${milliseconds(e.value)} (${milliseconds(e.low)} to ${milliseconds(e.high)})`;

/** Rows: what, original, compressed, remark. */
export type Row = readonly [string, string, string, string];

/** The table of original against compressed; every row says where its numbers come from. */
export function rowsOf(result: DemoResult): Row[] {
  const { sizes, accuracy, latency } = result;
  const parts = (b: Breakdown, indent: string): Row[] =>
    b.parts.map((p) => [`${indent}${p.name}`, '', bytes(p.bytes), '']);
  const ratio = (of: number): string => `1/${(sizes.originalWeights / of).toFixed(2)}`;
  return [
    [
      'weight payload, bytes',
      bytes(sizes.originalWeights),
      bytes(sizes.payload.bytes),
      `${ratio(sizes.payload.bytes)}, counted`,
    ],
    ...parts(sizes.payload, '  '),
    [
      'weights in memory, bytes',
      bytes(sizes.originalWeights),
      bytes(sizes.residentWeights),
      `${ratio(sizes.residentWeights)}, counted`,
    ],
    ['whole bundle, bytes', '', bytes(sizes.bundle.bytes), 'counted'],
    ...parts(sizes.bundle, '  '),
    [
      'activations at their peak, bytes',
      bytes(sizes.originalActivations),
      bytes(sizes.arena),
      "original's: live tensors, computed; ours: planned arena",
    ],
    [
      'peak weights + activations, bytes',
      bytes(sizes.originalWeights + sizes.originalActivations),
      bytes(sizes.residentWeights + sizes.arena),
      `${percent(memoryShare(sizes), 1)} of the original's`,
    ],
    [
      'character accuracy',
      interval(accuracy.original.character),
      interval(accuracy.compressed.character),
      `kept ${interval(accuracy.retention.character)}, measured`,
    ],
    [
      'line accuracy',
      interval(accuracy.original.line),
      interval(accuracy.compressed.line),
      `kept ${interval(accuracy.retention.line)}, measured`,
    ],
    ['same text as the original', '', interval(accuracy.agreement), 'right or wrong, measured'],
    [
      'latency, one thread',
      quartiles(latency.original),
      quartiles(latency.compressed),
      `${latency.speedup.value.toFixed(2)}x (${latency.speedup.low.toFixed(2)} to ${latency.speedup.high.toFixed(2)}), measured here`,
    ],
  ];
}

/** How the numbers of the table were taken. */
export function remarksOf(result: DemoResult): string[] {
  const { accuracy, latency } = result;
  return [
    `accuracy: ${accuracy.lines} lines, ${bytes(accuracy.characters)} characters, text, seeds and two typefaces unknown to calibration (${result.calibrationLines} lines); 95 % intervals, paired bootstrap over lines`,
    `latency: median of ${latency.runs} inferences each, original and compressed in turn on the same lines, with quartiles; this machine, not the board`,
    `engines: ${result.originalEngine} (float32) against ${result.engine} (integer), compiled for ${result.board}`,
  ];
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

export function columns(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0]!.map((_, k) => Math.max(...rows.map((r) => r[k]!.length)));
  return rows
    .map((r) =>
      r
        .map((c, k) => pad(c, widths[k]!, right.includes(k)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The whole answer of the demo as text. */
export function textOf(result: DemoResult, claims: readonly Claim[]): string {
  const shown = result.shown.flatMap((s) => [
    ['', 'text', s.line.text],
    [s.original === s.compressed ? '' : 'differ', 'original', markDifferences(s.line.text, s.original)],
    ['', 'compressed', markDifferences(s.line.text, s.compressed)],
  ]);
  const verdict = claims.map((c) => [c.holds ? 'ok' : c.goal ? 'open' : 'FAILED', c.name, c.measured, c.required]);
  return [
    columns([['', 'original', 'compressed', ''], ...rowsOf(result)], [1, 2]),
    '',
    ...remarksOf(result),
    '',
    'a few lines; [x] is wrong, [-x] is missing',
    columns(shown, []),
    '',
    columns(verdict, []),
  ].join('\n');
}
