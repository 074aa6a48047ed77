import { type Graph, GraphBuilder, type Node, type Packing, valueNamed } from '../ir/graph.ts';
import { interfaceScales } from '../ir/scales.ts';
import { codesOf } from '../util/codes.ts';
import { EigenError } from '../util/errors.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { maxAbs } from '../util/stats.ts';
import { type Tensor, tensor } from '../util/tensor.ts';
import type { Runner } from './runner.ts';
import { moves } from './storage.ts';
import type { CalibrationData, Sample } from './types.ts';

/** Keys or values of earlier positions: an input that an output continues, in the application's hands between two runs. */
export interface Cache {
  readonly input: string;
  readonly output: string;
}

/** Float inputs that reach an output by being moved and joined with something new, and by nothing else. */
export function findCaches(graph: Graph): Cache[] {
  return graph.inputs.flatMap((input) => {
    const from = movedFrom(graph, input);
    const joined = (output: string): boolean => [...pathTo(graph, from, output)].some((n) => n.op === 'Concat');
    const isCache = isFloat(graph, input) && from.size > 1;
    return isCache ? graph.outputs.filter((o) => o !== input && joined(o)).map((output) => ({ input, output })) : [];
  });
}

const isFloat = (graph: Graph, name: string): boolean => valueNamed(graph, name).type.dtype === 'f32';

/** What the values that are moved from an input, and whatever they are joined with, are made by; the input by nothing. */
function movedFrom(graph: Graph, input: string): Map<string, Node | undefined> {
  const from = new Map<string, Node | undefined>([[input, undefined]]);
  for (const node of graph.nodes)
    if (node.inputs.some((v) => from.has(v)) && moves(graph, node)) from.set(node.outputs[0]!, node);
  return from;
}

/** The nodes that move an input to an output; none where they do not. */
function pathTo(graph: Graph, from: ReadonlyMap<string, Node | undefined>, output: string): Set<Node> {
  const path = new Set<Node>();
  const wanted = new Set([output]);
  for (const node of graph.nodes.toReversed()) {
    const value = node.outputs[0]!;
    if (!wanted.has(value) || from.get(value) !== node) continue;
    path.add(node);
    for (const v of node.inputs) if (from.has(v)) wanted.add(v);
  }
  return path;
}

/** A network whose caches are codes, with samples that fit it. */
export interface CodedCaches {
  readonly graph: Graph;
  readonly data: CalibrationData;
}

/**
 * Makes all caches of a float graph int8 codes of one scale each, calibrated on the samples. What the graph as it was answers to them
 * goes along, so that quality is judged by that. Throws EW1001_USAGE when there is no cache.
 */
export async function codeCaches(graph: Graph, data: CalibrationData, runner: Runner): Promise<CodedCaches> {
  const caches = findCaches(graph);
  if (caches.length === 0)
    throw new EigenError('EW1001_USAGE', `${graph.name} has no cache: no output continues an input`, {
      hint: 'Export the step of the decoder with the keys and values of earlier tokens as inputs and outputs.',
    });
  const isCache = new Set(caches.flatMap((c) => [c.input, c.output]));
  const largest = new Map(caches.map((c) => [c.output, 0]));
  const answers = new Map<Sample, Readonly<Record<string, Tensor>>>();
  const session = await runner.open(graph);
  try {
    for (const sample of data.samples) {
      const outputs = await session.run(sample);
      for (const [name, most] of largest)
        largest.set(name, Math.max(most, maxAbs(outputs[name]!.data as Float32Array)));
      const rest = Object.entries(outputs).filter(([name]) => !isCache.has(name));
      answers.set(
        sample,
        Object.fromEntries(rest.map(([name, t]) => [name, { ...t, data: t.data.slice() } as Tensor])),
      );
    }
  } finally {
    session.close();
  }
  const coded = withCodes(graph, caches, new Map([...largest].map(([name, most]) => [name, exponentFor(most)])));
  const scales = interfaceScales(coded);
  const toCodes = (sample: Sample): Sample =>
    Object.fromEntries(
      Object.entries(sample).map(([name, t]) => [name, isCache.has(name) ? codesOf(t, scales.get(name)!) : t]),
    );
  const pairs = data.samples.map((s) => [toCodes(s), answers.get(s)!] as const);
  return { graph: coded, data: { samples: pairs.map(([s]) => s), answers: new Map(pairs) } };
}

/** Steps of the grid of scales in an octave, and the largest code. */
const GRID = 8;
const LARGEST = 127;

/** Largest exponent of the grid with which a magnitude fits the codes. */
const exponentFor = (most: number): number => (most > 0 ? Math.floor(GRID * Math.log2(LARGEST / most) + 1e-9) : 0);

/** The graph with codes for caches: what an output is moved from is moved as codes, and decoded for all who compute with it. */
export function withCodes(graph: Graph, caches: readonly Cache[], exponents: ReadonlyMap<string, number>): Graph {
  return new CacheWriter(graph, caches, exponents).write();
}

class CacheWriter {
  private readonly graph: Graph;
  private readonly b: GraphBuilder;
  /** Nodes that move codes, with the constants of their scale. */
  private readonly moved = new Map<Node, Scale>();
  private readonly codes = new Map<string, Coded>();
  private readonly decoded = new Map<string, string>();

  constructor(graph: Graph, caches: readonly Cache[], exponents: ReadonlyMap<string, number>) {
    this.graph = graph;
    this.b = new GraphBuilder(graph.name, graph);
    this.b.nodes = [];
    for (const { input, output } of caches) {
      const scale = this.scaleConstants(output, exponents.get(output)!);
      for (const node of pathTo(graph, movedFrom(graph, input), output)) this.moved.set(node, scale);
      for (const name of [input, output]) this.asCodes(name, name, scale);
    }
  }

  private scaleConstants(stem: string, exponent: number): Scale {
    const packing: Packing = { kind: 'log8', base: 1, exponents: [exponent] };
    const inv = tensor('f32', [1], Float32Array.of(scaleFromLog8(1, exponent)));
    return [
      this.b.constant(`${stem}.inv`, inv, packing),
      this.b.constant(`${stem}.zp`, tensor('i32', [1], [0]), { kind: 'ints' }),
    ];
  }

  /** Gives the codes of a value a name. */
  private asCodes(value: string, name: string, scale: Scale): void {
    this.b.setValue({ name, type: { dtype: 'i8', shape: valueNamed(this.graph, value).type.shape } });
    this.codes.set(value, { name, scale });
  }

  write(): Graph {
    for (const node of this.graph.nodes) {
      const scale = this.moved.get(node);
      if (scale) this.move(node, scale);
      else this.b.nodes.push({ ...node, inputs: node.inputs.map((v) => this.float(v)) });
    }
    this.b.prune();
    return this.b.build();
  }

  private move(node: Node, scale: Scale): void {
    const inputs = node.inputs.map((v) => this.codes.get(v)?.name ?? this.round(v, scale));
    const value = node.outputs[0]!;
    if (!this.codes.has(value)) this.asCodes(value, this.b.fresh(`${value}.i8`), scale);
    this.b.nodes.push({ ...node, inputs, outputs: [this.codes.get(value)!.name] });
  }

  /** Codes of what joins a cache. */
  private round(value: string, scale: Scale): string {
    const name = this.b.fresh(`${value}.i8`);
    const node: Node = { name, op: 'Quantize', inputs: [value, ...scale], outputs: [name], attrs: { to: 'i8' } };
    this.b.node(node, [{ dtype: 'i8', shape: valueNamed(this.graph, value).type.shape }]);
    return name;
  }

  /** A value for those who compute with it. */
  private float(value: string): string {
    const coded = this.codes.get(value);
    if (!coded) return value;
    const known = this.decoded.get(value);
    if (known !== undefined) return known;
    const name = this.b.fresh(`${value}.f32`);
    const inputs = [coded.name, ...coded.scale];
    this.b.node({ name, op: 'Dequantize', inputs, outputs: [name], attrs: {} }, [valueNamed(this.graph, value).type]);
    this.decoded.set(value, name);
    return name;
  }
}

/** The constants that codes are made with: inverse of the scale, zero point. */
type Scale = readonly [inv: string, zp: string];

interface Coded {
  readonly name: string;
  readonly scale: Scale;
}
