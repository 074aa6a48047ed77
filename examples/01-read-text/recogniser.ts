import { decodeCtc } from './ctc.ts';

/** A network that scores the characters of one preprocessed line. */
export interface Recogniser {
  readonly name: string;
  /** `pixels` is f32[3,48,320] from `preprocess`; the answer f32[40,6625], one row a time step. */
  scores(pixels: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** What one recogniser made of all lines. */
export interface Readings {
  readonly name: string;
  readonly texts: readonly string[];
  /** Time of each inference, seconds, decoding not included. */
  readonly seconds: readonly number[];
}

export interface ReadOptions {
  readonly charset: readonly string[];
  readonly now?: () => number;
  readonly onLine?: (done: number, total: number) => void;
}

const WARM_UP_RUNS = 5;

/**
 * Reads every line with every recogniser in turn, one thread, so that whatever slows the machine down meets all of them; who is
 * first alternates from line to line.
 */
export async function readInterleaved(
  recognisers: readonly Recogniser[],
  lines: readonly Float32Array[],
  options: ReadOptions,
): Promise<Readings[]> {
  const now = options.now ?? (() => performance.now());
  for (const r of recognisers) for (let i = 0; i < WARM_UP_RUNS; i++) await r.scores(lines[i % lines.length]!);
  const out = recognisers.map((r) => ({ name: r.name, texts: [] as string[], seconds: [] as number[] }));
  for (let i = 0; i < lines.length; i++) {
    for (let k = 0; k < recognisers.length; k++) {
      const at = (k + i) % recognisers.length;
      const start = now();
      const scores = await recognisers[at]!.scores(lines[i]!);
      out[at]!.seconds.push((now() - start) / 1000);
      out[at]!.texts.push(decodeCtc(scores, options.charset));
    }
    options.onLine?.(i + 1, lines.length);
  }
  return out;
}
