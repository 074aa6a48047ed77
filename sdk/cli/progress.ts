import type { Progress, ProgressEvent } from '../util/progress.ts';
import { formatSeconds } from './format.ts';

export interface ProgressSink {
  readonly report: Progress;
  /** Clears what is half-drawn; call before anything else is printed. */
  close(): void;
}

type Write = (text: string) => void;
/** Seconds from some start; injected so that renderers can be tested. */
export type Clock = () => number;

const BAR_WIDTH = 24;
/** A terminal gains nothing from more frames than this, s. */
const MIN_FRAME_S = 0.08;

/** One line on a terminal, redrawn: stage, bar, percent, time left. */
export function barProgress(write: Write, clock: Clock): ProgressSink {
  let stage = '';
  let started = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  let open = false;
  const report = (e: ProgressEvent): void => {
    const now = clock();
    if (e.stage !== stage) {
      stage = e.stage;
      started = now;
      drawn = Number.NEGATIVE_INFINITY;
    }
    if (now - drawn < MIN_FRAME_S && e.done < e.total) return;
    drawn = now;
    open = true;
    const share = e.total > 0 ? Math.min(1, e.done / e.total) : 0;
    const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    const left = share > 0 && share < 1 ? `  ${formatSeconds(((now - started) * (1 - share)) / share)} left` : '';
    write(
      `\r\u001b[K${stage.padEnd(12)} [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %${left}${e.note ? `  ${e.note.slice(0, 40)}` : ''}`,
    );
  };
  const close = (): void => {
    if (open) write('\r\u001b[K');
    open = false;
  };
  return { report, close };
}

/** Stages that are over sooner are not worth a line, s. */
const MIN_STAGE_S = 0.5;

/** A plain line at each further 10 % of a stage. */
export function lineProgress(write: Write, clock: Clock): ProgressSink {
  let stage = '';
  let tenth = -1;
  let started = 0;
  const report = (e: ProgressEvent): void => {
    if (e.stage !== stage) {
      stage = e.stage;
      tenth = -1;
      started = clock();
    }
    const reached = e.total > 0 ? Math.floor((e.done / e.total) * 10) : 0;
    if (reached <= tenth || clock() - started < MIN_STAGE_S) return;
    tenth = reached;
    write(`${stage} ${reached * 10} %  ${formatSeconds(clock() - started)}\n`);
  };
  return { report, close: () => {} };
}

/** One JSON object per event. `t` is seconds since the start. */
export function jsonLinesProgress(write: Write, clock: Clock): ProgressSink {
  const start = clock();
  const report = (e: ProgressEvent): void => {
    write(`${JSON.stringify({ event: 'progress', ...e, t: Math.round((clock() - start) * 1000) / 1000 })}\n`);
  };
  return { report, close: () => {} };
}

export const silentProgress: ProgressSink = { report: () => {}, close: () => {} };
