import type { CompressionEstimate, CompressionReport, MetricComparison } from '../index.ts';
import { formatBytes, formatPercent, formatRatio, formatSeconds, table } from './format.ts';

/** What `compress` says before it starts. */
export function estimateText(e: CompressionEstimate, wireBudgetBytes: number): string {
  const stages = e.stages.map((s) => `${s.stage} ${formatSeconds(s.seconds)}`).join(', ');
  return [
    `${e.layers} layers, ${e.params.toLocaleString('en')} weights, to at most ${formatBytes(wireBudgetBytes)} on the wire`,
    `${e.fitSamples} samples to fit on, ${e.holdoutSamples} held out`,
    `about ${formatSeconds(e.seconds)} (estimated): ${stages}`,
  ].join('\n');
}

/** What came out, with where each number was measured. */
export function reportText(r: CompressionReport, evaluation: MetricComparison | undefined): string {
  const { totals, gate } = r;
  const budget = totals.residentBudgetBytes === null ? '' : ` of ${formatBytes(totals.residentBudgetBytes)}`;
  const rows = [
    ['weights', formatBytes(totals.originalBytes), 'original, fp32'],
    [
      'on the wire',
      formatBytes(totals.wireBytes),
      `${formatRatio(totals.ratio)} smaller, of ${formatBytes(totals.wireBudgetBytes)}; ${formatBytes(totals.sideBytes)} are not codes`,
    ],
    [
      'resident',
      formatBytes(totals.residentBytes),
      `${formatPercent(totals.residentBytes / totals.originalBytes)} of the original${budget}`,
    ],
    [
      'quality kept',
      formatPercent(gate.quality, 2),
      `${formatPercent(gate.low, 2)} to ${formatPercent(gate.high, 2)}, ${gate.measure}, measured on ${gate.samples} held-out samples`,
    ],
    ['agreement', formatPercent(gate.agreement, 2), 'same answer as the original, measured'],
  ];
  if (evaluation) rows.push(evaluationRow(evaluation));
  return table(rows, [1]);
}

function evaluationRow(e: MetricComparison): string[] {
  const scores = `${e.metric} ${e.ours.toPrecision(4)}, original ${e.original.toPrecision(4)}${e.unit ? ` (${e.unit})` : ''}`;
  const interval = `${formatPercent(e.interval[0], 2)} to ${formatPercent(e.interval[1], 2)}`;
  return ['evaluation', formatPercent(e.quality, 2), `${interval}; ${scores}, measured on ${e.samples} samples`];
}

/** One row a layer (-v): bits, entropy and bytes. */
export function layersText(r: CompressionReport): string {
  const rows = r.layers.map((l) => [
    l.name,
    l.op,
    `[${l.shape.join(',')}]`,
    String(l.bits),
    l.entropy.toFixed(2),
    formatBytes(l.wireBytes),
    formatBytes(l.residentBytes),
    formatPercent(l.relativeError, 2),
    `${l.activationBits} ${l.activation}`,
  ]);
  return table(
    [['layer', 'op', 'shape', 'bits', 'entropy', 'wire', 'resident', 'error', 'activations'], ...rows],
    [3, 4, 5, 6, 7],
  );
}
