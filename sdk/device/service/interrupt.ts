import type { PieceSource } from '../agent/fetch.ts';

/** A source that can be made to stop between any two pieces, and while it waits for one. */
export class InterruptibleSource implements PieceSource {
  private readonly source: PieceSource;
  private stop = new AbortController();

  constructor(source: PieceSource) {
    this.source = source;
  }

  /** What is being fetched ends with an AbortError. What comes after that is fetched again. */
  interrupt(): void {
    this.stop.abort();
    this.stop = new AbortController();
  }

  async *fetch(...asked: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    const { signal } = this.stop;
    const iterator = this.source.fetch(...asked)[Symbol.asyncIterator]();
    let stopped = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      stopped = () => reject(signal.reason);
      signal.addEventListener('abort', stopped);
    });
    aborted.catch(() => undefined);
    try {
      for (;;) {
        const next = await Promise.race([iterator.next(), aborted]);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      signal.removeEventListener('abort', stopped);
      // Not awaited: a source that waits for a network would hold up who interrupts it.
      void iterator.return?.()?.catch(() => undefined);
    }
  }
}
