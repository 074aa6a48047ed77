import { Builder } from './built.ts';

/** A network of three equal layers whose size is chosen; the one in the middle has codes as its image and as its result, as most layers of a network have. */
export interface Layer {
  readonly id: string;
  readonly family: string;
  /** Bytes of an ONNX file. */
  build(): Uint8Array;
}

interface Family {
  readonly name: string;
  /** What a layer has about this many multiply-accumulates with. */
  sizeOf(macs: number): number;
  build(size: number): Uint8Array;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'convolution 3x3, 64 channels, growing picture',
    sizeOf: (macs) => Math.sqrt(macs / (64 * 64 * 9)),
    build: (side) => convolution(side, 64, 3),
  },
  {
    name: 'convolution 1x1, 128 channels, growing picture',
    sizeOf: (macs) => Math.sqrt(macs / (128 * 128)),
    build: (side) => convolution(side, 128, 1),
  },
  {
    name: 'convolution 1x1 on 14x14, growing channels',
    sizeOf: (macs) => Math.sqrt(macs / (14 * 14)),
    build: (channels) => convolution(14, channels, 1),
  },
  {
    name: 'product with 64 rows, growing matrix',
    sizeOf: (macs) => Math.sqrt(macs / 64),
    build: (width) => {
      const b = new Builder();
      thrice(b, (x) => b.linear(x, width, width));
      return b.model([64, width]);
    },
  },
];

/** Multiply-accumulates: 1 to 100 million, in equal ratios. */
const SIZES = [1e6, 2.15e6, 4.64e6, 10e6, 21.5e6, 46.4e6, 100e6];

/** Layers of the common kinds from 1 to 100 million multiply-accumulates; sizes are whatever comes out, no multiples of a tile. */
export function layersOfSizes(): Layer[] {
  return FAMILIES.flatMap(({ name, sizeOf, build }, f) =>
    SIZES.map((macs, i) => ({ id: `layers-${f}-${i}`, family: name, build: () => build(Math.round(sizeOf(macs))) })),
  );
}

function convolution(side: number, channels: number, kernel: number): Uint8Array {
  const b = new Builder();
  thrice(b, (x) => b.conv(x, channels, channels, { kernel }));
  return b.model([1, channels, side, side]);
}

function thrice(b: Builder, layer: (x: string) => string): void {
  layer(b.node('Relu', [layer(b.node('Relu', [layer('x')]))]));
}
