import { packBundle } from '../../sdk/bundle/index.ts';
import { compileGraph } from '../../sdk/compile/index.ts';
import { contentsOf, provedOn } from '../../sdk/contents.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { readOnnx } from '../../sdk/model/onnx/index.ts';
import { openProfile } from '../../sdk/pipeline.ts';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { TARGETS } from '../../targets/index.ts';

/** A bundle of y = relu(x * factor); with `claimed`, the golden outputs of another factor. */
export async function bundleOf(factor: number, claimed = factor): Promise<Uint8Array> {
  const compiled = await Promise.all([factor, claimed].map(compile));
  const [own, other] = compiled as [Compiled, Compiled];
  const origin = {
    model: { name: 'scale.onnx', sha256: 'a'.repeat(64) },
    profile: openProfile('raspberry-pi-5'),
    bindings: {},
    seed: 1,
  };
  const golden = await provedOn(other.program, undefined);
  return packBundle({ ...contentsOf(origin, own.graph, own.program, undefined), golden });
}

type Compiled = Awaited<ReturnType<typeof compile>>;

async function compile(factor: number) {
  const onnx = onnxModel({
    inputs: [{ name: 'x', shape: [1, 4] }],
    outputs: [{ name: 'y', shape: [1, 4] }],
    initializers: { factor: tensor('f32', [4], [factor, factor, factor, factor]) },
    nodes: [
      { op: 'Mul', inputs: ['x', 'factor'], outputs: ['z'] },
      { op: 'Relu', inputs: ['z'], outputs: ['y'] },
    ],
  });
  const graph = normalize(readOnnx(onnx));
  return { graph, program: await compileGraph(graph, TARGETS[0]!, { variants: ['simd128'], quick: true }) };
}
