import type { FrontierReport, FrontierRow } from '../index.ts';
import { formatBytes, formatPercent, formatRatio, formatSeconds, table } from './format.ts';

/** The points as a table, a plot in characters, and what follows from them. */
export function frontierText(r: FrontierReport): string {
  const heads = ['wire', 'smaller', 'resident', 'memory', 'one run', 'kept', 'interval', 'same answer', 'divergence'];
  const rows = r.points.map((p) => [
    formatBytes(p.wireBytes),
    formatRatio(p.ratio),
    formatBytes(p.residentBytes),
    formatBytes(p.ramBytes),
    formatSeconds(p.latencyMs / 1000),
    formatPercent(p.quality, 2),
    `${formatPercent(p.low, 2)} to ${formatPercent(p.high, 2)}`,
    formatPercent(p.agreement, 2),
    p.divergence.toExponential(2),
  ]);
  const asked = formatPercent(r.minQuality, 1);
  const smallest = r.smallestPassing;
  const samples = r.points[0]?.samples ?? 0;
  return [
    table([heads, ...rows], [0, 1, 2, 3, 4, 5, 7, 8]),
    `quality and agreement measured on ${samples} held-out samples, memory as compiled, one run on ${r.target} in one thread ${r.latencyOrigin}`,
    '',
    ...plot(r.points, r.minQuality),
    '',
    smallest
      ? `smallest that keeps ${asked} with its whole interval: ${formatBytes(smallest.wireBytes)}, ${formatRatio(smallest.ratio)} smaller`
      : `none of these sizes keeps ${asked} with its whole interval`,
  ].join('\n');
}

const WIDTH = 64;
const HEIGHT = 12;

/** Quality kept over size on the wire, both ends labelled; equal ratios of size are equally far apart. */
function plot(points: readonly FrontierRow[], minQuality: number): string[] {
  const size = points.map((p) => Math.log(p.wireBytes));
  const [left, right] = [Math.min(...size), Math.max(...size)];
  const quality = [...points.map((p) => p.quality), minQuality, 1];
  const [bottom, top] = [Math.min(...quality), Math.max(...quality)];
  const column = (v: number): number => (right > left ? Math.round(((v - left) / (right - left)) * (WIDTH - 1)) : 0);
  const row = (v: number): number => (top > bottom ? Math.round(((top - v) / (top - bottom)) * (HEIGHT - 1)) : 0);
  const cells = Array.from({ length: HEIGHT }, () => Array<string>(WIDTH).fill(' '));
  cells[row(minQuality)]!.fill('-');
  points.forEach((p, i) => {
    cells[row(p.quality)]![column(size[i]!)] = 'o';
  });
  const labels = new Map([
    [row(minQuality), formatPercent(minQuality, 2)],
    [0, formatPercent(top, 2)],
    [HEIGHT - 1, formatPercent(bottom, 2)],
  ]);
  const ends = [Math.exp(left), Math.exp(right)].map(formatBytes) as [string, string];
  return [
    ...cells.map((line, i) => `${(labels.get(i) ?? '').padStart(9)} |${line.join('').trimEnd()}`),
    `${' '.repeat(10)}+${'-'.repeat(WIDTH)}`,
    `${' '.repeat(11)}${ends[0]}${ends[1].padStart(WIDTH - ends[0].length)}`,
  ];
}
