import type { Progress, report } from 'eigenweights';
import { compareReadings } from './accuracy.ts';
import { compareLatency } from './latency.ts';
import { drawLines, type Line } from './lines.ts';
import { loadModelFiles, type ModelFiles, openOriginal } from './original.ts';
import { preprocess } from './preprocess.ts';
import { type Readings, type Recogniser, readInterleaved } from './recogniser.ts';
import type { DemoResult, Sizes } from './result.ts';
import { chooseShown } from './shown.ts';

/** The recogniser after compression, ready to read, and what is known about it. */
export interface CompressedModel {
  readonly board: string;
  readonly recogniser: Recogniser;
  readonly sizes: Sizes;
  readonly summary: report.CompressionSummary;
}

/** Compresses the model on calibration lines, each f32[3,48,320]. */
export type Compress = (files: ModelFiles, calibration: readonly Float32Array[]) => Promise<CompressedModel>;

export interface DemoOptions {
  readonly calibrationLines: number;
  readonly evaluationLines: number;
  readonly shownLines: number;
  readonly progress: Progress;
}

/** Draws lines, compresses, reads the held-out lines with both models in turn, compares. */
export async function runDemo(options: DemoOptions, compress: Compress): Promise<DemoResult> {
  const clock = stopwatch();
  const files = await loadModelFiles();
  const calibration = drawLines('calibration', options.calibrationLines).map((l) => preprocess(l.picture));
  clock.lap('drawing calibration lines');
  const model = await compress(files, calibration);
  clock.lap('compressing');
  const lines = drawLines('evaluation', options.evaluationLines);
  clock.lap('drawing held-out lines');
  const [original, compressed] = await readBoth(files, model.recogniser, lines, options.progress);
  clock.lap('reading');
  const readings = (r: Readings) => lines.map((l, i) => ({ truth: l.text, read: r.texts[i]! }));
  const accuracy = compareReadings(readings(original), readings(compressed));
  const shown = chooseShown(original.texts, compressed.texts, options.shownLines);
  clock.lap('comparing');
  return {
    board: model.board,
    engine: compressed.name,
    originalEngine: original.name,
    calibrationLines: calibration.length,
    sizes: model.sizes,
    accuracy,
    latency: compareLatency(original.seconds, compressed.seconds),
    shown: shown.map((i) => ({ line: lines[i]!, original: original.texts[i]!, compressed: compressed.texts[i]! })),
    compression: model.summary,
    seconds: clock.laps,
  };
}

async function readBoth(
  files: ModelFiles,
  compressed: Recogniser,
  lines: readonly Line[],
  progress: Progress,
): Promise<[Readings, Readings]> {
  const original = await openOriginal(files);
  try {
    const pixels = lines.map((l) => preprocess(l.picture));
    const onLine = (done: number, total: number): void => progress({ stage: 'read', done, total });
    const readings = await readInterleaved([original, compressed], pixels, { charset: files.charset, onLine });
    return readings as [Readings, Readings];
  } finally {
    await original.close();
    await compressed.close();
  }
}

function stopwatch(): { laps: Record<string, number>; lap(stage: string): void } {
  const laps: Record<string, number> = {};
  let start = performance.now();
  return {
    laps,
    lap(stage) {
      laps[stage] = (performance.now() - start) / 1000;
      start = performance.now();
    },
  };
}
