import { constantOf, type Graph, producersOf } from '../ir/graph.ts';
import { roundEven } from '../ir/math.ts';
import { type Tensor, tensor } from '../util/tensor.ts';
import type { StaticActivation } from './activations.ts';
import { evaluate, type HeldOut, meanDivergence } from './evaluate.ts';
import type { Session } from './runner.ts';
import { moves } from './storage.ts';

/** The input that a value holds the numbers of, moved about; undefined for what is computed. */
export function inputBehind(graph: Graph, value: string): string | undefined {
  const producers = producersOf(graph);
  for (let v = value; ; ) {
    if (graph.inputs.includes(v)) return v;
    const node = producers.get(v);
    if (!node || !moves(graph, node) || node.inputs.filter((i) => i !== '' && !constantOf(graph, i)).length !== 1)
      return undefined;
    v = node.inputs[0]!;
  }
}

/**
 * Divergence of 8-bit codes for an input, the network in `float` else exact, on the first held-out samples. Inputs are measured because they are not
 * as others: pictures have steps of their own, which codes may hit or miss, and of quiet sounds little is left.
 */
export async function inputDivergence(
  float: Session,
  held: HeldOut,
  input: string,
  plan: StaticActivation,
  most: number,
): Promise<number> {
  const samples = held.samples.slice(0, most).map((s) => ({ ...s, [input]: rounded(s[input]!, plan) }));
  return meanDivergence((await evaluate(float, { ...held, samples })).scores);
}

/** Values as their codes hold them, one scale for all. */
function rounded({ shape, data }: Tensor, plan: StaticActivation): Tensor {
  const [inv, zp] = [plan.inv[0]!, plan.zp[0]!];
  const codeOf = (v: number): number => Math.max(-128, Math.min(127, roundEven(Math.fround(v * inv)) + zp));
  return tensor(
    'f32',
    shape,
    Float32Array.from(data as Float32Array, (v) => (codeOf(v) - zp) / inv),
  );
}
