/** Where frames of MQTT begin and end in a stream of bytes, to know how long one is before it is there. */
export class FrameLimit {
  private readonly most: number;
  /** Bytes of the present frame that are still to come. */
  private left = 0;
  /** Bytes of the fixed header that were read: the type, then up to four of the length. */
  private header = 0;
  private length = 0;

  /** @param most bytes of a frame after its fixed header. */
  constructor(most: number) {
    this.most = most;
  }

  /** Whether what came is within the limit. */
  take(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.left > 0) {
        const step = Math.min(this.left, bytes.length - at);
        this.left -= step;
        at += step;
        continue;
      }
      const byte = bytes[at++]!;
      if (this.header++ === 0) continue;
      this.length += (byte & 127) * 128 ** (this.header - 2);
      if (this.length > this.most || this.header > 5) return false;
      if (byte & 128) continue;
      this.left = this.length;
      this.header = 0;
      this.length = 0;
    }
    return true;
  }
}
