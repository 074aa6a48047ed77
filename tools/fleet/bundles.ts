import { packBundle } from '../../sdk/bundle/index.ts';
import { compileGraph } from '../../sdk/compile/index.ts';
import { contentsOf, provedOn } from '../../sdk/contents.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { readOnnx } from '../../sdk/model/onnx/index.ts';
import { openProfile } from '../../sdk/pipeline.ts';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { TARGETS } from '../../targets/index.ts';

export const BOARD = 'raspberry-pi-5';

export interface BenchBundles {
  readonly old: Uint8Array;
  readonly now: Uint8Array;
}

/** Two states of a network of two layers, of which the last was trained further. */
export async function benchBundles(): Promise<BenchBundles> {
  return { old: await bundleOf(2), now: await bundleOf(3) };
}

async function bundleOf(seedOfLast: number): Promise<Uint8Array> {
  const weights = (seed: number, shape: readonly [number, number]) => {
    const rng = new Rng(seed);
    return tensor(
      'f32',
      [...shape],
      Array.from({ length: shape[0] * shape[1] }, () => rng.uniform() - 0.5),
    );
  };
  const onnx = onnxModel({
    inputs: [{ name: 'x', shape: [1, 64] }],
    outputs: [{ name: 'y', shape: [1, 16] }],
    initializers: { first: weights(1, [64, 128]), last: weights(seedOfLast, [128, 16]) },
    nodes: [
      { op: 'MatMul', inputs: ['x', 'first'], outputs: ['a'] },
      { op: 'Relu', inputs: ['a'], outputs: ['b'] },
      { op: 'MatMul', inputs: ['b', 'last'], outputs: ['y'] },
    ],
  });
  const graph = normalize(readOnnx(onnx));
  const program = await compileGraph(graph, TARGETS[0]!, { variants: ['simd128'] });
  const origin = {
    model: { name: 'bench.onnx', sha256: 'a'.repeat(64) },
    profile: openProfile(BOARD),
    bindings: {},
    seed: 1,
  };
  return packBundle({ ...contentsOf(origin, graph, program, undefined), golden: await provedOn(program, undefined) });
}
