import { checkSignal } from './stream.ts';

/** Seconds by stage; a stage that comes again adds up, and what runs within another counts for itself only. */
export class Timings {
  readonly seconds: Record<string, number> = {};
  private readonly signal: AbortSignal | undefined;
  /** Seconds of stages within the one that runs. */
  private within = 0;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
  }

  async of<T>(stage: string, work: () => Promise<T>): Promise<T> {
    checkSignal(this.signal);
    const before = this.within;
    this.within = 0;
    const from = performance.now();
    try {
      return await work();
    } finally {
      const spent = (performance.now() - from) / 1000;
      this.seconds[stage] = (this.seconds[stage] ?? 0) + spent - this.within;
      this.within = before + spent;
    }
  }
}
