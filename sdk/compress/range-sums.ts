import { valueNamed } from '../ir/graph.ts';
import { byteLength, type Tensor } from '../util/tensor.ts';
import { Ranges } from './activations.ts';
import type { Context } from './context.ts';

/** Ranges of a value of many samples, found in the heap of a Linalg. */
export class RangeSums {
  private readonly la: Context['la'];
  private readonly channels: number;
  private readonly mark: number;
  private readonly x: number;
  private readonly low: number;
  private readonly high: number;
  private readonly nonzero: number;
  private rows = 0;

  constructor({ la, graph }: Pick<Context, 'la' | 'graph'>, value: string) {
    const { type } = valueNamed(graph, value);
    this.la = la;
    this.channels = type.shape.at(-1) ?? 1;
    this.mark = la.mark();
    this.x = la.alloc(byteLength(type));
    this.low = la.alloc(this.channels * 4);
    this.high = la.alloc(this.channels * 4);
    this.nonzero = la.alloc(this.channels * 8);
  }

  add(x: Tensor): void {
    const { la, channels } = this;
    const data = x.data as Float32Array;
    la.f32(this.x, data.length).set(data);
    const rows = data.length / channels;
    la.ranges(this.low, this.high, this.nonzero, this.x, rows, channels);
    this.rows += rows;
  }

  /** Frees the memory, and all that was taken after it. */
  finish(): Ranges {
    const { la, channels } = this;
    const found = new Ranges(channels);
    found.low.set(la.f32(this.low, channels));
    found.high.set(la.f32(this.high, channels));
    found.count(this.rows, la.f64(this.nonzero, channels));
    la.release(this.mark);
    return found;
  }
}
