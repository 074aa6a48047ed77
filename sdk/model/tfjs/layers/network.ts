import { invalidJson, isObject, type Json, type JsonObject, listAt, objectAt, shown, textAt } from '../json.ts';

/** An output of one application of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly index: number;
}

/** What kind of layer, and how it is configured. */
export interface LayerSpec {
  readonly kind: string;
  readonly name: string;
  readonly config: JsonObject;
  /** Of a layer that is a network itself. */
  readonly network?: Network;
}

export interface PlacedLayer extends LayerSpec {
  /** What the layer is applied to, once for every application. */
  readonly calls: readonly (readonly TensorRef[])[];
}

/** Layers and how they are connected; a Sequential network is a chain. */
export interface Network {
  readonly name: string;
  readonly layers: ReadonlyMap<string, PlacedLayer>;
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

const FUNCTIONAL: readonly string[] = ['Model', 'Functional', 'Network', 'Container'];
const MAX_DEPTH = 20;

/** A layer as it is saved: `{ class_name, config }`, in networks with a name and connections as well. */
export function readLayer(json: Json | undefined, depth = 0): LayerSpec {
  const layer = objectAt(json, 'a layer');
  const kind = textAt(layer.class_name, "a layer's class_name");
  // A Sequential of old is the list of its layers.
  const list = Array.isArray(layer.config) ? { layers: layer.config as readonly Json[] } : layer.config;
  const config = objectAt(list, `the config of a ${kind}`);
  const named = config.name ?? layer.name ?? kind.toLowerCase();
  const name = textAt(named, `the name of a ${kind}`);
  if (depth > MAX_DEPTH) throw invalidJson(`layers are nested more than ${MAX_DEPTH} deep`);
  if (kind === 'Sequential') return { kind, name, config, network: readSequential(name, config, depth + 1) };
  if (FUNCTIONAL.includes(kind)) return { kind, name, config, network: readFunctional(name, config, depth + 1) };
  return { kind, name, config };
}

function readSequential(name: string, config: JsonObject, depth: number): Network {
  const chain = listAt(config.layers, `the layers of '${name}'`).map((l) => readLayer(l, depth));
  const first = chain[0];
  if (!first) throw invalidJson(`the network '${name}' has no layers`);
  if (first.kind !== 'InputLayer') chain.unshift(inputFor(first));
  const layers = new Map<string, PlacedLayer>();
  let last: TensorRef | undefined;
  for (const layer of chain) {
    addLayer(layers, { ...layer, calls: last ? [[last]] : [] }, name);
    last = { layer: layer.name, call: 0, index: 0 };
  }
  return { name, layers, inputs: [{ layer: chain[0]!.name, call: 0, index: 0 }], outputs: [last!] };
}

/** The input that a first layer has by its config; a network's is that of its own first layer. */
function inputFor(first: LayerSpec): LayerSpec {
  const of = first.network ? first.network.layers.get(first.network.inputs[0]?.layer ?? '')?.config : first.config;
  const { batch_input_shape = null, batch_shape = null, dtype = null } = of ?? {};
  return {
    kind: 'InputLayer',
    name: `${first.name}_input`,
    config: { name: `${first.name}_input`, batch_input_shape: batch_input_shape ?? batch_shape, dtype },
  };
}

function addLayer(layers: Map<string, PlacedLayer>, layer: PlacedLayer, network: string): void {
  if (layers.has(layer.name)) throw invalidJson(`two layers of '${network}' are named '${layer.name}'`);
  layers.set(layer.name, layer);
}

function readFunctional(name: string, config: JsonObject, depth: number): Network {
  const layers = new Map<string, PlacedLayer>();
  for (const json of listAt(config.layers, `the layers of '${name}'`)) {
    const layer = readLayer(json, depth);
    const calls = listAt(objectAt(json, 'a layer').inbound_nodes ?? [], `the inbound_nodes of '${layer.name}'`);
    addLayer(layers, { ...layer, calls: calls.map((c) => refsIn(c)) }, name);
  }
  const ends = (key: 'input_layers' | 'output_layers'): TensorRef[] => {
    const refs = refsIn(config[key] ?? []);
    for (const { layer } of refs)
      if (!layers.has(layer)) throw invalidJson(`'${name}' names '${layer}' in ${key}, which is none of its layers`);
    if (refs.length === 0) throw invalidJson(`the network '${name}' has no ${key}`);
    return refs;
  };
  return renumbered({ name, layers, inputs: ends('input_layers'), outputs: ends('output_layers') });
}

/**
 * References by the number of the application. Some networks count their own making as the first one, others do not (a Sequential that
 * learned its sizes late, all of Keras 3): those that do are never referred to by 0, or by one more than they are applied.
 */
function renumbered({ name, layers, inputs, outputs }: Network): Network {
  const refs = [...outputs, ...[...layers.values()].flatMap((l) => l.calls.flat())];
  const numbers = new Map<string, Set<number>>();
  for (const { layer, call } of refs) numbers.set(layer, (numbers.get(layer) ?? new Set()).add(call));
  const actual = (ref: TensorRef): TensorRef => {
    const layer = layers.get(ref.layer);
    const used = numbers.get(ref.layer)!;
    const countsItself = layer?.network !== undefined && (!used.has(0) || used.has(layer.calls.length));
    return countsItself && ref.call > 0 ? { ...ref, call: ref.call - 1 } : ref;
  };
  const placed = [...layers].map(([key, l]) => [key, { ...l, calls: l.calls.map((c) => c.map(actual)) }] as const);
  return { name, layers: new Map(placed), inputs, outputs: outputs.map(actual) };
}

/**
 * References in the order in which they are written: `["conv", 0, 0, {}]` nested in lists, with further tensors among the named
 * arguments, or those that Keras 3 writes as `{ "keras_history": ["conv", 0, 0] }`.
 */
function refsIn(json: Json | undefined, depth = 0): TensorRef[] {
  if (depth > MAX_DEPTH) throw invalidJson('connections of layers are nested too deep');
  if (isObject(json)) {
    const history = json.keras_history ?? (isObject(json.config) ? json.config.keras_history : undefined);
    if (history !== undefined) return refsIn(history, depth + 1);
    // Masks are no inputs: what makes them is refused by itself.
    return Object.entries(json).flatMap(([key, v]) => (key === 'mask' ? [] : refsIn(v, depth + 1)));
  }
  if (!Array.isArray(json)) return [];
  const [layer, call, index, ...named] = json as readonly Json[];
  if (typeof layer !== 'string' || typeof call !== 'number') return json.flatMap((v) => refsIn(v, depth + 1));
  if (!Number.isSafeInteger(call) || !Number.isSafeInteger(index)) throw invalidJson(`a connection is ${shown(json)}`);
  return [{ layer, call, index: index as number }, ...named.flatMap((v) => refsIn(v, depth + 1))];
}
