import type { Emitter } from '../emitter.ts';
import { isObject, type Json, type JsonObject, shown } from '../json.ts';
import { activate, isActivation } from '../lib/activation.ts';
import type { Padding } from '../lib/image.ts';
import { type LayerSpec, readLayer } from './network.ts';
import type { LayerWeights } from './weights.ts';

/** Emits a layer within another one (Bidirectional, TimeDistributed); `path` is where its weights are. */
export type ApplyLayer = (spec: LayerSpec, path: string, inputs: readonly string[]) => readonly string[];

/** Layers that are given as activations of others, with their parameters. */
const ACTIVATION_LAYERS: readonly string[] = ['ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Softmax'];

/** What the translation of a layer sees of one application. */
export class LayerCall {
  readonly e: Emitter;
  readonly inputs: readonly string[];
  readonly config: JsonObject;
  readonly apply: ApplyLayer;
  private readonly weights: LayerWeights;
  private readonly path: string;

  constructor(
    e: Emitter,
    weights: LayerWeights,
    spec: LayerSpec,
    path: string,
    inputs: readonly string[],
    apply: ApplyLayer,
  ) {
    this.e = e;
    this.weights = weights;
    this.config = spec.config;
    this.path = path;
    this.inputs = inputs;
    this.apply = apply;
  }

  get x(): string {
    return this.inputs[0] ?? this.e.reject('has no input');
  }

  shape(): readonly number[] {
    return this.e.shape(this.x);
  }

  weight(name: string): string {
    return this.weights.get(this.path, name);
  }

  /** A weight that versions of Keras name in two ways. */
  anyWeight(name: string, other: string): string {
    return this.weight(this.weights.has(this.path, name) ? name : other);
  }

  /** A weight that exists only when a switch of the config, on by default, is on. */
  weightIf(name: string, option: string): string | undefined {
    return this.bool(option, true) ? this.weight(name) : undefined;
  }

  /** Where the weights of a layer inside this one are. */
  within(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Where the weights of the one layer inside this one are: under this one's name, or its own. */
  pathFor(inner: string): string {
    return this.weights.knows(this.path) ? this.path : inner;
  }

  has(name: string): boolean {
    return (this.config[name] ?? null) !== null;
  }

  bool(name: string, fallback = false): boolean {
    const v = this.config[name] ?? null;
    return v === null ? fallback : v === true;
  }

  number(name: string, fallback?: number): number {
    const v = this.config[name] ?? null;
    if (v === null && fallback !== undefined) return fallback;
    return typeof v === 'number' ? v : this.wrong(name, v);
  }

  string(name: string, fallback?: string): string {
    const v = this.config[name] ?? null;
    if (v === null && fallback !== undefined) return fallback;
    return typeof v === 'string' ? v : this.wrong(name, v);
  }

  /** Whole numbers; one number stands for all of them. */
  ints(name: string, count: number, fallback?: number): number[] {
    const v = this.config[name] ?? null;
    if (v === null && fallback !== undefined) return new Array<number>(count).fill(fallback);
    const list = typeof v === 'number' ? new Array<number>(count).fill(v) : v;
    const right = Array.isArray(list) && list.length === count && list.every(Number.isSafeInteger);
    return right ? (list as number[]) : this.wrong(name, v);
  }

  /** A list of any length. */
  list(name: string): number[] {
    const v = this.config[name] ?? null;
    return Array.isArray(v) && v.every(Number.isSafeInteger) ? (v as number[]) : this.wrong(name, v);
  }

  /** The name of an activation: a text, or an object with a class_name and no parameters. */
  activation(name = 'activation', fallback = 'linear'): string {
    const v = this.config[name] ?? null;
    if (!isObject(v)) return this.string(name, fallback);
    const { class_name: kind, config } = v;
    if (typeof kind !== 'string' || !isActivation(kind))
      return this.e.reject(`its ${name} ${shown(v)} is not supported`);
    if (isObject(config) && Object.keys(config).length > 0) this.wrong(name, v);
    return kind;
  }

  /** x after the activation of this layer, which may be a layer itself. */
  activated(x: string): string {
    const v = this.config.activation ?? null;
    const isLayer = isObject(v) && ACTIVATION_LAYERS.includes(String(v.class_name));
    return isLayer ? this.apply(readLayer(v), this.path, [x])[0]! : activate(this.e, x, this.activation());
  }

  /** Pairs [before, after] of `axes` axes: one number, one an axis, or two an axis. */
  pairs(name: string, axes: number): (readonly [number, number])[] {
    const v = this.config[name] ?? null;
    const list: readonly Json[] = Array.isArray(v)
      ? axes === 1 && v.length === 2
        ? [v]
        : v
      : new Array<Json>(axes).fill(v);
    const pairs = list.map((p) => (Array.isArray(p) ? p : [p, p]));
    const right = pairs.length === axes && pairs.every((p) => p.length === 2 && p.every(Number.isSafeInteger));
    return right ? (pairs as unknown as (readonly [number, number])[]) : this.wrong(name, v);
  }

  channelsLast(): boolean {
    return this.string('data_format', 'channels_last') !== 'channels_first';
  }

  padding(): Padding {
    const v = this.string('padding', 'valid');
    return v === 'same' || v === 'valid' ? v : this.e.reject(`padding '${v}' is not supported`);
  }

  wrong(name: string, v: Json): never {
    return this.e.reject(`its ${name} is ${shown(v)}`, 'Save the model again.');
  }
}

/** Emits what a layer computes; the names of its outputs. */
export type TranslateLayer = (layer: LayerCall) => string | readonly string[];
export type LayerTable = Readonly<Record<string, TranslateLayer>>;
