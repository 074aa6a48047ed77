import { type Backoff, fullJitter } from '../../util/backoff.ts';
import type { Clock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import { type PieceSource, piecesRefused } from '../agent/fetch.ts';

/** How long a source is left alone after it failed, milliseconds. */
const REST: Backoff = { first: 30_000, longest: 1_800_000 };

interface Way {
  readonly source: PieceSource;
  failures: number;
  restsUntil: number;
}

/**
 * Several sources as one, the best first: what one does not deliver, or delivers wrongly, is asked of the next. One that failed rests for
 * a while, unless all do.
 */
export class Scheduler implements PieceSource {
  private readonly ways: Way[];
  private readonly clock: Pick<Clock, 'monotonic'>;
  private readonly random: () => number;

  /** @param sources HTTP, MQTT, ... in the order in which they are tried. */
  constructor(sources: readonly PieceSource[], clock: Pick<Clock, 'monotonic'>, random: () => number) {
    this.ways = sources.map((source) => ({ source, failures: 0, restsUntil: Number.NEGATIVE_INFINITY }));
    this.clock = clock;
    this.random = random;
  }

  /**
   * @throws what the last source threw, where something is missing in the end; EigenError EW7002_PIECE_REFUSED where nothing that came was
   * right.
   */
  async *fetch(...[blob, pieces]: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    const left = new Set(pieces);
    let problem: unknown;
    let wrong = 0;
    for (const way of this.awake()) {
      try {
        for await (const piece of way.source.fetch(blob, [...left])) {
          if (!left.has(piece.index)) continue;
          if (sha256(piece.bytes) !== blob.pieces[piece.index]!.sha256) {
            wrong++;
            continue;
          }
          left.delete(piece.index);
          yield piece;
          if (left.size === 0) break;
        }
        way.failures = 0;
      } catch (e) {
        if (!isEigenError(e)) throw e;
        problem = e;
        way.restsUntil = this.clock.monotonic() + fullJitter(REST, ++way.failures, this.random);
      }
      if (left.size === 0) return;
    }
    if (problem !== undefined) throw problem;
    if (wrong > 0 && left.size === pieces.length) throw piecesRefused(`${wrong} pieces came, all of them wrong`, wrong);
  }

  private awake(): Way[] {
    const now = this.clock.monotonic();
    const awake = this.ways.filter((way) => way.restsUntil <= now);
    return awake.length > 0 ? awake : this.ways;
  }
}
