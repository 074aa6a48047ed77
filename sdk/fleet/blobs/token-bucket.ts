import type { Clock } from '../../util/clock.ts';

/** Bytes that may flow: so many a second, and as many at once as had not flowed before, up to a limit. */
export class TokenBucket {
  private readonly perSecond: number;
  private readonly most: number;
  private readonly clock: Pick<Clock, 'monotonic'>;
  private tokens: number;
  private at: number;

  constructor({ perSecond, most }: Rate, clock: Pick<Clock, 'monotonic'>) {
    this.perSecond = perSecond;
    this.most = most;
    this.clock = clock;
    this.tokens = most;
    this.at = clock.monotonic();
  }

  /** Milliseconds until so many may flow; 0 when they may now. More than ever may is as much as may. */
  wait(bytes: number): number {
    const now = this.clock.monotonic();
    this.tokens = Math.min(this.most, this.tokens + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
    const short = Math.min(bytes, this.most) - this.tokens;
    return short <= 0 ? 0 : Math.ceil((1000 * short) / this.perSecond);
  }

  /** They flow. */
  take(bytes: number): void {
    this.tokens -= bytes;
  }
}

export interface Rate {
  /** Bytes. */
  readonly perSecond: number;
  /** Bytes that may flow at once. */
  readonly most: number;
}
