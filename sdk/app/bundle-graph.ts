import { type Bundle, graphOf, weightTensorsOf } from '../bundle/index.ts';
import type { Graph } from '../ir/graph.ts';
import { graphFromData } from '../ir/serialize.ts';
import { EigenError } from '../util/errors.ts';

/** The graph that a bundle was compiled from, with its weights. Throws EW5003_ENGINE_UNAVAILABLE when the bundle has none. */
export function graphOfBundle(bundle: Bundle): Graph {
  const data = graphOf(bundle);
  if (data === undefined)
    throw new EigenError('EW5003_ENGINE_UNAVAILABLE', 'the bundle holds no graph, only kernels', {
      hint: 'Leave --engine reference out, or build the bundle again with this version.',
    });
  const weights = weightTensorsOf(bundle);
  return graphFromData(data, (name) => weights.get(name));
}
