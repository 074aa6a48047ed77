import type { CalibrationData, CompressOptions } from '../compress/index.ts';
import { syntheticSamples } from '../data/synthetic.ts';
import { consumersOf, type Graph, valueNamed } from '../ir/graph.ts';

/** Range of a network's float inputs, when there are no samples of them. */
export interface InputRange {
  readonly low: number;
  readonly high: number;
}

/** Made-up samples: statistics hardly change with more. */
const SAMPLES = 48;

/**
 * Stages as they hold without real data. Fits to inputs that will never come do harm (a least-squares refit on noise kept 76 % of a
 * keyword spotter's answers, these settings 97 %), so weights are rounded with strong damping and are not refitted; nothing is known of the
 * ranges of activations, so all have 16 bits and room for four times what the noise reached.
 */
export const DATA_FREE: Partial<CompressOptions> = {
  refit: false,
  biasCorrection: false,
  dampings: [10],
  lowRank: false,
  wideActivations: 'all',
  rangeMargin: 4,
};

/** Samples for a graph whose data is not at hand: noise over the range, tokens of the table that reads them. */
export function madeUpData(graph: Graph, range: InputRange, seed: number): CalibrationData {
  const consumers = consumersOf(graph);
  const inputs = graph.inputs.map((name) => {
    const { type } = valueNamed(graph, name);
    if (type.dtype === 'f32') return { name, ...type, ...range };
    const reader = consumers.get(name)?.find((n) => n.op === 'Gather' && n.inputs[1] === name);
    const tokens = reader ? valueNamed(graph, reader.inputs[0]!).type.shape[0]! : 2;
    return { name, ...type, low: 0, high: tokens };
  });
  return { samples: syntheticSamples(inputs, SAMPLES, seed) };
}
