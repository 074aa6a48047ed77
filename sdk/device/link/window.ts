import type { Clock } from '../../util/clock.ts';

/** Chunks that are asked for at first: more would be asked for twice where they take minutes. */
const FIRST = 4;
/** Most chunks on the way. */
const MOST = 48;
/** Times that are no sign of a queue, milliseconds. */
const SHORT = 1000;
/** Chunks that come this much later than the first are in no queue at all: the window may be far from what the way carries. */
const UNHINDERED = 1.5;
/** Chunks that the window then grows by with each: three times as many a round trip. */
const STRIDE = 2;
const LEAST_TIMEOUT = 300;
const FIRST_TIMEOUT = 3000;
const LONGEST_TIMEOUT = 120_000;

/**
 * How many chunks may be on the way, and how long to wait for one. The window doubles every round trip until something is lost, and
 * more than doubles where chunks come as fast as the first; then it grows by one a round trip, not at all where chunks begin to queue, and
 * halves on a loss (RFC 5681); the time is that of RFC 6298.
 */
export class Window {
  private readonly clock: Pick<Clock, 'monotonic'>;
  private window = FIRST;
  private threshold = MOST;
  private mean: number | undefined;
  private deviation = 0;
  private least = Number.POSITIVE_INFINITY;
  private patience = 1;
  private shrunkAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.clock = clock;
  }

  get size(): number {
    return Math.floor(this.window);
  }

  /** Milliseconds until a chunk that was asked for counts as lost. */
  get timeout(): number {
    const { mean } = this;
    const time = mean === undefined ? FIRST_TIMEOUT : Math.max(LEAST_TIMEOUT, 1.5 * mean, mean + 4 * this.deviation);
    return Math.min(LONGEST_TIMEOUT, time * this.patience);
  }

  /**
   * A chunk has come.
   * @param took milliseconds since it was last asked for; undefined where it had been given up.
   * @param again it was asked for before that: what comes may be the answer to that. On a slow link that is so with every chunk, until the
   *   time waited is long enough.
   */
  arrived(took: number | undefined, again: boolean): void {
    if (took === undefined || (again && took < this.least)) return;
    this.patience = 1;
    // More on the way would only wait in a queue, and come too late.
    if (took <= Math.max(SHORT, 3 * this.least)) this.grow(took <= UNHINDERED * this.least ? STRIDE : 1);
    if (again) return;
    this.least = Math.min(this.least, took);
    if (this.mean === undefined) {
      this.mean = took;
      this.deviation = took / 2;
      return;
    }
    this.deviation += (Math.abs(took - this.mean) - this.deviation) / 4;
    this.mean += (took - this.mean) / 8;
  }

  private grow(stride: number): void {
    const { window, threshold } = this;
    const next = window < threshold ? Math.min(threshold, window + stride) : window + 1 / window;
    this.window = Math.min(MOST, next);
  }

  /** Chunks that were asked for at a time did not come. Counts once for all that were on the way together. */
  lost(askedAt: number): void {
    if (askedAt < this.shrunkAt) return;
    this.shrink();
    this.patience = Math.min(this.patience * 2, 32);
  }

  /** The other side has too much to do. */
  shrink(): void {
    this.window = Math.max(1, this.window / 2);
    this.threshold = this.window;
    this.shrunkAt = this.clock.monotonic();
  }
}
