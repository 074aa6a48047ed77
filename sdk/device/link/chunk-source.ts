import type { Transport } from '../../transport/transport.ts';
import type { Clock } from '../../util/clock.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import { deviceTopic } from '../../wire/protocol/topics.ts';
import type { PieceSource } from '../agent/fetch.ts';
import { ChunkFetch } from './chunk-fetch.ts';
import { Window } from './window.ts';

export interface TransportSourceParts {
  readonly transport: Transport;
  readonly namespace: string;
  readonly device: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Pieces of blobs from the server at the other end of a transport, asked for as they are taken. */
export class ChunkSource implements PieceSource {
  private readonly parts: TransportSourceParts;
  private readonly window: Window;

  constructor(parts: TransportSourceParts) {
    this.parts = parts;
    this.window = new Window(parts.clock);
  }

  /**
   * Pieces that are right, in the order of their coming. Waits for a connection, for a time.
   * @throws EigenError EW7101_NOT_CONNECTED, EW7104_SOURCE_FAILED.
   */
  async *fetch(blob: BlobSpec, pieces: readonly number[]): ReturnType<PieceSource['fetch']> {
    const { transport, namespace, device } = this.parts;
    await transport.subscribe(deviceTopic({ namespace, device, channel: 'ch' }), 0);
    const fetching = new ChunkFetch(this.parts, this.window, blob, pieces);
    try {
      for (let piece = await fetching.next(); piece; piece = await fetching.next()) yield piece;
    } finally {
      fetching.end();
    }
  }
}
