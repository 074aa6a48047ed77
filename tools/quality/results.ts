import type { FrontierPoint, GateResult, LayerReport, ProgressivePoint } from '../../sdk/index.ts';
import type { Judgement } from './compare.ts';

/** What compressing a task gave, with the command's defaults. Bytes are counted, seconds and memory measured. */
export interface CompressionStep {
  /** 4 x the parameters of the ONNX file. */
  readonly originalBytes: number;
  /** The weight stream in the bundle. */
  readonly wireBytes: number;
  readonly budgetBytes: number;
  /** Weights in memory. */
  readonly residentBytes: number;
  /** The compressor's own verdict on held-out calibration samples. */
  readonly gate: GateResult;
  readonly binds: readonly string[];
  /** What prefixes of the weights are worth on held-out samples. */
  readonly progressive: readonly ProgressivePoint[];
  readonly stages: readonly string[];
  readonly layers: readonly Omit<LayerReport, 'components'>[];
  readonly timings: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Largest resident set of the process, and what it may be: 4 x the fp32 weights and 500 MB. */
  readonly peakBytes: number;
  readonly peakLimitBytes: number;
}

/** The smallest size that keeps the required quality on the compressor's held-out samples, and all sizes measured on the way. */
export interface SmallestStep {
  readonly wireBytes: number;
  readonly gate: GateResult;
  readonly points: readonly FrontierPoint[];
  readonly seconds: number;
}

/** A program's needs in one thread, bytes. */
export interface ProgramBytes {
  readonly weights: number;
  readonly arena: number;
  readonly scratch: number;
}

/** What the labelled samples said, all models on the same ones. */
export interface EvaluationStep {
  readonly samples: number;
  readonly counted: number;
  readonly original: number;
  readonly ours: Judgement;
  readonly smallest: Judgement;
  /** Ours from the first bytes, half of the weights cut off; absent where the base alone is larger. */
  readonly half?: Judgement;
  /** Plain rounding under a limit of our bytes. */
  readonly plain: Judgement;
  readonly plainWireBytes: number;
  readonly engine: string;
  /** Ours, and the float model compiled by the same compiler. */
  readonly program: ProgramBytes;
  readonly floatProgram: ProgramBytes;
  readonly seconds: number;
}

export interface QualityRow {
  readonly task: string;
  readonly metric: string;
  readonly compression: CompressionStep;
  readonly smallest: SmallestStep;
  readonly evaluation: EvaluationStep;
}

/** One setting of the compressor at the bytes of the full recipe. */
export interface VariantStep {
  readonly wireBytes: number;
  readonly stages: readonly string[];
  readonly seconds: number;
}

export interface AblationRow extends VariantStep {
  readonly variant: string;
  readonly judgement: Judgement;
}

/** Every variant of one task on the same labelled samples. */
export interface Ablation {
  readonly task: string;
  readonly metric: string;
  readonly samples: number;
  readonly original: number;
  readonly rows: readonly AblationRow[];
}

/** A bundle as an ONNX file, run by onnxruntime-web. */
export interface ExportedFile {
  readonly form: 'qdq' | 'nbits';
  readonly bytes: number;
  readonly gzippedBytes: number;
  /** Against the kernels in the bundle. */
  readonly judgement: Judgement;
}

/** What the files of one task say that its bundle says. */
export interface ExportStep {
  readonly task: string;
  readonly metric: string;
  readonly samples: number;
  /** The bundle's score. */
  readonly bundle: number;
  /** fp32 bytes of the original's weights. */
  readonly originalBytes: number;
  readonly forms: readonly ExportedFile[];
}

/** A task that could not be done, with the end of what its process said. */
export interface QualityFailure {
  readonly task: string;
  readonly step: string;
  readonly error: string;
  readonly seconds: number;
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly node: string;
}

/** Everything `npm run bench:quality` knows. */
export interface QualityDocument {
  /** Hash of the sources and the number of samples: results of another run are not mixed with these. */
  readonly run: string;
  readonly machine: Machine;
  readonly rows: readonly QualityRow[];
  readonly ablations: readonly Ablation[];
  readonly exports: readonly ExportStep[];
  readonly failures: readonly QualityFailure[];
}

export const sumOf = (p: ProgramBytes): number => p.weights + p.arena + p.scratch;
