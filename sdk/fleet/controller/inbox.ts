import type { Heard } from '../registry/change.ts';

/** Messages that wait to be written: some seconds of a large fleet's, 50 MB at most. */
const MOST = 50_000;

/**
 * Messages on their way to the database. They are written in batches, one after another: what comes while one is written is the next. When the
 * database is away for long the oldest go: devices say again what counts.
 */
export class Inbox {
  private waiting: Heard[] = [];
  private running: Promise<void> | undefined;
  private readonly write: (heard: readonly Heard[]) => Promise<void>;
  /** Messages that were given up. */
  dropped = 0;

  /** @param write does not throw for what it cannot write for good; where it throws, the batch is tried again with what came since. */
  constructor(write: (heard: readonly Heard[]) => Promise<void>) {
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

  /** Returns when everything that was added so far is written, or could not be. */
  async settled(): Promise<void> {
    await this.running;
  }

  private limit(): void {
    if (this.waiting.length <= MOST) return;
    this.dropped += this.waiting.length - MOST;
    this.waiting = this.waiting.slice(-MOST);
  }

  private async drain(): Promise<void> {
    // What comes in the same turn is one batch.
    await new Promise((resume) => setImmediate(resume));
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        await this.write(batch);
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
