import { constantOf, type Graph, type Node, valueNamed } from '../ir/graph.ts';
import type { KernelOf, KernelSpec } from '../ir/kernel.ts';
import { opOf } from '../ir/ops/index.ts';
import { sizeOf } from '../util/tensor.ts';
import { findAttention } from './attention-match.ts';

export type LayerKind = 'conv' | 'depthwise' | 'linear' | 'lstm' | 'embedding' | 'table';

/**
 * An independent least-squares problem: `rows` x `cols` of the matrix at (row0, col0), fed by columns src0.. of the
 * matrix's source rows (groups of a convolution, directions of an LSTM, column blocks of a very wide layer).
 */
export interface Tile {
  readonly row0: number;
  readonly rows: number;
  readonly col0: number;
  readonly cols: number;
  readonly src0: number;
}

/** One weight constant seen as a matrix [rows, cols]: row-major in the constant's own order. */
export interface Matrix {
  readonly value: string;
  readonly rows: number;
  readonly cols: number;
  readonly tiles: readonly Tile[];
}

/** A node that multiplies by a constant, or a constant big enough to be stored as codes. */
export interface Layer {
  readonly name: string;
  readonly kind: LayerKind;
  /** Absent for tables: constants that are read as they are (position embeddings). */
  readonly node: Node | undefined;
  /** The activation that is multiplied; '' for embeddings and tables. */
  readonly input: string;
  readonly matrices: readonly Matrix[];
  readonly bias: string;
  readonly params: number;
  /** Output positions of one sample: rows that share the weights. */
  readonly positions: number;
  /** Height and width of the window; 1 x 1 for everything but convolutions. */
  readonly window: readonly [number, number];
  readonly spec: KernelSpec | undefined;
}

/** Constants of at least this many floats that no layer multiplies by are stored as codes as well. */
const TABLE_MIN = 4096;
/** Matrices wider than this are fitted in column blocks: the factor of H grows with the square. */
const MAX_COLUMNS = 2304;

/** Tables, then weight layers in node order. */
export function findLayers(graph: Graph): Layer[] {
  const out: Layer[] = [];
  // A mask that says nothing but "no later keys" is not read by integer attention.
  const used = new Set<string>(findAttention(graph).map((a) => a.causalMask));
  for (const node of graph.nodes) {
    const layer = layerOf(graph, node);
    if (!layer) continue;
    out.push(layer);
    for (const m of layer.matrices) used.add(m.value);
  }
  return [...tablesOf(graph, used), ...out];
}

/** The matrix of weights as f32, row-major [rows, cols]. */
export function weightsOf(graph: Graph, matrix: Matrix): Float32Array {
  return constantOf(graph, matrix.value)!.data as Float32Array;
}

/** What a node lowers to; undefined when it has no kernel. */
export function lowered(graph: Graph, node: Node): KernelSpec | undefined {
  const inputs = node.inputs.map((v) => (v === '' ? undefined : valueNamed(graph, v).type));
  const outputs = node.outputs.map((v) =>
    v === '' ? { dtype: 'f32' as const, shape: [] } : valueNamed(graph, v).type,
  );
  return opOf(node.op).lower?.(inputs, node.attrs, outputs);
}

function floatConstant(graph: Graph, name: string | undefined): boolean {
  return name !== undefined && constantOf(graph, name)?.dtype === 'f32';
}

function layerOf(graph: Graph, node: Node): Layer | undefined {
  const spec = lowered(graph, node);
  if (!spec) return undefined;
  switch (spec.kind) {
    case 'conv':
      return floatConstant(graph, node.inputs[1]) && optionalConstant(graph, node.inputs[2])
        ? convLayer(graph, node, spec)
        : undefined;
    case 'linear':
      return floatConstant(graph, node.inputs[1]) && optionalConstant(graph, node.inputs[2])
        ? linearLayer(graph, node, spec)
        : undefined;
    case 'lstm':
      return node.inputs.slice(1, 3).every((v) => floatConstant(graph, v)) && optionalConstant(graph, node.inputs[3])
        ? lstmLayer(graph, node, spec)
        : undefined;
    case 'gather':
      return floatConstant(graph, node.inputs[0]) && spec.axis === 0 ? embeddingLayer(graph, node, spec) : undefined;
    default:
      return undefined;
  }
}

function optionalConstant(graph: Graph, name: string | undefined): boolean {
  return name === undefined || name === '' || constantOf(graph, name) !== undefined;
}

function paramsOf(matrices: readonly Matrix[]): number {
  return matrices.reduce((sum, m) => sum + m.rows * m.cols, 0);
}

function convLayer(graph: Graph, node: Node, spec: KernelOf<'conv'>): Layer {
  const [o, kh, kw, cg] = valueNamed(graph, node.inputs[1]!).type.shape as [number, number, number, number];
  const cols = kh * kw * cg;
  const [n, oh, ow] = valueNamed(graph, node.outputs[0]!).type.shape as [number, number, number];
  const matrix: Matrix = { value: node.inputs[1]!, rows: o, cols, tiles: tilesOf(o, cols, spec.groups) };
  return {
    name: node.name,
    kind: spec.groups > 1 && cg === 1 ? 'depthwise' : 'conv',
    node,
    input: node.inputs[0]!,
    matrices: [matrix],
    bias: node.inputs[2] ?? '',
    params: paramsOf([matrix]),
    positions: n * oh * ow,
    window: [kh, kw],
    spec,
  };
}

/** Row groups with their own source columns; wide groups are cut into column blocks. */
function tilesOf(rows: number, cols: number, groups: number): Tile[] {
  const out: Tile[] = [];
  const blocks = Math.ceil(cols / MAX_COLUMNS);
  for (let g = 0; g < groups; g++) {
    for (let b = 0; b < blocks; b++) {
      const from = Math.floor((b * cols) / blocks);
      const to = Math.floor(((b + 1) * cols) / blocks);
      out.push({ row0: (g * rows) / groups, rows: rows / groups, col0: from, cols: to - from, src0: g * cols + from });
    }
  }
  return out;
}

function linearLayer(graph: Graph, node: Node, spec: KernelSpec): Layer {
  const [rows, cols] = valueNamed(graph, node.inputs[1]!).type.shape as [number, number];
  const matrix: Matrix = { value: node.inputs[1]!, rows, cols, tiles: tilesOf(rows, cols, 1) };
  return {
    name: node.name,
    kind: 'linear',
    node,
    input: node.inputs[0]!,
    matrices: [matrix],
    bias: node.inputs[2] ?? '',
    params: rows * cols,
    positions: sizeOf(valueNamed(graph, node.inputs[0]!).type.shape) / cols,
    window: [1, 1],
    spec,
  };
}

function lstmLayer(graph: Graph, node: Node, spec: KernelSpec): Layer {
  const [d, h4, i] = valueNamed(graph, node.inputs[1]!).type.shape as [number, number, number];
  const hidden = h4 / 4;
  const [t, b] = valueNamed(graph, node.inputs[0]!).type.shape as [number, number];
  const w: Matrix = { value: node.inputs[1]!, rows: d * h4, cols: i, tiles: tilesOf(d * h4, i, 1) };
  const tiles = Array.from({ length: d }, (_, k) => ({
    row0: k * h4,
    rows: h4,
    col0: 0,
    cols: hidden,
    src0: k * hidden,
  }));
  const r: Matrix = { value: node.inputs[2]!, rows: d * h4, cols: hidden, tiles };
  return {
    name: node.name,
    kind: 'lstm',
    node,
    input: node.inputs[0]!,
    matrices: [w, r],
    bias: node.inputs[3] ?? '',
    params: paramsOf([w, r]),
    positions: t * b,
    window: [1, 1],
    spec,
  };
}

function embeddingLayer(graph: Graph, node: Node, spec: KernelSpec): Layer | undefined {
  const shape = valueNamed(graph, node.inputs[0]!).type.shape;
  if (shape.length !== 2) return undefined;
  const matrix: Matrix = { value: node.inputs[0]!, rows: shape[0]!, cols: shape[1]!, tiles: [] };
  return {
    name: node.name,
    kind: 'embedding',
    node,
    input: '',
    matrices: [matrix],
    bias: '',
    params: paramsOf([matrix]),
    positions: 1,
    window: [1, 1],
    spec,
  };
}

/** Large float constants with at least two axes that are operands of plain arithmetic. */
function tablesOf(graph: Graph, used: ReadonlySet<string>): Layer[] {
  const arithmetic = new Set<string>();
  const other = new Set<string>();
  for (const node of graph.nodes) {
    const kind = lowered(graph, node)?.kind;
    for (const v of node.inputs) (kind === 'map' ? arithmetic : other).add(v);
  }
  const out: Layer[] = [];
  for (const v of graph.values.values()) {
    const columns = v.type.shape.at(-1) ?? 1;
    if (v.data?.dtype !== 'f32' || sizeOf(v.type.shape) < TABLE_MIN || columns < 16 || v.type.shape.length < 2)
      continue;
    if (!arithmetic.has(v.name) || other.has(v.name) || used.has(v.name)) continue;
    const rows = sizeOf(v.type.shape) / columns;
    out.push({
      name: v.name,
      kind: 'table',
      node: undefined,
      input: '',
      matrices: [{ value: v.name, rows, cols: columns, tiles: [] }],
      bias: '',
      params: rows * columns,
      positions: 1,
      window: [1, 1],
      spec: undefined,
    });
  }
  return out;
}
