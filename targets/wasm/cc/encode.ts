/** Bytes that grow, with the ways in which WebAssembly writes numbers. */
export class Bytes {
  length = 0;
  private buffer: Uint8Array;
  private view: DataView;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  byte(value: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** LEB128 without sign, of 32 bits. */
  u32(value: number): void {
    let rest = value >>> 0;
    for (; rest > 127; rest >>>= 7) this.byte((rest & 127) | 128);
    this.byte(rest);
  }

  /** LEB128 with sign, of 32 bits. */
  s32(value: number): void {
    let rest = value | 0;
    for (; rest < -64 || rest > 63; rest >>= 7) this.byte((rest & 127) | 128);
    this.byte(rest & 127);
  }

  /** LEB128 with sign, of 64 bits. */
  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (; rest < -64n || rest > 63n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    this.byte(Number(rest & 127n));
  }

  /** A NaN is the quiet one without a sign. */
  f32(value: number): void {
    this.reserve(4);
    if (Number.isNaN(value)) this.view.setUint32(this.length, 0x7fc00000, true);
    else this.view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    if (Number.isNaN(value)) this.view.setBigUint64(this.length, 0x7ff8000000000000n, true);
    else this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  bytes(values: ArrayLike<number>): void {
    this.reserve(values.length);
    this.buffer.set(values, this.length);
    this.length += values.length;
  }

  /** A vector of the binary format: how many, then they. */
  sized(values: Bytes): void {
    this.u32(values.length);
    this.bytes(values.written());
  }

  /** ASCII. */
  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  section(id: number, content: Bytes): void {
    this.byte(id);
    this.sized(content);
  }

  /** What was written, not copied. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const larger = new Uint8Array(2 * (this.length + more));
    larger.set(this.buffer);
    this.buffer = larger;
    this.view = new DataView(larger.buffer);
  }
}
