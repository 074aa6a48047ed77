import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBundle } from '../../../sdk/bundle/index.ts';
import { openWasm } from '../../../sdk/device/engine/open.ts';
import { buildFloat } from '../../../sdk/index.ts';
import { onnxModel } from '../../../sdk/testing/onnx-builder.ts';
import { sha256, sha256OfTensor } from '../../../sdk/util/hash.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { SIDE } from './side.ts';

/** Whose kernels an emulated Cortex-A72 runs. */
export const BOARD = 'raspberry-pi-4b';

export interface BoardModel {
  /** The bundle. */
  readonly path: string;
  readonly sha256: string;
  /** Hash of what it answers to ones. */
  readonly output: string;
}

/** Models y = x w, each a little further than the one before. */
export class BoardModels {
  private readonly folder: string;
  private readonly rng: Rng;
  private readonly weights: Float32Array;
  private made = 0;

  constructor(folder: string, seed: number) {
    this.folder = folder;
    this.rng = new Rng(seed);
    this.weights = Float32Array.from({ length: SIDE * SIDE }, () => this.rng.normal() / 16);
  }

  async next(): Promise<BoardModel> {
    const { folder, weights, rng } = this;
    for (let i = 0; i < weights.length; i++) weights[i]! += 1e-4 * rng.normal();
    const name = join(folder, `model-${++this.made}`);
    const onnx = onnxModel({
      inputs: [{ name: 'x', shape: [1, SIDE] }],
      outputs: [{ name: 'y', shape: [1, SIDE] }],
      initializers: { w: tensor('f32', [SIDE, SIDE], weights) },
      nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    });
    await writeFile(`${name}.onnx`, onnx);
    await buildFloat({ path: `${name}.onnx` }, { target: BOARD, out: `${name}.ewb` });
    const bytes = new Uint8Array(await readFile(`${name}.ewb`));
    const engine = await openWasm(openBundle(bytes));
    const { y } = engine.run({ x: tensor('f32', [1, SIDE], new Float32Array(SIDE).fill(1)) });
    const output = sha256OfTensor(y!);
    engine.close();
    return { path: `${name}.ewb`, sha256: sha256(bytes), output };
  }
}
