import type { PieceSource } from '../agent/fetch.ts';

/** A source that counts what it delivers. */
export class CountedSource implements PieceSource {
  private readonly source: PieceSource;
  private bytes = 0;

  constructor(source: PieceSource) {
    this.source = source;
  }

  async *fetch(...asked: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    for await (const piece of this.source.fetch(...asked)) {
      this.bytes += piece.bytes.length;
      yield piece;
    }
  }

  /** Bytes since this was called last. */
  take(): number {
    const { bytes } = this;
    this.bytes = 0;
    return bytes;
  }
}
