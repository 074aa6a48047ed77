import { constantOf } from '../ir/graph.ts';
import { Rng } from '../util/rng.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Context } from './context.ts';
import { rowsPerSample } from './context.ts';
import { type Layer, weightsOf } from './layers.ts';
import { LstmImportance, quantizeHidden, recurrentRows } from './lstm.ts';
import { depthwisePitch, type MomentSums, momentSums, type TileMoments } from './moments.ts';
import { type Decoding, PLAIN, SourceRows, sourceColumns } from './rows.ts';

/** A layer's input as the quantized network sees it. */
export interface QuantizedInput {
  readonly x: Tensor;
  readonly decoding: Decoding;
}

/** Gathers rows of every sample of a layer and sums their moments, one entry a matrix. */
export class LayerStatistics {
  private readonly ctx: Context;
  private readonly layer: Layer;
  private readonly pitch: number;
  private readonly perSample: number;
  private readonly rng: Rng;
  private readonly mark: number;
  /** Positions of the rows of a sample, i32. */
  private readonly positions: number;
  private readonly x: SourceRows;
  private readonly xq: SourceRows;
  private readonly sums: MomentSums[];
  readonly importance: LstmImportance | undefined;

  constructor(ctx: Context, layer: Layer, samples: number, budget?: number) {
    const { la } = ctx;
    this.ctx = ctx;
    this.layer = layer;
    this.mark = la.mark();
    const first = layer.matrices[0]!;
    this.pitch = layer.kind === 'depthwise' ? depthwisePitch(first) : sourceColumns(layer);
    this.perSample = rowsPerSample(layer, samples, budget);
    const widest = Math.max(this.pitch, ...layer.matrices.map((m) => m.cols * m.tiles.length));
    this.rng = new Rng(ctx.options.seed);
    // Where not all are taken, they are drawn anew for every sample.
    this.positions = la.putInts(Int32Array.from({ length: this.perSample }, (_, i) => i));
    this.x = new SourceRows(la, layer, this.pitch, this.perSample * widest);
    this.xq = new SourceRows(la, layer, this.pitch, this.perSample * widest);
    this.sums = layer.matrices.map((m, i) =>
      momentSums(la, layer, m, i === 0 ? this.pitch : m.cols * m.tiles.length, weightsOf(ctx.graph, m)),
    );
    this.importance = layer.kind === 'lstm' ? new LstmImportance(layer) : undefined;
  }

  /** Adds one sample: float input x and, unless it is the same, the quantized one. */
  add(x: Tensor, quantized: QuantizedInput | undefined): void {
    const { perSample, positions } = this;
    this.draw();
    this.x.gather(x, PLAIN, positions, perSample);
    if (quantized) this.xq.gather(quantized.x, quantized.decoding, positions, perSample);
    this.sums[0]!.add(this.x.rows, quantized ? this.xq.rows : this.x.rows, perSample);
  }

  /** Puts the positions of the next sample in place. */
  private draw(): Int32Array {
    const { layer, perSample } = this;
    const positions = this.ctx.la.i32(this.positions, perSample);
    if (perSample < layer.positions) positions.set(this.rng.strata(layer.positions, perSample));
    return positions;
  }

  /** Adds one sample's recurrent inputs of an LSTM; `quantized`: with the kernel's fixed steps of h. */
  addRecurrent(x: Tensor, y: Tensor, h0: Tensor | undefined, c0: Tensor | undefined, quantized: boolean): void {
    const { la, graph } = this.ctx;
    const rows = recurrentRows(this.layer, x, y, h0);
    const width = rows.length / this.layer.positions;
    const positions = this.draw();
    const picked = new Float32Array(positions.length * width);
    positions.forEach((p, r) => {
      picked.set(rows.subarray(p * width, (p + 1) * width), r * width);
    });
    const [own, coded] = [this.x.rows, this.xq.rows];
    la.f32(own, picked.length).set(picked);
    if (quantized) la.f32(coded, picked.length).set(quantizeHidden(picked));
    this.sums[1]!.add(own, quantized ? coded : own, positions.length);
    if (!quantized) this.importance!.add(la, graph, x, rows, c0);
  }

  /** Moments of every matrix; frees the sums. */
  finish(centred: boolean): TileMoments[][] {
    const out = this.sums.map((s) => s.finish(centred));
    this.ctx.la.release(this.mark);
    return out;
  }
}

/** A value of a sample that may be a constant of the graph (initial states). */
export function constantOrRead(ctx: Context, name: string, read: Tensor | undefined): Tensor | undefined {
  return name === '' ? undefined : (constantOf(ctx.graph, name) ?? read);
}
