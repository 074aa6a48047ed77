import { type Picture, resizePlane } from './image.ts';

/** What the recogniser reads: [1, 3, 48, 320]. */
export const INPUT_SHAPE = [1, 3, 48, 320] as const;
const [, CHANNELS, HEIGHT, WIDTH] = INPUT_SHAPE;

/**
 * Picture to the input tensor of PP-OCR's recogniser, f32[3,48,320]: height 48 with the width in ratio (at most 320, bilinear), channels
 * in the order blue, green, red, x/127.5 - 1, and zeros to the right.
 */
export function preprocess(picture: Picture): Float32Array {
  const { width, height, rgb } = picture;
  const scaled = Math.max(1, Math.min(WIDTH, Math.ceil((width / height) * HEIGHT)));
  const out = new Float32Array(CHANNELS * HEIGHT * WIDTH);
  const plane = new Float32Array(width * height);
  for (let c = 0; c < CHANNELS; c++) {
    for (let i = 0; i < plane.length; i++) plane[i] = rgb[i * 3 + (2 - c)]!;
    const small = resizePlane(plane, picture, { width: scaled, height: HEIGHT });
    for (let y = 0; y < HEIGHT; y++) {
      const to = (c * HEIGHT + y) * WIDTH;
      for (let x = 0; x < scaled; x++) out[to + x] = small[y * scaled + x]! / 127.5 - 1;
    }
  }
  return out;
}
