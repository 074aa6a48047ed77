import type { Clock } from '../../util/clock.ts';

export interface PeriodicOptions {
  readonly clock: Clock;
  /** Between the end of one run and the start of the next. */
  readonly milliseconds: number;
  /** And at least so many times as long as the run took: work that grows with a fleet leaves time for other work. */
  readonly times?: number;
  /** Does not throw. */
  readonly run: () => Promise<void>;
}

/** Runs something again and again, one run at a time. */
export class Periodic {
  private readonly options: PeriodicOptions;
  private cancel: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = true;

  constructor(options: PeriodicOptions) {
    this.options = options;
  }

  start(): void {
    this.stopped = false;
    this.wait(this.options.milliseconds);
  }

  /** Runs it at once, or once more after the run that is going on. */
  soon(): void {
    if (this.stopped) return;
    if (this.running) this.again = true;
    else this.wait(0);
  }

  /** Returns when the run that is going on has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  private wait(milliseconds: number): void {
    this.cancel?.();
    this.cancel = this.options.clock.after(milliseconds, () => {
      const { clock, run, milliseconds: least, times = 0 } = this.options;
      const from = clock.monotonic();
      this.running = run().finally(() => {
        this.running = undefined;
        if (this.stopped) return;
        const at = this.again ? 0 : Math.max(least, times * (clock.monotonic() - from));
        this.again = false;
        this.wait(at);
      });
    });
  }
}
