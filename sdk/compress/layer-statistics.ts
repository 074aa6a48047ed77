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

/** What the rows of several samples may take together: so many that threads have much to do at a time, and no more than caches hold. */
const BATCH_BYTES = 1 << 20;

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
  /** Samples whose rows are held at one time, and how many there are now, of which matrix. */
  private readonly batch: number;
  private held = 0;
  private matrix = 0;
  private coded = false;
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
    const elements = this.perSample * widest;
    this.batch = Math.max(1, Math.min(samples, Math.floor(BATCH_BYTES / (4 * elements))));
    this.x = new SourceRows(la, layer, this.pitch, this.batch * elements);
    this.xq = new SourceRows(la, layer, this.pitch, this.batch * elements);
    this.sums = layer.matrices.map((m, i) =>
      momentSums(la, layer, m, i === 0 ? this.pitch : m.cols * m.tiles.length, weightsOf(ctx.graph, m)),
    );
    this.importance = layer.kind === 'lstm' ? new LstmImportance(layer) : undefined;
  }

  /** Adds one sample: float input x and, unless it is the same, the quantized one. */
  add(x: Tensor, quantized: QuantizedInput | undefined): void {
    const { perSample, positions } = this;
    const first = this.next(0, quantized !== undefined);
    this.draw();
    this.x.gather(x, PLAIN, positions, perSample, first);
    if (quantized) this.xq.gather(quantized.x, quantized.decoding, positions, perSample, first);
  }

  /** The first row of one sample more, of a matrix. */
  private next(matrix: number, coded: boolean): number {
    if (this.held === this.batch || matrix !== this.matrix || coded !== this.coded) this.flush();
    this.matrix = matrix;
    this.coded = coded;
    return this.held++ * this.perSample;
  }

  /** Adds the rows that are held to the sums. */
  private flush(): void {
    const { x, xq, held } = this;
    if (held > 0) this.sums[this.matrix]!.add(x.rows, (this.coded ? xq : x).rows, this.perSample, held);
    this.held = 0;
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
    const first = this.next(1, quantized);
    const positions = this.draw();
    const picked = new Float32Array(positions.length * width);
    positions.forEach((p, r) => {
      picked.set(rows.subarray(p * width, (p + 1) * width), r * width);
    });
    const at = first * width * 4;
    la.f32(this.x.rows + at, picked.length).set(picked);
    if (quantized) la.f32(this.xq.rows + at, picked.length).set(quantizeHidden(picked));
    if (!quantized) this.importance!.add(la, graph, x, rows, c0);
  }

  /** Moments of every matrix; frees the sums. */
  finish(centred: boolean): TileMoments[][] {
    this.flush();
    const out = this.sums.map((s) => s.finish(centred));
    this.ctx.la.release(this.mark);
    return out;
  }
}

/** A value of a sample that may be a constant of the graph (initial states). */
export function constantOrRead(ctx: Context, name: string, read: Tensor | undefined): Tensor | undefined {
  return name === '' ? undefined : (constantOf(ctx.graph, name) ?? read);
}
