import type { Clock } from '../../util/clock.ts';
import { MAX_CREDIT } from '../../wire/protocol/messages.ts';

/** Chunks that are asked for at first. */
const FIRST = 4;
const LEAST_TIMEOUT = 300;
const FIRST_TIMEOUT = 3000;
const LONGEST_TIMEOUT = 60_000;

/**
 * How many chunks may be on the way, and how long to wait for one. The window doubles every round trip until something is lost, then
 * grows by one a round trip and halves on a loss (RFC 5681); the time is that of RFC 6298.
 */
export class Window {
  private readonly clock: Pick<Clock, 'monotonic'>;
  private window = FIRST;
  private threshold = MAX_CREDIT;
  private mean: number | undefined;
  private deviation = 0;
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
   * @param took milliseconds; undefined where it was asked for more than once, which makes that unknown.
   */
  arrived(took: number | undefined): void {
    this.window = Math.min(MAX_CREDIT, this.window + (this.window < this.threshold ? 1 : 1 / this.window));
    this.patience = 1;
    if (took === undefined) return;
    if (this.mean === undefined) {
      this.mean = took;
      this.deviation = took / 2;
      return;
    }
    this.deviation += (Math.abs(took - this.mean) - this.deviation) / 4;
    this.mean += (took - this.mean) / 8;
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
