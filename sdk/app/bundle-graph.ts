import { type Bundle, graphOf, weightTensorsOf } from '../bundle/index.ts';
import type { Graph, Packing, Value } from '../ir/graph.ts';
import { graphFromData } from '../ir/serialize.ts';
import { EigenError } from '../util/errors.ts';
import type { Tensor } from '../util/tensor.ts';
import { packWeight } from '../wire/layout.ts';
import type { WeightLayout } from '../wire/program.ts';

/** The graph that a bundle was compiled from, with its weights. Throws EW5003_ENGINE_UNAVAILABLE when the bundle has none. */
export function graphOfBundle(bundle: Bundle): Graph {
  const data = graphOf(bundle);
  if (data === undefined)
    throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'the bundle holds no graph, only kernels', {
      hint: 'Leave --engine reference out, or build the bundle again with this version.',
    });
  const weights = weightTensorsOf(bundle);
  const graph = graphFromData(data, (name) => weights.get(name));
  const layouts = new Map(bundle.manifest.program.weights.map((s) => [weights.get(s.name)!, s.layout]));
  const packed = (v: Value): Value => {
    const packing = v.data && packingOf(v.data, layouts.get(v.data));
    return packing ? { ...v, packing } : v;
  };
  return { ...graph, values: new Map([...graph.values].map(([name, v]) => [name, packed(v)])) };
}

/** What a constant's resident form tells of its data. */
function packingOf(data: Tensor, layout: WeightLayout | undefined): Packing | undefined {
  switch (layout?.kind) {
    case 'log8': {
      const exponents = packWeight(layout, data).subarray(4);
      return { kind: 'log8', base: layout.base, exponents: Array.from(exponents, (e) => (e << 24) >> 24) };
    }
    case 'f16':
      return { kind: 'f16' };
    case 'narrow':
      return { kind: 'ints' };
    default:
      return undefined;
  }
}
