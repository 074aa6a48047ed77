/** One stream of progress events, many renderers (terminal bar, plain lines, JSON lines). */
export interface ProgressEvent {
  /** Stage of the work, a stable lower-case word: read, fold, statistics, sensitivity, allocate, quantize, gate, compile, pack, ... */
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** Human-readable detail, e.g. the layer in work. */
  readonly note?: string;
}

export type Progress = (event: ProgressEvent) => void;

export const noProgress: Progress = () => {};
