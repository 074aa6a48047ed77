import { damaged } from './bits.ts';

/**
 * Binary arithmetic coding with adaptive models: nothing but the coded bits travels, so it suits data that are too few or too uneven
 * for tables. A carryless coder of 32 bits; probabilities of 16 bits are the mean of a fast and a slow estimate, which start as
 * frequencies. Integer arithmetic throughout, so that it is the same everywhere.
 */
const FAST = 5;
const SLOW = 8;
const EVEN = 32768;
const ONE = 65535;

/** Rate of an estimate, as a shift, by the number of bits that it has seen: about 1 / (n + 1.5). */
const SHIFTS = Uint8Array.from({ length: 250 }, (_, n) => Math.round(Math.log2(n + 1.5)));

/** Estimates of the probability that a bit is 1. */
export class BitModels {
  private readonly fast: Uint16Array;
  private readonly slow: Uint16Array;
  private readonly seen: Uint8Array;

  constructor(count: number) {
    this.fast = new Uint16Array(count).fill(EVEN);
    this.slow = new Uint16Array(count).fill(EVEN);
    this.seen = new Uint8Array(count);
  }

  /** 1 .. 65535: no estimate gets nearer to its end than its rate. */
  probability(model: number): number {
    return (this.fast[model]! + this.slow[model]!) >>> 1;
  }

  update(model: number, bit: number): void {
    const seen = this.seen[model]!;
    const shift = SHIFTS[seen]!;
    if (seen < SHIFTS.length - 1) this.seen[model] = seen + 1;
    const target = bit ? ONE : 0;
    this.fast[model] = moved(this.fast[model]!, target, Math.min(FAST, shift));
    this.slow[model] = moved(this.slow[model]!, target, Math.min(SLOW, shift));
  }
}

function moved(estimate: number, target: number, shift: number): number {
  return target > estimate ? estimate + ((target - estimate) >> shift) : estimate - ((estimate - target) >> shift);
}

/** One side of the coder. Both have the same calls, so that one description of a format reads and writes it. */
export interface BitCoder {
  /** Codes a bit and gives it; a decoder does not look at the one it is given. */
  bit(model: number, value: number): number;
  /** The same for a bit of which nothing is known. */
  even(value: number): number;
}

export class BitEncoder implements BitCoder {
  private readonly models: BitModels;
  private low = 0;
  private high = 0xffffffff;
  private out = new Uint8Array(1024);
  private length = 0;

  constructor(models: number) {
    this.models = new BitModels(models);
  }

  bit(model: number, value: number): number {
    this.code(this.models.probability(model), value);
    this.models.update(model, value);
    return value;
  }

  even(value: number): number {
    this.code(EVEN, value);
    return value;
  }

  finish(): Uint8Array {
    for (let shift = 24; shift >= 0; shift -= 8) this.put((this.low >>> shift) & 0xff);
    return this.out.slice(0, this.length);
  }

  private code(probability: number, value: number): void {
    const middle = this.low + Math.floor(((this.high - this.low) * probability) / 65536);
    if (value) this.high = middle;
    else this.low = middle + 1;
    while (((this.low ^ this.high) & 0xff000000) === 0) {
      this.put(this.high >>> 24);
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 0xff) >>> 0;
    }
  }

  private put(byte: number): void {
    if (this.length === this.out.length) {
      const bigger = new Uint8Array(2 * this.length);
      bigger.set(this.out);
      this.out = bigger;
    }
    this.out[this.length++] = byte;
  }
}

/** Reads what a BitEncoder wrote. @throws EigenError EW6002_BUNDLE_TAMPERED when it goes on past the end. */
export class BitDecoder implements BitCoder {
  private readonly models: BitModels;
  private readonly bytes: Uint8Array;
  private at = 0;
  private low = 0;
  private high = 0xffffffff;
  private value = 0;

  constructor(bytes: Uint8Array, models: number) {
    this.models = new BitModels(models);
    this.bytes = bytes;
    for (let i = 0; i < 4; i++) this.take();
  }

  bit(model: number): number {
    const bit = this.decode(this.models.probability(model));
    this.models.update(model, bit);
    return bit;
  }

  even(): number {
    return this.decode(EVEN);
  }

  /** After the last bit: the bytes are those that the encoder wrote, to the last one. */
  finish(): void {
    if (this.at !== this.bytes.length || this.value !== this.low)
      throw damaged('coded bits do not end where they should');
  }

  private decode(probability: number): number {
    const middle = this.low + Math.floor(((this.high - this.low) * probability) / 65536);
    const bit = this.value <= middle ? 1 : 0;
    if (bit) this.high = middle;
    else this.low = middle + 1;
    while (((this.low ^ this.high) & 0xff000000) === 0) {
      this.low = (this.low << 8) >>> 0;
      this.high = ((this.high << 8) | 0xff) >>> 0;
      this.take();
    }
    return bit;
  }

  private take(): void {
    if (this.at >= this.bytes.length) throw damaged('coded bits end too early');
    this.value = ((this.value << 8) | this.bytes[this.at++]!) >>> 0;
  }
}
