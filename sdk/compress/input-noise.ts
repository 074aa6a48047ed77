import { constantOf, type Graph, producersOf } from '../ir/graph.ts';
import { roundEven } from '../ir/math.ts';
import type { StaticActivation } from './activations.ts';
import type { Context } from './context.ts';
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

/** Samples of an input that its rounding is measured on. */
const INPUT_SAMPLES = 16;

/** Mean squared error of an input's codes on samples of it: pictures have steps of their own, which codes may hit or miss. */
export function inputNoise({ fit }: Context, input: string, plan: StaticActivation): number {
  const [inv, zp] = [plan.inv[0]!, plan.zp[0]!];
  let square = 0;
  let count = 0;
  for (const sample of fit.slice(0, INPUT_SAMPLES)) {
    for (const v of sample[input]!.data as Float32Array) {
      const code = Math.max(-128, Math.min(127, roundEven(Math.fround(v * inv)) + zp));
      square += ((code - zp) / inv - v) ** 2;
      count++;
    }
  }
  return square / count;
}
