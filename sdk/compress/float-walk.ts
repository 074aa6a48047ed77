import { constantOf, type Graph, valueNamed } from '../ir/graph.ts';
import { byteLength, sizeOf, type Tensor, tensor } from '../util/tensor.ts';
import { type Context, needsMoments } from './context.ts';
import type { Layer } from './layers.ts';
import { lstmValues } from './lstm.ts';
import type { Session } from './runner.ts';
import { Stream } from './stream.ts';
import type { Sample } from './types.ts';

/** What the values that are kept may take together, bytes. */
const KEPT_BYTES = 48 << 20;

/** Values of the fitted samples, one after another. */
interface Kept {
  readonly data: Float32Array;
  /** Where that of a sample begins. */
  readonly starts: Map<Sample, number>;
}

type Walked = Pick<Context, 'graph' | 'layers' | 'fit'>;

/**
 * What the float network feeds its layers, for passes over the fitted samples. It is the same in all of them, so what fits into memory is
 * computed once: the inputs of the last layers, which take most steps to get to and least memory.
 */
export class FloatValues {
  private readonly session: Session;
  private readonly graph: Graph;
  private readonly fitted: ReadonlySet<Sample>;
  private readonly kept = new Map<string, Kept>();

  constructor(ctx: Walked, session: Session, limit = KEPT_BYTES) {
    this.graph = ctx.graph;
    this.session = session;
    this.fitted = new Set(ctx.fit);
    let left = limit;
    for (const layer of ctx.layers.toReversed()) {
      for (const name of valuesOf(ctx.graph, layer)) {
        const { type } = valueNamed(ctx.graph, name);
        if (this.kept.has(name) || type.dtype !== 'f32') continue;
        left -= byteLength(type) * ctx.fit.length;
        if (left < 0) return;
        this.kept.set(name, { data: new Float32Array(sizeOf(type.shape) * ctx.fit.length), starts: new Map() });
      }
    }
  }

  /** A walk over samples; values must be asked for in the order of their use. */
  over(samples: readonly Sample[]): FloatWalk {
    const stream = new Stream(this.session, samples);
    return {
      samples: samples.length,
      read: async (i, names) => {
        const known = names.map((name) => this.known(name, samples[i]!));
        if (known.every((t) => t !== undefined)) return known;
        const read = await stream.read(i, names);
        names.forEach((name, k) => {
          this.keep(name, samples[i]!, read[k]!);
        });
        return read;
      },
      close: () => stream.close(),
    };
  }

  /** Lets go of what was kept: compilers need the memory. */
  close(): void {
    this.kept.clear();
  }

  private known(name: string, sample: Sample): Tensor | undefined {
    const kept = this.kept.get(name);
    const start = kept?.starts.get(sample);
    if (start === undefined) return undefined;
    const { shape } = valueNamed(this.graph, name).type;
    return tensor('f32', shape, kept!.data.subarray(start, start + sizeOf(shape)));
  }

  private keep(name: string, sample: Sample, { data }: Tensor): void {
    const kept = this.kept.get(name);
    if (!kept || kept.starts.has(sample) || !this.fitted.has(sample)) return;
    const start = kept.starts.size * data.length;
    kept.data.set(data as Float32Array, start);
    kept.starts.set(sample, start);
  }
}

/** As a Stream is read. */
export interface FloatWalk extends Pick<Stream, 'samples' | 'read' | 'close'> {}

/** Values that the fit of a layer reads. */
function valuesOf(graph: Graph, layer: Layer): string[] {
  if (!needsMoments(layer)) return [];
  const names = layer.kind === 'lstm' ? Object.values(lstmValues(layer)) : [layer.input];
  return names.filter((name) => name !== '' && !constantOf(graph, name));
}
