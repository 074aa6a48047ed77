import { type Graph, GraphBuilder, type Packing } from '../ir/graph.ts';
import { fromHalf, isHalf, toHalf } from '../util/half.ts';
import { type Tensor, tensor } from '../util/tensor.ts';

/** Vectors shorter than this stay exact: epsilons and scale factors, where rounding saves nothing. */
const MIN_ROUNDED = 16;
/** Largest rounding error of an element relative to the vector's rms. */
const HARMLESS = 1 / 1024;

/**
 * Float constants that no layer replaces, as half precision where that is harmless, and integers marked as such: the
 * graph that is measured is the graph that is shipped.
 */
export function packConstants(graph: Graph, except: ReadonlySet<string>): Graph {
  const b = new GraphBuilder(graph.name, graph);
  for (const v of graph.values.values()) {
    if (!v.data || v.packing || except.has(v.name)) continue;
    const packed = packConstant(v.data);
    if (packed) b.setValue({ ...v, data: packed.data, packing: packed.packing });
  }
  return b.build();
}

function packConstant(data: Tensor): { data: Tensor; packing: Packing } | undefined {
  switch (data.dtype) {
    case 'f32':
      return packFloats(data as Tensor<'f32'>);
    case 'i8':
    case 'i16':
    case 'i32':
    case 'i64':
      return { data, packing: { kind: 'ints' } };
    default:
      return undefined;
  }
}

function packFloats(data: Tensor<'f32'>): { data: Tensor; packing: Packing } | undefined {
  if (data.data.every((v) => isHalf(v))) return { data, packing: { kind: 'f16' } };
  if (data.data.length < MIN_ROUNDED) return undefined;
  const halves = roundedToHalf(data.data);
  return halves && { data: tensor('f32', data.shape, halves), packing: { kind: 'f16' } };
}

/** The vector rounded to half precision, or undefined when an element would lose too much. */
export function roundedToHalf(values: Float32Array): Float32Array | undefined {
  let square = 0;
  for (const v of values) if (Number.isFinite(v)) square += v * v;
  const tolerance = HARMLESS * Math.sqrt(square / Math.max(1, values.length));
  const out = values.map((v) => fromHalf(toHalf(v)));
  for (let i = 0; i < values.length; i++) {
    const error = Math.abs(out[i]! - values[i]!);
    // A large element may err by its own half ulp; a small one by a thousandth of the vector's size.
    if (error > Math.max(tolerance, Math.abs(values[i]!) / 2048)) return undefined;
    if (Number.isNaN(error) && values[i] !== out[i]) return undefined;
  }
  return out;
}

/** A bias as the graph holds it: half precision where harmless. */
export function biasConstant(values: Float32Array): { data: Tensor; packing?: Packing } {
  const halves = roundedToHalf(values);
  if (!halves) return { data: tensor('f32', [values.length], values) };
  return { data: tensor('f32', [values.length], halves), packing: { kind: 'f16' } };
}
