import { EigenError } from '../util/errors.ts';

/** The error of every decoder of the wire: the bytes are not what an encoder wrote. */
export function damaged(what: string): EigenError {
  return new EigenError('EW6002_BUNDLE_TAMPERED', `weight stream: ${what}`, {
    hint: 'Fetch the bundle again, and compare its digest with the one that `eigenweights inspect` printed where it was made.',
  });
}

/** Appends bits (low bits first), bytes and variable-length integers to a growing buffer. */
export class ByteWriter {
  private buffer = new Uint8Array(256);
  private length = 0;
  private hold = 0;
  private held = 0;

  byte(value: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = value;
  }

  bytes(values: Uint8Array): void {
    this.grow(values.length);
    this.buffer.set(values, this.length);
    this.length += values.length;
  }

  /** Unsigned integer below 2^53, seven bits a byte, low ones first. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte((value >>> shift) & 0xff);
  }

  /** The low `count` (0..32) bits of `value`; `align` must follow the last of them. */
  bits(value: number, count: number): void {
    for (let done = 0; done < count; ) {
      const take = Math.min(8 - this.held, count - done);
      this.hold |= ((value >>> done) & ((1 << take) - 1)) << this.held;
      this.held += take;
      done += take;
      if (this.held === 8) this.align();
    }
  }

  /** Fills the last byte with zero bits. */
  align(): void {
    if (this.held === 0) return;
    this.byte(this.hold);
    this.hold = 0;
    this.held = 0;
  }

  finish(): Uint8Array {
    this.align();
    return this.buffer.slice(0, this.length);
  }

  private grow(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const bigger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more));
    bigger.set(this.buffer.subarray(0, this.length));
    this.buffer = bigger;
  }
}

/** Reads what ByteWriter wrote; reading past the end is EW6002_BUNDLE_TAMPERED. */
export class ByteReader {
  private readonly buffer: Uint8Array;
  private at = 0;
  private hold = 0;
  private held = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = bytes;
  }

  get remaining(): number {
    return this.buffer.length - this.at;
  }

  byte(): number {
    if (this.at >= this.buffer.length) throw damaged('it ends too early');
    return this.buffer[this.at++];
  }

  /** A view of the next `count` bytes. */
  bytes(count: number): Uint8Array {
    if (count > this.remaining) throw damaged('it ends too early');
    this.at += count;
    return this.buffer.subarray(this.at - count, this.at);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw damaged('a length is not valid');
  }

  u32(): number {
    const b = this.bytes(4);
    return (b[0] | (b[1] << 8) | (b[2] << 16) | (b[3] << 24)) >>> 0;
  }

  /** How many bits are 1 before one that is 0. */
  unary(): number {
    let count = 0;
    for (;;) {
      if (this.held === 0) {
        this.hold = this.byte();
        this.held = 8;
      }
      const bit = this.hold & 1;
      this.hold >>>= 1;
      this.held--;
      if (bit === 0) return count;
      count++;
    }
  }

  bits(count: number): number {
    let value = 0;
    for (let done = 0; done < count; ) {
      if (this.held === 0) {
        this.hold = this.byte();
        this.held = 8;
      }
      const take = Math.min(this.held, count - done);
      value |= (this.hold & ((1 << take) - 1)) << done;
      this.hold >>>= take;
      this.held -= take;
      done += take;
    }
    return value >>> 0;
  }

  /** Goes to the next whole byte; the bits skipped must be zero. */
  align(): void {
    if (this.hold !== 0) throw damaged('padding bits are set');
    this.held = 0;
  }
}
