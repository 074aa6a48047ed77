import type { Graph } from '../../../ir/graph.ts';
import type { Tensor } from '../../../util/tensor.ts';
import type { Bindings } from '../../onnx/inputs.ts';
import type { OnnxValueSpec } from '../../onnx/write.ts';
import { Emitter } from '../emitter.ts';
import { entryOf, invalidJson, isObject, type JsonObject, listAt, shown } from '../json.ts';
import { refuseUnsupported, type Unsupported } from '../unsupported.ts';
import { LAYERS } from './kinds/index.ts';
import { LayerCall } from './layer.ts';
import { type LayerSpec, type Network, type PlacedLayer, readLayer, type TensorRef } from './network.ts';
import { LayerWeights } from './weights.ts';

const DTYPES: Readonly<Record<string, 'f32' | 'i32' | 'bool'>> = { float32: 'f32', int32: 'i32', bool: 'bool' };

/** A layers model, as Keras describes it, as a Graph. Throws what reading ONNX models does. */
export function readLayersModel(
  topology: JsonObject,
  weights: ReadonlyMap<string, Tensor>,
  name: string,
  bindings: Bindings,
): Graph {
  const top = readLayer(isObject(topology.model_config) ? topology.model_config : topology);
  if (!top.network) throw invalidJson(`it is a ${top.kind}, not a network of layers`);
  refuseUnsupported('layer', unsupportedIn(top.network));
  const { network } = top;
  const names = outputNames(network);
  const e = new Emitter(name);
  e.begin(
    network.inputs.map((ref) => inputOf(network.layers.get(ref.layer)!)),
    names,
    bindings,
  );
  const inputs = network.inputs.map((ref) => ref.layer);
  const values = new Layers(e).run(network, inputs, new LayerWeights(weights, e));
  return e.finish(names.map((n, i) => [n, values[i]!]));
}

/** A name of a layer, with a number where the layer has more than one of the outputs. */
function outputNames({ outputs }: Network): string[] {
  return outputs.map(({ layer }, i) => {
    const all = outputs.flatMap((o, k) => (o.layer === layer ? [k] : []));
    return all.length === 1 ? layer : `${layer}_${all.indexOf(i)}`;
  });
}

function inputOf({ name, config }: PlacedLayer): OnnxValueSpec {
  const shape = config.batch_input_shape ?? config.batch_shape ?? null;
  if (shape === null) throw invalidJson(`the layer '${name}' that the network begins with has no batch_input_shape`);
  const type = isObject(config.dtype) ? 'float32' : (config.dtype ?? 'float32');
  const dtype = typeof type === 'string' ? entryOf(DTYPES, type) : undefined;
  if (!dtype) throw invalidJson(`input '${name}' is of type ${shown(type)}; float32, int32 and bool are read`);
  const sizes = listAt(shape, `the shape of '${name}'`).map((d) => {
    if (d === null || d === -1) return '';
    return Number.isSafeInteger(d) && (d as number) > 0 ? (d as number) : invalidSize(name, shown(d));
  });
  return { name, dtype, shape: sizes };
}

function invalidSize(name: string, size: string): never {
  throw invalidJson(`input '${name}' has the size ${size}`);
}

/** Layers without a translation, those inside others included. */
function unsupportedIn(network: Network): Unsupported[] {
  const visitAll = ({ layers }: Network, depth: number): Unsupported[] =>
    [...layers.values()].flatMap((l) => visit(l, depth + 1));
  const visit = (layer: LayerSpec, depth: number): Unsupported[] => {
    if (layer.network) return visitAll(layer.network, depth);
    if (layer.kind !== 'InputLayer' && !LAYERS.has(layer.kind)) return [{ kind: layer.kind, name: layer.name }];
    const inner = [layer.config.layer, layer.config.backward_layer].filter(isObject);
    return inner.flatMap((l) => visit(readLayer(l, depth + 1), depth + 1));
  };
  return visitAll(network, 0);
}

/** Emits networks, layer by layer in the order that the outputs need. */
class Layers {
  private readonly e: Emitter;

  constructor(e: Emitter) {
    this.e = e;
  }

  /** Values of the network's outputs from those of its inputs. */
  run(network: Network, inputs: readonly string[], weights: LayerWeights): string[] {
    const done = new Map<string, readonly string[]>();
    network.inputs.forEach((ref, i) => {
      const value = inputs[i] ?? this.e.reject(`the network '${network.name}' is given ${inputs.length} inputs`);
      done.set(keyOf(ref.layer, 0), [value]);
    });
    const lookUp = (ref: TensorRef): string => {
      const values = done.get(keyOf(ref.layer, ref.call));
      return values?.[ref.index] ?? this.e.reject(`output ${ref.index} of layer '${ref.layer}' is not there`);
    };
    for (const { layer, call } of order(network, done)) {
      const given = layer.calls[call]!.map(lookUp);
      done.set(keyOf(layer.name, call), this.apply(layer, layer.name, given, weights));
    }
    return network.outputs.map(lookUp);
  }

  private apply(spec: LayerSpec, path: string, inputs: readonly string[], weights: LayerWeights): readonly string[] {
    if (spec.network) return this.run(spec.network, inputs, weights.inside(spec.name));
    this.e.at({ kind: spec.kind, name: path });
    const translate = LAYERS.get(spec.kind) ?? this.e.reject('is not supported here');
    const nested = (inner: LayerSpec, at: string, values: readonly string[]): readonly string[] => {
      const made = this.apply(inner, at, values, weights);
      this.e.at({ kind: spec.kind, name: path });
      return made;
    };
    const made = translate(new LayerCall(this.e, weights, spec, path, inputs, nested));
    return typeof made === 'string' ? [made] : made;
  }
}

const keyOf = (layer: string, call: number): string => `${call} ${layer}`;

interface Application {
  readonly layer: PlacedLayer;
  readonly call: number;
}

/** Applications that the outputs need and that are not done, every one after those it reads. Throws EW3002 for cycles and missing layers. */
function order(network: Network, done: ReadonlyMap<string, unknown>): Application[] {
  const find = (ref: TensorRef): Application => {
    const layer = network.layers.get(ref.layer);
    const { call } = ref;
    if (layer && (layer.calls[call] || done.has(keyOf(layer.name, call)))) return { layer, call };
    throw invalidJson(`'${network.name}' reads application ${call} of layer '${ref.layer}', which is not there`);
  };
  const out: Application[] = [];
  const state = new Map<string, 'open' | 'done'>([...done.keys()].map((k) => [k, 'done']));
  const stack = network.outputs.map(find).reverse();
  for (let a = stack.at(-1); a !== undefined; a = stack.at(-1)) {
    const key = keyOf(a.layer.name, a.call);
    if (state.has(key)) {
      stack.pop();
      if (state.get(key) === 'open') out.push(a);
      state.set(key, 'done');
      continue;
    }
    state.set(key, 'open');
    for (const next of a.layer.calls[a.call]!.map(find).reverse()) {
      const of = keyOf(next.layer.name, next.call);
      if (state.get(of) === 'open')
        throw invalidJson(`the layers of '${network.name}' form a cycle at '${a.layer.name}'`);
      if (!state.has(of)) stack.push(next);
    }
  }
  return out;
}
