import { type Planes, resizePlane } from './image.ts';
import type { Random } from './random.ts';

function mapPlanes(image: Planes, change: (plane: Float32Array) => Float32Array): Planes {
  return { ...image, channels: image.channels.map(change) };
}

/** Gaussian blur, separable, edges repeated; sigma in pixels. */
export function blur(image: Planes, sigma: number): Planes {
  const radius = Math.max(1, Math.ceil(2.5 * sigma));
  const bell = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = bell.reduce((a, b) => a + b, 0);
  const kernel = bell.map((v) => v / total);
  const { width, height } = image;
  return mapPlanes(image, (plane) => {
    const out = plane.slice();
    for (let y = 0; y < height; y++) blurLine(out, y * width, 1, width, kernel);
    for (let x = 0; x < width; x++) blurLine(out, x, width, height, kernel);
    return out;
  });
}

/** One row or column in place: `length` values from `at`, `step` apart. */
function blurLine(plane: Float32Array, at: number, step: number, length: number, kernel: Float64Array): void {
  const radius = kernel.length >> 1;
  const padded = new Float64Array(length + 2 * radius);
  for (let i = 0; i < padded.length; i++) {
    padded[i] = plane[at + Math.max(0, Math.min(length - 1, i - radius)) * step]!;
  }
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let k = 0; k < kernel.length; k++) sum += kernel[k]! * padded[i + k]!;
    plane[at + i * step] = sum;
  }
}

/** Loses detail: reduced to `share` of the size and enlarged again. */
export function loseResolution(image: Planes, share: number): Planes {
  const { width, height } = image;
  const small = { width: Math.max(8, Math.round(width * share)), height: Math.max(8, Math.round(height * share)) };
  return mapPlanes(image, (plane) => resizePlane(resizePlane(plane, image, small), small, image));
}

/** Sensor noise: most of it the same in the three channels, as brightness noise is, and a uniform part for each. */
export function addNoise(image: Planes, sigma: number, r: Random): Planes {
  const grey = new Float32Array(image.width * image.height);
  for (let i = 0; i < grey.length; i++) grey[i] = r.normal() * sigma;
  return mapPlanes(image, (plane) => {
    const out = new Float32Array(plane.length);
    for (let i = 0; i < out.length; i++) out[i] = plane[i]! + grey[i]! + sigma * (r.next() - 0.5);
    return out;
  });
}

const BLOCK = 8;

/** Orthonormal 8-point cosine transform: COSINE[k][n]. */
const COSINE = Array.from({ length: BLOCK }, (_, k) =>
  Float64Array.from(
    { length: BLOCK },
    (_, n) => Math.sqrt((k === 0 ? 1 : 2) / BLOCK) * Math.cos(((2 * n + 1) * k * Math.PI) / (2 * BLOCK)),
  ),
);

const COSINE_INVERSE = COSINE.map((_, n) => Float64Array.from(COSINE, (row) => row[n]!));

/** The artefacts of JPEG: 8x8 cosine blocks, rounded in steps that grow with the frequency. */
export function jpegArtefacts(image: Planes, step: number): Planes {
  const { width, height } = image;
  return mapPlanes(image, (plane) => {
    const out = new Float32Array(plane.length);
    const block = new Float64Array(BLOCK * BLOCK);
    for (let y = 0; y < height; y += BLOCK) {
      for (let x = 0; x < width; x += BLOCK) {
        for (let i = 0; i < BLOCK * BLOCK; i++) {
          const row = Math.min(height - 1, y + (i >> 3));
          block[i] = plane[row * width + Math.min(width - 1, x + (i & 7))]! - 128;
        }
        roundBlock(block, step);
        for (let i = 0; i < BLOCK * BLOCK; i++) {
          const row = y + (i >> 3);
          const column = x + (i & 7);
          if (row < height && column < width) out[row * width + column] = block[i]! + 128;
        }
      }
    }
    return out;
  });
}

function roundBlock(block: Float64Array, step: number): void {
  transform(block, COSINE);
  for (let i = 0; i < block.length; i++) {
    const q = step * (1 + 0.5 * ((i >> 3) + (i & 7)));
    block[i] = Math.round(block[i]! / q) * q;
  }
  transform(block, COSINE_INVERSE);
}

/** block <- M block M^T. */
function transform(block: Float64Array, m: readonly Float64Array[]): void {
  const half = new Float64Array(block.length);
  for (let i = 0; i < BLOCK; i++)
    for (let j = 0; j < BLOCK; j++) {
      let sum = 0;
      for (let k = 0; k < BLOCK; k++) sum += m[i]![k]! * block[k * BLOCK + j]!;
      half[i * BLOCK + j] = sum;
    }
  for (let i = 0; i < BLOCK; i++)
    for (let j = 0; j < BLOCK; j++) {
      let sum = 0;
      for (let k = 0; k < BLOCK; k++) sum += half[i * BLOCK + k]! * m[j]![k]!;
      block[i * BLOCK + j] = sum;
    }
}
