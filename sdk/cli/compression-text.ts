import type {
  CompressedBuild,
  CompressionPlan,
  CompressionReport,
  GateResult,
  MetricComparison,
  Sourced,
} from '../index.ts';
import { formatBytes, formatPercent, formatRatio, formatSeconds, table } from './format.ts';

/** What `compress` says before it starts. */
export function estimateText({ estimate: e, wireBudgetBytes, smallest, minQuality }: CompressionPlan): string {
  const stages = e.stages.map((s) => `${s.stage} ${formatSeconds(s.seconds)}`).join(', ');
  const size = smallest
    ? `to as little as keeps ${formatPercent(minQuality, 1)}, seeking from ${formatBytes(wireBudgetBytes)} on the wire`
    : `to at most ${formatBytes(wireBudgetBytes)} on the wire`;
  const more = smallest ? ', and as much as half of it again for each size that is tried' : '';
  return [
    `${e.layers} layers, ${e.params.toLocaleString('en')} weights, ${size}`,
    `${e.fitSamples} samples to fit on, ${e.holdoutSamples} held out`,
    `about ${formatSeconds(e.seconds)} (estimated): ${stages}${more}`,
  ].join('\n');
}

const BINDING: Readonly<Record<CompressionReport['binds'][number], string>> = {
  wire: 'the size on the wire',
  resident: 'memory',
  latency: 'time',
  quality: 'the quality: this is the smallest size found that keeps it',
};

/** What came out, with where each number was measured. */
export function reportText(
  r: CompressionReport,
  { evaluation, latency }: Pick<CompressedBuild, 'evaluation' | 'latency'>,
): string {
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
      `${gateText(gate)}; ${gate.measure}, measured on ${gate.samples} held-out samples`,
    ],
    ['agreement', formatPercent(gate.agreement, 2), 'same answer as the original, measured'],
  ];
  if (evaluation) rows.push(evaluationRow(evaluation));
  rows.push(...halfRow(r));
  rows.push(...boardRows(r, latency), ['held back by', '', r.binds.map((b) => BINDING[b]).join(', ') || 'nothing']);
  return table(rows, [1]);
}

/** The interval, and what it says about what was asked for. */
function gateText({ low, high, minQuality, verdict }: GateResult): string {
  const asked = formatPercent(minQuality, 1);
  const text = {
    passed: `all of it at least ${asked}`,
    uncertain: `uncertain: it reaches below ${asked}`,
    failed: `less than ${asked}`,
  }[verdict];
  return `${formatPercent(low, 2)} to ${formatPercent(high, 2)}, ${text}`;
}

/** What a receiver has with half of the weights. */
function halfRow({ progressive = [] }: CompressionReport): string[][] {
  const half = progressive.filter((p) => p.share <= 0.5).at(-1);
  if (!half) return [];
  const what = `with the first ${formatBytes(half.bytes)}, ${formatPercent(half.share)} of the weights, measured on ${half.samples} samples`;
  return [['of half', formatPercent(half.quality, 2), what]];
}

/** Memory and time of the program on its board. */
function boardRows({ totals: t }: CompressionReport, latency: Sourced | undefined): string[][] {
  const rows: string[][] = [];
  const limit = (text: string | undefined): string => (text === undefined ? '' : ` of ${text}`);
  if (t.ramBytes !== null) {
    const most = limit(t.maxRamBytes === null ? undefined : formatBytes(t.maxRamBytes));
    rows.push(['memory', formatBytes(t.ramBytes), `weights, activations and working memory as compiled${most}`]);
  }
  if (latency) {
    const most = limit(t.maxLatencyMs === null ? undefined : formatSeconds(t.maxLatencyMs / 1000));
    rows.push(['one run', formatSeconds(latency.value / 1000), `${latency.origin}: ${latency.why}${most}`]);
  }
  return rows;
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
