import type { FrontierPoint, GateResult, LayerReport } from '../../sdk/index.ts';
import type { Judgement } from './compare.ts';

/** What compressing a task gave. Bytes are counted, seconds and memory measured. */
export interface CompressionStep {
  /** 4 x the parameters of the ONNX file. */
  readonly originalBytes: number;
  /** The weight stream in the bundle. */
  readonly wireBytes: number;
  readonly budgetBytes: number;
  /** Weights in memory as codes of fixed width. */
  readonly residentBytes: number;
  /** The compressor's own verdict on held-out calibration samples. */
  readonly gate: GateResult;
  readonly smallestPassing?: FrontierPoint;
  readonly frontier: readonly FrontierPoint[];
  readonly layers: readonly Omit<LayerReport, 'components'>[];
  readonly timings: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Largest resident set of the process. */
  readonly peakBytes: number;
}

/** What the labelled samples said, all models on the same ones. */
export interface EvaluationStep {
  readonly samples: number;
  readonly counted: number;
  readonly original: number;
  readonly ours: Judgement;
  /** Plain rounding under a limit of our bytes. */
  readonly plain: Judgement;
  readonly plainWireBytes: number;
  readonly engine: string;
  /** The program's weight block and activations. */
  readonly weightBytes: number;
  readonly arenaBytes: number;
  readonly seconds: number;
}

export interface QualityRow {
  readonly task: string;
  readonly metric: string;
  readonly compression: CompressionStep;
  readonly evaluation: EvaluationStep;
}

/** A task that could not be done, with the end of what its process said. */
export interface QualityFailure {
  readonly task: string;
  readonly step: 'calibration' | 'compress' | 'evaluate';
  readonly error: string;
  readonly seconds: number;
}

const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;
const bytes = (n: number): string => n.toLocaleString('en');

const COLUMNS = [
  'task',
  'metric',
  'original',
  'ours',
  'kept (95 % interval)',
  'plain rounding, same bytes',
  'kept',
  'samples',
  'agreement',
  'divergence, nats',
  'wire bytes',
  'smaller',
  'resident weights',
  'seconds',
  'peak RSS',
];

/** The rows as a Markdown table. */
export function markdownOf(rows: readonly QualityRow[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(COLUMNS),
    line(COLUMNS.map((_, i) => (i < 2 ? '---' : '---:'))),
    ...rows.map((r) => line(cellsOf(r))),
  ].join('\n');
}

function cellsOf({ task, metric, compression: c, evaluation: e }: QualityRow): string[] {
  const samples = e.counted === e.samples ? String(e.samples) : `${bytes(e.counted)} in ${e.samples}`;
  return [
    task,
    metric,
    e.original.toFixed(4),
    e.ours.score.toFixed(4),
    `${percent(e.ours.retention)} (${percent(e.ours.low)} to ${percent(e.ours.high)})`,
    `${e.plain.score.toFixed(4)} at ${bytes(e.plainWireBytes)}`,
    percent(e.plain.retention),
    samples,
    percent(e.ours.agreement),
    e.ours.divergence.toPrecision(3),
    bytes(c.wireBytes),
    `${(c.originalBytes / c.wireBytes).toFixed(2)}x`,
    `${bytes(c.residentBytes)} (${percent(c.residentBytes / c.originalBytes, 1)})`,
    c.seconds.toFixed(1),
    `${(c.peakBytes / 1e6).toFixed(0)} MB`,
  ];
}
