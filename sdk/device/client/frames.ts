import { EigenError } from '../../util/errors.ts';

/**
 * Frames of the local API: four bytes with the length of what follows, least significant first, and that many bytes of CBOR
 * (sdk/wire/cbor.ts).
 */
const HEAD = 4;

export function frameOf(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD + body.length);
  new DataView(frame.buffer).setUint32(0, body.length, true);
  frame.set(body, HEAD);
  return frame;
}

/** Puts frames together from what a socket delivers, in memory of the size that a frame announces and may have. */
export class FrameReader {
  private readonly most: () => number;
  private readonly head = new Uint8Array(HEAD);
  private headBytes = 0;
  private body: Uint8Array | undefined;
  private bodyBytes = 0;

  /** @param most bytes that the next frame may have. */
  constructor(most: () => number) {
    this.most = most;
  }

  /**
   * Frames that are whole with these bytes, one after another.
   * @throws EigenError EW6006_MESSAGE_INVALID for a frame that is too long: the connection cannot go on.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length; ) {
      if (!this.body) {
        at += this.takeHead(chunk.subarray(at));
        if (!this.body) continue;
      }
      const { body } = this;
      const part = chunk.subarray(at, at + body!.length - this.bodyBytes);
      body!.set(part, this.bodyBytes);
      this.bodyBytes += part.length;
      at += part.length;
      if (this.bodyBytes < body!.length) continue;
      this.body = undefined;
      yield body!;
    }
  }

  private takeHead(bytes: Uint8Array): number {
    const part = bytes.subarray(0, HEAD - this.headBytes);
    this.head.set(part, this.headBytes);
    this.headBytes += part.length;
    if (this.headBytes < HEAD) return part.length;
    this.headBytes = 0;
    const length = new DataView(this.head.buffer).getUint32(0, true);
    const most = this.most();
    if (length === 0 || length > most)
      throw new EigenError('EW6006_MESSAGE_INVALID', `a frame of ${length} bytes, 1 to ${most} are allowed`, {
        hint: 'Ask for the inputs of the model with describe(); they may have changed with it.',
        details: { length, most },
      });
    this.body = new Uint8Array(length);
    this.bodyBytes = 0;
    return part.length;
  }
}
