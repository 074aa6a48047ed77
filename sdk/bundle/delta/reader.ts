import { crc32 } from '../../util/crc32.ts';
import { ByteReader } from '../../wire/bits.ts';
import type { ByteSource } from '../archive.ts';
import { invalidDelta } from './format.ts';

/** Bytes that are read at once. */
const WINDOW = 65_536;
const CRC_BYTES = 4;

/** Reads a delta from its start to its end, a block at a time, and checks its CRC. */
export class DeltaReader {
  private readonly source: ByteSource;
  private window: Uint8Array = new Uint8Array(0);
  /** Of the window's first byte, and the next one in it. */
  private start = 0;
  private at = 0;
  private checksum = 0;

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Bytes before the checksum. */
  private get remaining(): number {
    return this.source.bytes - CRC_BYTES - this.start - this.at;
  }

  async bytes(count: number): Promise<Uint8Array> {
    if (count > this.remaining) throw invalidDelta('it ends too early');
    const taken = await this.raw(count);
    this.checksum = crc32(taken, this.checksum);
    return taken;
  }

  async byte(): Promise<number> {
    return (await this.bytes(1))[0]!;
  }

  async varint(): Promise<number> {
    const bytes: number[] = [];
    do bytes.push(await this.byte());
    while (bytes.length < 8 && bytes.at(-1)! >= 0x80);
    return new ByteReader(Uint8Array.from(bytes)).varint();
  }

  async block(): Promise<Uint8Array> {
    return this.bytes(await this.varint());
  }

  /** The end: the checksum and nothing else. */
  async finish(): Promise<void> {
    if (this.remaining !== 0) throw invalidDelta(`${this.remaining} bytes are left over`);
    if (new ByteReader(await this.raw(CRC_BYTES)).u32() !== this.checksum) throw invalidDelta('its checksum is wrong');
  }

  private async raw(count: number): Promise<Uint8Array> {
    const here = this.window.length - this.at;
    if (count > here) {
      this.start += this.at;
      this.at = 0;
      const most = this.source.bytes - this.start;
      this.window = await this.source.read(this.start, Math.min(most, Math.max(count, WINDOW)));
      if (this.window.length < count) throw invalidDelta('it ends too early');
    }
    this.at += count;
    return this.window.subarray(this.at - count, this.at);
  }
}
