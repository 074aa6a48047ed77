import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFloat } from '../../sdk/index.ts';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { swapBundles } from './swap-process.ts';
import type { SwapFigures } from './swaps.ts';

export const BOARD = 'raspberry-pi-5';
/** Rows and columns of a matrix of floats: 1 MiB. */
export const SIDE = 512;

/** A bundle of y = x w with 1 MiB of weights. */
export async function megabyteBundle(seed: number): Promise<Uint8Array> {
  const rng = new Rng(seed);
  const weights = Float32Array.from({ length: SIDE * SIDE }, () => rng.normal() / 16);
  const onnx = onnxModel({
    inputs: [{ name: 'x', shape: [1, SIDE] }],
    outputs: [{ name: 'y', shape: [1, SIDE] }],
    initializers: { w: tensor('f32', [SIDE, SIDE], weights) },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
  });
  const folder = await mkdtemp(join(tmpdir(), 'ew-megabyte-'));
  try {
    const [path, out] = [join(folder, 'model.onnx'), join(folder, 'model.ewb')];
    await writeFile(path, onnx);
    await buildFloat({ path }, { target: BOARD, out });
    return new Uint8Array(await readFile(out));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Two of them that change under load. */
export async function swapMegabytes(count: number): Promise<SwapFigures> {
  return swapBundles([await megabyteBundle(1), await megabyteBundle(2)], count);
}
