import type { Clock } from '../../util/clock.ts';
import { sourceFailed } from './source-failed.ts';

/** A source that gives fewer bytes in so many milliseconds is given up: GPRS at its worst gives five times as many. */
const LEAST_BYTES = 64 << 10;
const PERIOD = 300_000;

/** Watches that a source delivers at all, however little at a time. Time without a connection does not count. */
export class Pace {
  private readonly clock: Pick<Clock, 'monotonic'>;
  private from: number;
  private bytes = 0;
  private stoppedAt: number | undefined;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.clock = clock;
    this.from = clock.monotonic();
  }

  /** Milliseconds until the next `check` can fail. */
  get left(): number {
    return this.stoppedAt === undefined ? this.from + PERIOD - this.clock.monotonic() : PERIOD;
  }

  note(bytes: number): void {
    this.bytes += bytes;
  }

  /** Holds time while there is no connection. */
  hold(held: boolean): void {
    const now = this.clock.monotonic();
    if (held) this.stoppedAt ??= now;
    else if (this.stoppedAt !== undefined) {
      this.from += now - this.stoppedAt;
      this.stoppedAt = undefined;
    }
  }

  /** @throws EigenError EW7104_SOURCE_FAILED. */
  check(): void {
    if (this.left > 0) return;
    if (this.bytes < LEAST_BYTES)
      throw sourceFailed(`${this.bytes} bytes came in ${PERIOD / 1000} s`, 'slow-retrieval');
    this.from = this.clock.monotonic();
    this.bytes = 0;
  }
}
