import type { Graph } from '../../ir/graph.ts';
import { EigenError } from '../../util/errors.ts';
import type { Bindings } from '../onnx/inputs.ts';
import { readGraphModel } from './graph/index.ts';
import { invalidJson, isObject, type Json, type JsonObject } from './json.ts';
import { readLayersModel } from './layers/index.ts';
import { readWeights, type ShardReader, shardPaths } from './weights.ts';

export interface TfjsOptions extends Bindings {
  /** Name of the graph. */
  readonly name: string;
  /** Reads the files of weights by their paths in the manifest. */
  readonly shards: ShardReader;
}

/**
 * Reads a model of TensorFlow.js, a graph model or a layers model, into a graph with static shapes. Throws EW3001 (unreadable, a file of
 * weights has another size), EW3002 (ill-formed), EW3003 (a dimension has no size), EW3004 (NaN or infinite weights),
 * EW3102 (unsupported operators or layers, all of them listed) and EW3103 (one used in a way that is not supported).
 */
export function readTfjs(bytes: Uint8Array, { name, shards, ...bindings }: TfjsOptions): Graph {
  const model = parse(bytes);
  const topology = model.modelTopology;
  if (!isObject(topology))
    throw invalidJson('it has weights, but no modelTopology: the network itself is code that is not in the file');
  try {
    const weights = readWeights(model.weightsManifest, shards);
    if (topology.node === undefined) return readLayersModel(topology, weights, name, bindings);
    const { signature } = isObject(model.userDefinedMetadata) ? { ...model.userDefinedMetadata, ...model } : model;
    return readGraphModel({ graphDef: topology, signature, weights }, name, bindings);
  } catch (e) {
    // Shapes that no memory can hold surface as RangeErrors of typed arrays.
    if (e instanceof RangeError) throw invalidJson(`the model's shapes are not possible: ${e.message}`);
    throw e;
  }
}

/** Paths of the files that hold the weights, as the manifest gives them. Throws EW3001 and EW3002 as readTfjs does. */
export function tfjsShards(bytes: Uint8Array): string[] {
  return shardPaths(parse(bytes).weightsManifest);
}

function parse(bytes: Uint8Array): JsonObject {
  let reason = 'it is no object';
  try {
    const model: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isObject(model as Json)) return model as JsonObject;
  } catch (e) {
    reason = e instanceof Error ? e.message : String(e);
  }
  throw new EigenError('EW3001_MODEL_UNREADABLE', `not a readable model.json: ${reason}`, {
    hint: 'The file is cut or damaged: save or copy the model again.',
  });
}
