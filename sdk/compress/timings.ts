import { checkSignal } from './stream.ts';

/** Seconds by stage; a stage that comes again adds up. */
export class Timings {
  readonly seconds: Record<string, number> = {};
  private readonly signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
  }

  async of<T>(stage: string, work: () => Promise<T>): Promise<T> {
    checkSignal(this.signal);
    const from = performance.now();
    const result = await work();
    this.seconds[stage] = (this.seconds[stage] ?? 0) + (performance.now() - from) / 1000;
    return result;
  }
}
