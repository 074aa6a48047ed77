import type { Graph } from '../graph.ts';
import { verifyGraph } from '../verify.ts';
import { absorbTransposes } from './absorb-transposes.ts';
import { channelsLast } from './channels-last.ts';
import { decompose } from './decompose.ts';
import { foldAffine } from './fold-affine.ts';
import { foldForward } from './fold-forward.ts';
import { foldPadding } from './fold-padding.ts';
import { fuseLayerNorm } from './layer-norm.ts';
import { linearize } from './linearize.ts';
import { mergeConstants } from './merge-constants.ts';
import { simplify } from './simplify.ts';
import { sinkReshapes } from './sink-reshapes.ts';
import { sinkTransposes } from './sink-transposes.ts';

export {
  absorbTransposes,
  channelsLast,
  decompose,
  foldAffine,
  foldForward,
  foldPadding,
  fuseLayerNorm,
  linearize,
  mergeConstants,
  simplify,
  sinkReshapes,
  sinkTransposes,
};

/** The passes of `normalize`, in order. */
const PASSES: readonly ((graph: Graph) => Graph)[] = [
  simplify,
  linearize,
  foldAffine,
  fuseLayerNorm,
  foldPadding,
  channelsLast,
  sinkTransposes,
  simplify,
  sinkReshapes,
  simplify,
  mergeConstants,
  foldAffine,
  foldForward,
  foldForward,
  foldAffine,
  foldPadding,
  absorbTransposes,
  decompose,
  simplify,
];

/**
 * Brings an imported graph into the form that is compressed and compiled: batch normalization folded, products with weights as
 * Linear, images in NHWC, nothing left that has no kernel. Inputs and outputs keep their names and types. Throws EW3002 if a pass broke the graph.
 */
export function normalize(graph: Graph): Graph {
  const out = PASSES.reduce((g, pass) => pass(g), graph);
  verifyGraph(out);
  return out;
}
