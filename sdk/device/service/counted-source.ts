import type { PieceSource } from '../agent/fetch.ts';

/** How much of what is being fetched is there, bytes. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** A source that counts what it delivers. */
export class CountedSource implements PieceSource {
  private readonly source: PieceSource;
  private bytes = 0;
  private latest: Progress | undefined;

  constructor(source: PieceSource) {
    this.source = source;
  }

  /** Of what was asked for last, a bundle or a delta; undefined before anything was. */
  get progress(): Progress | undefined {
    return this.latest;
  }

  /** Something else is about to be fetched. */
  begin(): void {
    this.latest = undefined;
  }

  async *fetch(...asked: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    const [{ bytes: total, pieces }, wanted] = asked;
    let done = wanted.reduce((rest, index) => rest - pieces[index]!.bytes, total);
    this.latest = { done, total };
    for await (const piece of this.source.fetch(...asked)) {
      this.bytes += piece.bytes.length;
      // What comes twice is there once.
      done = Math.min(total, done + piece.bytes.length);
      this.latest = { done, total };
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
