import { consumersOf, type Graph, GraphBuilder, type Node, type Value, valueNamed } from '../ir/graph.ts';
import { type Tensor, tensor } from '../util/tensor.ts';

/**
 * Orders the units of recurrent layers by how wide their codes are. Tiles of eight rows have one width in memory (sdk/wire/panels.ts), and
 * what matters less has coarser steps, so rows of like width belong together. What a layer computes stays the same to the bit: all
 * gates and states go by the new order, and so do the weights that read the result. Layers with states of their own at the model's
 * interface, with two directions, or read by anything else stay as they are.
 */
export function orderUnits(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name, graph);
  const consumers = consumersOf(graph);
  for (const node of graph.nodes) {
    const readers = node.op === 'QLstm' ? readersOf(graph, consumers, node) : undefined;
    if (!readers) continue;
    // Weights may have been given a new order as readers of the layer before.
    const constant = (at: number): Value => b.values.get(node.inputs[at]!)!;
    const order = unitOrder([constant(CODES.input), constant(CODES.recurrent)], node.attrs.hidden as number);
    const rows = [0, 1, 2, 3].flatMap((gate) => order.map((unit) => gate * order.length + unit));
    for (const at of ROWS) b.setValue(withRows(constant(at), rows));
    b.setValue(withColumns(constant(CODES.recurrent), order));
    for (const name of readers) b.setValue(withColumns(b.values.get(name)!, order));
  }
  return b.build();
}

/** Inputs of QLstm: codes, and all that has a row for every gate and unit. */
const CODES = { input: 2, recurrent: 4 } as const;
const ROWS: readonly number[] = [2, 3, 4, 5, 6];
const STATES: readonly number[] = [7, 8];

type Consumers = ReadonlyMap<string, readonly Node[]>;

/** Codes that multiply with what a layer gives; undefined where its units are seen by others, or its constants read by others. */
function readersOf(graph: Graph, consumers: Consumers, node: Node): string[] | undefined {
  const [sequence, ...states] = node.outputs;
  const named = (v: string | undefined): boolean => v !== undefined && v !== '';
  if (states.some((v) => named(v) && (consumers.has(v!) || graph.outputs.includes(v!)))) return undefined;
  if (STATES.some((at) => named(node.inputs[at])) || node.attrs.direction === 'bidirectional') return undefined;
  const own = ROWS.every((at) => consumers.get(node.inputs[at]!)!.length === 1);
  const readers =
    named(sequence) && own ? codesReading(graph, consumers, sequence!, node.attrs.hidden as number) : undefined;
  return readers?.every((name) => consumers.get(name)!.length === 1) ? readers : undefined;
}

/** Codes of all layers that read a value whose last axis are the units; undefined where anything else does. */
function codesReading(graph: Graph, consumers: Consumers, value: string, units: number): string[] | undefined {
  if (graph.outputs.includes(value) || valueNamed(graph, value).type.shape.at(-1) !== units) return undefined;
  const found = (consumers.get(value) ?? []).map((reader) => {
    if (reader.op === 'Reshape' || reader.op === 'DynQuantize' || isPlainRounding(graph, reader))
      return codesReading(graph, consumers, reader.outputs[0]!, units);
    return reader.op === 'QLinear' || reader.op === 'QLstm' ? [reader.inputs[CODES.input]!] : undefined;
  });
  return found.every((list) => list !== undefined) ? found.flat() : undefined;
}

/** Whether all units are rounded alike. */
function isPlainRounding(graph: Graph, { op, inputs }: Node): boolean {
  return op === 'Quantize' && inputs.slice(1).every((v) => valueNamed(graph, v).type.shape[0] === 1);
}

/** Units by the energy of their codes in all gates of both matrices, in bits: what decides how wide tiles are. */
function unitOrder(matrices: readonly Value[], units: number): number[] {
  const width = new Float64Array(units);
  for (const { data, type } of matrices) {
    const cols = type.shape.at(-1)!;
    for (let row = 0; row < 4 * units; row++) {
      let energy = 0;
      for (let c = 0; c < cols; c++) energy += Number(data!.data[row * cols + c]) ** 2;
      width[row % units]! += Math.log2(energy / cols + NOTHING);
    }
  }
  return [...width.keys()].sort((a, b) => width[a]! - width[b]! || a - b);
}

/** Energy of rows that are all zeros, which lets them have a logarithm. */
const NOTHING = 1e-3;

/** A constant [1, rows] or [1, rows, columns] with its rows in another order, and its packing with it. */
function withRows(value: Value, order: readonly number[]): Value {
  const { packing } = value;
  const run = value.data!.data.length / order.length;
  const moved = picked(value, (i) => order[Math.floor(i / run)]! * run + (i % run));
  if (packing?.kind !== 'log8') return moved;
  return { ...moved, packing: { ...packing, exponents: order.map((row) => packing.exponents[row]!) } };
}

function withColumns(value: Value, order: readonly number[]): Value {
  const cols = order.length;
  return picked(value, (i) => i - (i % cols) + order[i % cols]!);
}

function picked(value: Value, from: (index: number) => number): Value {
  const { dtype, shape, data } = value.data!;
  const moved = data.slice();
  for (let i = 0; i < moved.length; i++) moved[i] = data[from(i)]!;
  return { ...value, data: tensor(dtype, shape, moved as never) as Tensor };
}
