import { graphOfBundle } from '../../sdk/app/bundle-graph.ts';
import type { Bundle } from '../../sdk/bundle/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { residentCodeBytes } from '../../sdk/wire/panels.ts';
import { codesWireSize } from '../../sdk/wire/weights.ts';

/** Bytes of weight codes. */
export interface CodeBytes {
  readonly wire: number;
  readonly resident: number;
}

/** What codes of a bundle's LSTM layers take in three orders of their rows. */
export interface RowOrders {
  /** Units in an order that says nothing, as training leaves them. */
  readonly anyUnits: CodeBytes;
  /** As the compressor orders units (sdk/compress/unit-order.ts): the same in all gates, which keeps the layer's function. */
  readonly orderedUnits: CodeBytes;
  /** Every matrix by itself: more than any order of units can give. */
  readonly orderedRows: CodeBytes;
}

interface Matrix {
  readonly codes: Int8Array;
  readonly rows: number;
  readonly cols: number;
}

/** Of all LSTM layers; undefined where there is none. */
export function rowOrders(bundle: Bundle): RowOrders | undefined {
  const graph = graphOfBundle(bundle);
  const layers = graph.nodes
    .filter((n) => n.op === 'QLstm')
    .map((n) => [n.inputs[2]!, n.inputs[4]!].map((name) => graph.values.get(name)!.data!));
  if (layers.length === 0) return undefined;
  const matrices = layers.map((pair) =>
    pair.map(
      ({ data, shape: [d, rows, cols] }): Matrix => ({ codes: data as Int8Array, rows: d! * rows!, cols: cols! }),
    ),
  );
  const all = (order: (layer: readonly Matrix[]) => readonly Matrix[]): CodeBytes => sizeOf(matrices.flatMap(order));
  return {
    anyUnits: all((layer) => withOrder(layer, anyOrder(layer))),
    orderedUnits: all((layer) => layer),
    orderedRows: all((layer) => layer.map((m) => withRows(m, ascending(rowEnergies(m))))),
  };
}

function sizeOf(matrices: readonly Matrix[]): CodeBytes {
  const sum = (size: (codes: Int8Array, rows: number, cols: number) => number): number =>
    matrices.reduce((bytes, m) => bytes + size(m.codes, m.rows, m.cols), 0);
  return { wire: sum(codesWireSize), resident: sum(residentCodeBytes) };
}

/** log2 of the mean square of every row's codes: how wide they are. */
function rowEnergies({ codes, rows, cols }: Matrix): number[] {
  return Array.from({ length: rows }, (_, r) => {
    const energy = codes.subarray(r * cols, (r + 1) * cols).reduce((sum, q) => sum + q * q, 0);
    return Math.log2(energy / cols + 1e-3);
  });
}

const ascending = (keys: readonly number[]): number[] => [...keys.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b);

function anyOrder(layer: readonly Matrix[]): number[][] {
  const hidden = layer[1]!.cols;
  const rng = new Rng(1);
  return Array.from({ length: layer[1]!.rows / (4 * hidden) }, () => rng.permutation(hidden));
}

/** The layer with its units in another order: rows of all gates, and the columns that take what the units gave before. */
function withOrder(layer: readonly Matrix[], orders: readonly (readonly number[])[]): Matrix[] {
  const hidden = layer[1]!.cols;
  const rows = orders.flatMap((order, d) =>
    [0, 1, 2, 3].flatMap((gate) => order.map((unit) => (4 * d + gate) * hidden + unit)),
  );
  const [input, recurrent] = layer.map((m) => withRows(m, rows)) as [Matrix, Matrix];
  const codes = new Int8Array(recurrent.codes.length);
  for (let r = 0; r < recurrent.rows; r++) {
    const order = orders[Math.floor(r / (4 * hidden))]!;
    for (let c = 0; c < hidden; c++) codes[r * hidden + c] = recurrent.codes[r * hidden + order[c]!]!;
  }
  return [input, { ...recurrent, codes }];
}

function withRows(m: Matrix, order: readonly number[]): Matrix {
  const codes = new Int8Array(m.codes.length);
  order.forEach((from, to) => {
    codes.set(m.codes.subarray(from * m.cols, (from + 1) * m.cols), to * m.cols);
  });
  return { ...m, codes };
}
