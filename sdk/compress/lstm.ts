import { constantOf, type Graph } from '../ir/graph.ts';
import type { Linalg } from '../util/linalg/linalg.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Layer } from './layers.ts';

/** Names of the values of an LSTM node that its statistics need; h0 and c0 are '' when they are zero. */
export interface LstmValues {
  readonly x: string;
  readonly y: string;
  readonly h0: string;
  readonly c0: string;
}

export function lstmValues(layer: Layer): LstmValues {
  const { inputs, outputs } = layer.node!;
  return { x: inputs[0]!, y: outputs[0]!, h0: inputs[5] ?? '', c0: inputs[6] ?? '' };
}

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly directions: number;
  readonly hidden: number;
  readonly input: number;
}

function sizesOf(layer: Layer, x: Tensor): Sizes {
  const [w, r] = layer.matrices as [Layer['matrices'][0], Layer['matrices'][0]];
  const directions = r.tiles.length;
  return { steps: x.shape[0]!, batch: x.shape[1]!, directions, hidden: r.cols, input: w.cols };
}

const isReverse = (layer: Layer, direction: number): boolean =>
  direction === 1 || (layer.spec?.kind === 'lstm' && layer.spec.direction === 'reverse');

/**
 * Hidden states that enter every step, as source rows [steps * batch][directions * hidden] of the recurrent matrix, from the
 * layer's output y [T,D,B,H] and its initial state.
 */
export function recurrentRows(layer: Layer, x: Tensor, y: Tensor, h0: Tensor | undefined): Float32Array {
  const s = sizesOf(layer, x);
  const data = y.data as Float32Array;
  const out = new Float32Array(s.steps * s.batch * s.directions * s.hidden);
  for (let d = 0; d < s.directions; d++) {
    for (let t = 0; t < s.steps; t++) {
      const before = isReverse(layer, d) ? t + 1 : t - 1;
      for (let b = 0; b < s.batch; b++) {
        const at = ((t * s.batch + b) * s.directions + d) * s.hidden;
        if (before >= 0 && before < s.steps) {
          const from = ((before * s.directions + d) * s.batch + b) * s.hidden;
          out.set(data.subarray(from, from + s.hidden), at);
        } else if (h0) {
          const from = (d * s.batch + b) * s.hidden;
          out.set((h0.data as Float32Array).subarray(from, from + s.hidden), at);
        }
      }
    }
  }
  return out;
}

/** The kernel's fixed quantization of h: steps of 1/127. */
export function quantizeHidden(rows: Float32Array): Float32Array {
  return rows.map((v) => Math.max(-128, Math.min(127, Math.round(v * 127))) / 127);
}

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/**
 * Importance of every gate row in closed form: how much a small change of the row's pre-activation moves the hidden
 * state, squared, averaged over steps; what enters the cell lives on by its forget gate.
 */
export class LstmImportance {
  private readonly layer: Layer;
  private readonly sums: Float64Array;
  private readonly forget: Float64Array;
  private count = 0;

  constructor(layer: Layer) {
    this.layer = layer;
    const rows = layer.matrices[0]!.rows;
    this.sums = new Float64Array(rows);
    this.forget = new Float64Array(rows / 4);
  }

  add(la: Linalg, graph: Graph, x: Tensor, recurrent: Float32Array, c0: Tensor | undefined): void {
    const s = sizesOf(this.layer, x);
    const gates = gateInputs(la, graph, this.layer, s, x, recurrent);
    for (let d = 0; d < s.directions; d++) {
      for (let b = 0; b < s.batch; b++) this.walk(s, d, b, gates[d]!, c0);
    }
    this.count += s.steps * s.batch;
  }

  private walk(s: Sizes, d: number, b: number, gates: Float32Array, c0: Tensor | undefined): void {
    const { hidden, steps } = s;
    const row0 = d * 4 * hidden;
    const cell = new Float64Array(hidden);
    if (c0) cell.set((c0.data as Float32Array).subarray((d * s.batch + b) * hidden, (d * s.batch + b + 1) * hidden));
    for (let k = 0; k < steps; k++) {
      const t = isReverse(this.layer, d) ? steps - 1 - k : k;
      const at = (t * s.batch + b) * 4 * hidden;
      for (let u = 0; u < hidden; u++) {
        const i = sigmoid(gates[at + u]!);
        const o = sigmoid(gates[at + hidden + u]!);
        const f = sigmoid(gates[at + 2 * hidden + u]!);
        const g = Math.tanh(gates[at + 3 * hidden + u]!);
        const previous = cell[u]!;
        const c = f * previous + i * g;
        cell[u] = c;
        const th = Math.tanh(c);
        const through = o * (1 - th * th);
        this.sums[row0 + u]! += (through * g * i * (1 - i)) ** 2;
        this.sums[row0 + hidden + u]! += (th * o * (1 - o)) ** 2;
        this.sums[row0 + 2 * hidden + u]! += (through * previous * f * (1 - f)) ** 2;
        this.sums[row0 + 3 * hidden + u]! += (through * i * (1 - g * g)) ** 2;
        this.forget[d * hidden + u]! += f * f;
      }
    }
  }

  /** Relative step of every row: importance^-1/2. */
  steps(): Float64Array {
    const hidden = this.layer.matrices[1]!.cols;
    const importance = this.sums.map((v, row) => {
      const d = Math.floor(row / (4 * hidden));
      const gate = Math.floor((row % (4 * hidden)) / hidden);
      const memory = 1 / (1 - Math.min(this.forget[d * hidden + (row % hidden)]! / this.count, 0.98));
      return (v / this.count) * (gate === 1 ? 1 : memory);
    });
    let largest = 0;
    for (const v of importance) largest = Math.max(largest, v);
    return importance.map((v) => 1 / Math.sqrt(Math.max(v, largest * 1e-6, 1e-30)));
  }
}

/** W x + R h + b of every step and direction: [directions] of [steps * batch][4 hidden]. */
function gateInputs(
  la: Linalg,
  graph: Graph,
  layer: Layer,
  s: Sizes,
  x: Tensor,
  recurrent: Float32Array,
): Float32Array[] {
  const rows = s.steps * s.batch;
  const h4 = 4 * s.hidden;
  const [w, r] = layer.matrices.map((m) => constantOf(graph, m.value)!.data as Float32Array) as [
    Float32Array,
    Float32Array,
  ];
  const bias = constantOf(graph, layer.bias)?.data as Float32Array | undefined;
  return Array.from({ length: s.directions }, (_, d) => {
    const mark = la.mark();
    const out = la.alloc(rows * h4 * 4);
    const wt = la.put32(transpose(w.subarray(d * h4 * s.input, (d + 1) * h4 * s.input), h4, s.input));
    const rt = la.put32(transpose(r.subarray(d * h4 * s.hidden, (d + 1) * h4 * s.hidden), h4, s.hidden));
    const xs = la.put32(x.data as Float32Array);
    const hs = la.put32(recurrent);
    la.product32(out, xs, wt, rows, h4, s.input, { transposed: true });
    la.product32(out, hs + d * s.hidden * 4, rt, rows, h4, s.hidden, {
      transposed: true,
      lda: s.directions * s.hidden,
    });
    const gates = la.f32(out, rows * h4).slice();
    if (bias) {
      for (let i = 0; i < gates.length; i++) {
        const at = d * 2 * h4 + (i % h4);
        gates[i]! += bias[at]! + bias[at + h4]!;
      }
    }
    la.release(mark);
    return gates;
  });
}

function transpose(m: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(m.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = m[r * cols + c]!;
  return out;
}
