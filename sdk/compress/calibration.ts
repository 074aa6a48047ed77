import { type Graph, valueNamed } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import {
  type DType,
  formatType,
  newArray,
  numberAt,
  sameShape,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../util/tensor.ts';
import type { CalibrationData, Sample } from './types.ts';

/**
 * Arrays by input name, first axis = samples, as calibration data. Integers of another width and f64 are converted where every
 * value survives. Throws EW3202_DATA_INVALID naming the array, what was expected and what was found.
 */
export function validateCalibration(graph: Graph, arrays: Readonly<Record<string, Tensor>>): CalibrationData {
  for (const name of Object.keys(arrays)) {
    if (!graph.inputs.includes(name)) throw invalid(graph, `there is no model input '${name}'`, { array: name });
  }
  let count: number | undefined;
  const checked = new Map<string, Tensor>();
  for (const name of graph.inputs) {
    const array = arrays[name];
    if (!array) throw invalid(graph, `the array '${name}' is missing`, { array: name, found: Object.keys(arrays) });
    const { type } = valueNamed(graph, name);
    const n = samplesIn(graph, name, array, type);
    if (n === 0) throw invalid(graph, `array '${name}' holds no samples`, { array: name });
    if (count !== undefined && n !== count) {
      throw invalid(graph, `array '${name}' holds ${n} samples, others ${count}`, { array: name, samples: n });
    }
    count = n;
    checked.set(name, converted(graph, name, array, type.dtype));
  }
  const samples = Array.from({ length: count ?? 0 }, (_, i): Sample => {
    const entries = [...checked].map(([name, t]) => [name, slice(t, valueNamed(graph, name).type, i)] as const);
    return Object.fromEntries(entries);
  });
  return { samples };
}

function invalid(graph: Graph, message: string, details: Record<string, unknown>): EigenError {
  const wanted = graph.inputs.map((i) => {
    const { type } = valueNamed(graph, i);
    return `'${i}' ${formatType({ dtype: type.dtype, shape: type.shape }).replace('[1,', '[N,')}`;
  });
  return new EigenError('EW3202_DATA_INVALID', `calibration data: ${message}`, {
    hint: `Expected, with N samples: ${wanted.join('; ')}`,
    details,
  });
}

/** Arrays are [N, ...rest] for an input [1, ...rest], or [N, ...shape] for any input. */
function samplesIn(graph: Graph, name: string, array: Tensor, type: TensorType): number {
  const [n, ...rest] = array.shape;
  const asBatch = type.shape[0] === 1 && sameShape(rest, type.shape.slice(1));
  if (n !== undefined && (asBatch || sameShape(rest, type.shape))) return n;
  throw invalid(graph, `array '${name}' is ${formatType(array)}, the input is ${formatType(type)}`, {
    array: name,
    expected: type.shape,
    found: array.shape,
  });
}

const INTEGERS: ReadonlySet<DType> = new Set(['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64']);

function converted(graph: Graph, name: string, array: Tensor, to: DType): Tensor {
  const length = array.data.length;
  const floats = array.dtype === 'f32' || array.dtype === 'f64';
  for (let i = 0; floats && i < length; i++) {
    if (!Number.isFinite(array.data[i] as number)) {
      throw invalid(graph, `array '${name}' has the value ${array.data[i]} at element ${i}`, {
        array: name,
        element: i,
      });
    }
  }
  if (array.dtype === to) return array;
  const possible = to === 'f32' ? floats || INTEGERS.has(array.dtype) : INTEGERS.has(to) && INTEGERS.has(array.dtype);
  if (!possible) {
    throw invalid(graph, `array '${name}' is ${array.dtype}, the input is ${to}`, { array: name, expected: to });
  }
  const data = newArray(to, length);
  const big = to === 'i64' || to === 'u64';
  for (let i = 0; i < length; i++) {
    const v = numberAt(array, i);
    data[i] = (big ? BigInt(v) : v) as never;
    if (to !== 'f32' && Number(data[i]) !== v) {
      throw invalid(graph, `array '${name}', element ${i}: ${v} does not fit into ${to}`, { array: name, element: i });
    }
  }
  return { dtype: to, shape: array.shape, data };
}

function slice(t: Tensor, type: TensorType, i: number): Tensor {
  const n = sizeOf(type.shape);
  return { dtype: t.dtype, shape: [...type.shape], data: t.data.slice(i * n, (i + 1) * n) as Tensor['data'] };
}
