import { type Clock, pause } from '../../util/clock.ts';
import type { Heard } from '../registry/change.ts';

/** Messages that wait to be written: some seconds of a large fleet's, 50 MB at most. */
const MOST = 50_000;
/**
 * How long messages are collected before they are written, milliseconds: a transaction costs more than a hundred messages in it. Twice as long as
 * the last one took, so that the database never has all of the processor.
 */
const COLLECT = { least: 100, most: 1000 };

/**
 * Messages on their way to the database. They are written in batches, one after another: what comes while one is written is the next. When the
 * database is away for long the oldest go: devices say again what counts.
 */
export class Inbox {
  private waiting: Heard[] = [];
  private running: Promise<void> | undefined;
  private readonly write: (heard: readonly Heard[]) => Promise<void>;
  private readonly clock: Clock;
  private readonly closing = new AbortController();
  /** Milliseconds of the last batch. */
  private took = 0;
  /** Messages that were given up. */
  dropped = 0;

  /** @param write does not throw for what it cannot write for good; where it throws, the batch is tried again with what came since. */
  constructor(clock: Clock, write: (heard: readonly Heard[]) => Promise<void>) {
    this.clock = clock;
    this.write = write;
  }

  get size(): number {
    return this.waiting.length;
  }

  add(heard: Heard): void {
    this.waiting.push(heard);
    this.limit();
    this.running ??= this.drain().finally(() => {
      this.running = undefined;
    });
  }

  /** Writes what there is without waiting for more; returns when that is done, or could not be. */
  async close(): Promise<void> {
    this.closing.abort();
    this.retry();
    await this.running;
  }

  private limit(): void {
    if (this.waiting.length <= MOST) return;
    this.dropped += this.waiting.length - MOST;
    this.waiting = this.waiting.slice(-MOST);
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const wait = Math.min(COLLECT.most, Math.max(COLLECT.least, 2 * this.took));
      await pause(this.clock, wait, this.closing.signal);
      const batch = this.waiting;
      this.waiting = [];
      const from = this.clock.monotonic();
      try {
        await this.write(batch);
        this.took = this.clock.monotonic() - from;
      } catch {
        // Tried again with the next message, or by `retry`.
        this.waiting = [...batch, ...this.waiting];
        this.limit();
        return;
      }
    }
  }

  /** Tries again what could not be written. */
  retry(): void {
    if (this.waiting.length === 0) return;
    this.running ??= this.drain().finally(() => {
      this.running = undefined;
    });
  }
}
