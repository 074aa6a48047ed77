import { inflateSync } from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** One byte a pixel and channel, RGB. */
  readonly rgb: Uint8Array;
}

/** Channels by colour type: grey and RGB, the two that 8-bit pictures of text come in. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3 };

/** Decodes a PNG of 8 bits, grey or RGB, not interlaced (RFC 2083). Throws on any other. */
export function decodePng(file: Uint8Array): Picture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const parts: Uint8Array[] = [];
  let header: Uint8Array | undefined;
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const body = file.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') header = body;
    if (kind === 'IDAT') parts.push(body);
    at += 12 + length;
  }
  if (!header) throw new Error('not a PNG: no IHDR');
  const sizes = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [sizes.getUint32(0), sizes.getUint32(4)];
  const channels = CHANNELS[header[9]!];
  if (header[8] !== 8 || channels === undefined || header[12] !== 0)
    throw new Error(`PNG of ${header[8]} bits, colour type ${header[9]}, interlace ${header[12]}: not supported`);
  const pixels = unfilter(inflateSync(Buffer.concat(parts)), width * channels, height, channels);
  if (channels === 3) return { width, height, rgb: pixels };
  return { width, height, rgb: Uint8Array.from({ length: 3 * pixels.length }, (_, i) => pixels[Math.floor(i / 3)]!) };
}

function unfilter(raw: Uint8Array, stride: number, height: number, channels: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    const row = y * stride;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? out[row + x - channels]! : 0;
      const up = y > 0 ? out[row - stride + x]! : 0;
      const corner = y > 0 && x >= channels ? out[row - stride + x - channels]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      out[row + x] = raw[y * (stride + 1) + 1 + x]! + guess;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}
