import { writeFile } from 'node:fs/promises';
import { buildFloat } from '../../sdk/index.ts';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';

/** Rows and columns of every matrix: 1 MiB of floats. */
const SIDE = 512;

/** A bundle of so many layers of 1 MiB in files PATH.onnx and PATH.ewb, every weight of which has `moved` by a little. */
export async function writeLayers(path: string, target: string, layers: number, moved: boolean): Promise<string> {
  const [rng, steps] = [new Rng(1), new Rng(2)];
  const initializers: Record<string, Tensor> = {};
  const nodes = Array.from({ length: layers }, (_, i) => {
    const weights = Float32Array.from({ length: SIDE * SIDE }, () => rng.normal() / 16);
    initializers[`w${i}`] = tensor('f32', [SIDE, SIDE], moved ? weights.map((w) => w + steps.normal() / 1e4) : weights);
    return {
      op: 'MatMul',
      inputs: [i === 0 ? 'x' : `h${i}`, `w${i}`],
      outputs: [i === layers - 1 ? 'y' : `h${i + 1}`],
    };
  });
  const onnx = onnxModel({
    inputs: [{ name: 'x', shape: [1, SIDE] }],
    outputs: [{ name: 'y', shape: [1, SIDE] }],
    initializers,
    nodes,
  });
  await writeFile(`${path}.onnx`, onnx);
  await buildFloat({ path: `${path}.onnx` }, { target, out: `${path}.ewb` });
  return `${path}.ewb`;
}
