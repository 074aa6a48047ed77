import type { Judgement } from '../compare.ts';
import {
  type Ablation,
  type ExportedFile,
  type ExportStep,
  type ProgramBytes,
  type QualityDocument,
  type QualityRow,
  sumOf,
} from '../results.ts';

export const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;
export const bytes = (n: number): string => n.toLocaleString('en');
const megabytes = (n: number): string => `${(n / 1e6).toFixed(0)} MB`;
const ratio = (original: number, n: number): string => `${(original / n).toFixed(2)}x`;
const interval = (j: Judgement): string => `${(100 * j.low).toFixed(1)} to ${(100 * j.high).toFixed(1)}`;

interface Column<T> {
  readonly title: string;
  /** Not a number. */
  readonly text?: boolean;
  readonly cell: (row: T) => string;
}

const samplesOf = ({ evaluation: e }: QualityRow): string =>
  e.counted === e.samples ? bytes(e.samples) : `${bytes(e.counted)} in ${e.samples}`;

/** The smallest size that kept the quality on the held-out samples; what kept none is said. */
export function smallestOf({ compression: c, smallest: s, evaluation: e }: QualityRow): string {
  return s.gate.verdict === 'passed'
    ? `${ratio(c.originalBytes, s.wireBytes)}: ${percent(e.smallest.retention, 1)}`
    : 'none';
}

export const QUALITY: readonly Column<QualityRow>[] = [
  { title: 'task', text: true, cell: (r) => r.task },
  { title: 'metric', text: true, cell: (r) => r.metric },
  { title: 'original', cell: ({ evaluation: e }) => e.original.toFixed(4) },
  { title: 'ours at 8x', cell: ({ evaluation: e }) => e.ours.score.toFixed(4) },
  { title: 'kept (95 %)', cell: ({ evaluation: e }) => `${percent(e.ours.retention)} (${interval(e.ours)})` },
  { title: 'agreement', cell: ({ evaluation: e }) => percent(e.ours.agreement) },
  { title: 'divergence, nats', cell: ({ evaluation: e }) => e.ours.divergence.toPrecision(2) },
  { title: 'smallest: kept', cell: smallestOf },
  {
    title: 'half received, kept',
    cell: ({ evaluation: e }) => (e.half ? percent(e.half.retention, 1) : 'base larger'),
  },
  { title: 'plain rounding, kept', cell: ({ evaluation: e }) => percent(e.plain.retention, 1) },
  { title: 'samples', cell: samplesOf },
];

export const COST: readonly Column<QualityRow>[] = [
  { title: 'task', text: true, cell: (r) => r.task },
  { title: 'wire bytes', cell: ({ compression: c }) => bytes(c.wireBytes) },
  { title: 'smaller', cell: ({ compression: c }) => ratio(c.originalBytes, c.wireBytes) },
  { title: 'weights in memory', cell: ({ evaluation: { program: p } }) => bytes(p.weights) },
  { title: 'of fp32', cell: ({ compression: c, evaluation: e }) => percent(e.program.weights / c.originalBytes, 1) },
  { title: 'and activations', cell: ({ evaluation: e }) => bytes(modelOf(e.program)) },
  {
    title: 'of the float program',
    cell: ({ evaluation: e }) => percent(modelOf(e.program) / modelOf(e.floatProgram), 1),
  },
  {
    title: 'working memory included',
    cell: ({ evaluation: e }) => percent(sumOf(e.program) / sumOf(e.floatProgram), 1),
  },
  { title: 'seconds', cell: ({ compression: c }) => c.seconds.toFixed(0) },
  { title: 'a million parameters', cell: ({ compression: c }) => (c.seconds / (c.originalBytes / 4e6)).toFixed(0) },
  {
    title: 'peak memory, limit',
    cell: ({ compression: c }) => `${megabytes(c.peakBytes)} of ${megabytes(c.peakLimitBytes)}`,
  },
];

/** Weights and activations: what the goal of a seventh speaks of. */
const modelOf = (p: ProgramBytes): number => p.weights + p.arena;

/** Rows as a Markdown table. */
function markdownOf<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map((c) => c.title)),
    line(columns.map((c) => (c.text ? '---' : '---:'))),
    ...rows.map((r) => line(columns.map((c) => c.cell(r)))),
  ].join('\n');
}

export function documentMarkdown({ machine, rows }: QualityDocument): string {
  return [
    markdownOf(QUALITY, rows),
    '',
    markdownOf(COST, rows),
    '',
    `Measured on ${machine.processor}, ${machine.cores} cores, Node ${machine.node.replace(/^v/, '')}. Kept: of the original's quality, the ratio of shares or AUCs, or original's`,
    'perplexity by ours, with a paired bootstrap over samples; agreement: same answer as the original. Smallest: the size whose whole interval keeps 98.5 % on the',
    "compressor's own held-out samples, and what it then keeps on the evaluation data. Half received: ours at 8x when only half of its weight bytes have arrived. Plain rounding has the bytes of ours at 8x. Memory is that of the compiled program, against",
    'the float model compiled by the same compiler; working memory is what kernels need beside weights and activations. 8x is relative to 4 bytes a parameter of the ONNX file.',
  ].join('\n');
}

/** Tasks side by side, a variant a line: divergence, and what is kept. */
export function ablationMarkdown(ablations: readonly Ablation[]): string {
  const names = [...new Set(ablations.flatMap((a) => a.rows.map((r) => r.variant)))];
  const cell = (a: Ablation, name: string): string => {
    const row = a.rows.find((r) => r.variant === name);
    if (!row) return '';
    const { divergence, agreement, retention } = row.judgement;
    return `${divergence.toPrecision(3)}; ${percent(agreement, 1)}; ${percent(retention, 1)}`;
  };
  const columns: Column<string>[] = [
    { title: 'divergence; agreement; kept', text: true, cell: (name) => name },
    ...ablations.map((a) => ({ title: a.task, cell: (name: string) => cell(a, name) })),
  ];
  return markdownOf(columns, names);
}

type ExportRow = ExportStep & { readonly file: ExportedFile };

const EXPORTS: readonly Column<ExportRow>[] = [
  { title: 'task', text: true, cell: (r) => r.task },
  { title: 'metric', text: true, cell: (r) => r.metric },
  { title: 'samples', cell: (r) => bytes(r.samples) },
  { title: 'form', text: true, cell: ({ file }) => (file.form === 'qdq' ? 'QDQ' : 'MatMulNBits') },
  { title: 'bundle', cell: (r) => r.bundle.toFixed(4) },
  { title: 'ONNX', cell: ({ file }) => file.judgement.score.toFixed(4) },
  {
    title: "of the bundle's (95 %)",
    cell: ({ file: { judgement: j } }) => `${percent(j.retention)} (${interval(j)})`,
  },
  { title: 'same answer', cell: ({ file }) => percent(file.judgement.agreement) },
  { title: 'divergence, nats', cell: ({ file }) => file.judgement.divergence.toPrecision(2) },
  { title: 'file, share of fp32', cell: (r) => percent(r.file.bytes / r.originalBytes, 1) },
  { title: 'the file gzipped', cell: (r) => percent(r.file.gzippedBytes / r.originalBytes, 1) },
];

/** A file a line. */
export function exportMarkdown(exports: readonly ExportStep[]): string {
  return markdownOf(
    EXPORTS,
    exports.flatMap((e) => e.forms.map((file) => ({ ...e, file }))),
  );
}
