import type { Clock } from '../../util/clock.ts';

/** A clock whose waits can be ended all at once: nobody is called back after that, and nothing keeps the process. */
export class EndingClock implements Clock {
  private readonly clock: Clock;
  private readonly cancels = new Set<() => void>();
  private ended = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): number {
    return this.clock.now();
  }

  monotonic(): number {
    return this.clock.monotonic();
  }

  after(milliseconds: number, call: () => void): () => void {
    if (this.ended) return () => undefined;
    const cancel = this.clock.after(milliseconds, () => {
      this.cancels.delete(cancel);
      call();
    });
    this.cancels.add(cancel);
    return () => {
      this.cancels.delete(cancel);
      cancel();
    };
  }

  end(): void {
    this.ended = true;
    for (const cancel of this.cancels) cancel();
    this.cancels.clear();
  }
}
