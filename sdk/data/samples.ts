import { codesOf } from '../util/codes.ts';
import { EigenError } from '../util/errors.ts';
import { type DType, newArray, numberAt, sameShape, sizeOf, type Tensor, type TensorType } from '../util/tensor.ts';

/** Named arrays whose first axis is the sample: how data enters and leaves (.npz files). */
export type SampleArrays = Readonly<Record<string, Tensor>>;

export interface NamedType extends TensorType {
  readonly name: string;
  /** Of codes: a value is its code times this. Floats are rounded to codes. */
  readonly scale?: number | undefined;
}

export interface SampleCheck {
  /** Inputs fixed to a constant when the model was read: an array of that name must be equal to it throughout. */
  readonly fixed?: Readonly<Record<string, number>>;
  /** Names beside the inputs that may be there (labels, targets); all others are refused. */
  readonly extra?: readonly string[] | 'any';
  /** What to call the data in messages, e.g. the path of the file. */
  readonly source?: string;
}

/** Checked data: how many samples, and each of them in the exact shapes of the model. */
export interface Samples {
  readonly count: number;
  at(index: number): Record<string, Tensor>;
}

/**
 * Arrays as samples of a model's inputs, the one check for calibration, evaluation and running. An input of shape [1, ...] takes arrays
 * [N, ...] or [N, 1, ...]. Other types are converted where every value survives; f64 is rounded to f32, as every framework does.
 * Throws EW3202_DATA_INVALID naming the array: missing, unknown, of another type or shape, NaN or infinite, no samples.
 */
export function samplesOf(arrays: SampleArrays, inputs: readonly NamedType[], check: SampleCheck = {}): Samples {
  const source = check.source ?? 'the data';
  const wanted = inputs.map((i) => `${i.name} ${i.dtype}[${['N', ...restOf(i)].join(', ')}]`).join('; ');
  const fail: Fail = (message, details) =>
    new EigenError('EW3202_DATA_INVALID', `${source}: ${message}`, {
      hint: `Expected, N samples each: ${wanted}`,
      details,
    });
  let count: number | undefined;
  for (const input of inputs) {
    const t = arrays[input.name];
    if (!t)
      throw fail(`no array '${input.name}', there are: ${Object.keys(arrays).join(', ') || 'none'}`, {
        array: input.name,
      });
    const n = samplesIn(t, input, fail);
    if (count !== undefined && n !== count)
      throw fail(`array '${input.name}' holds ${n} samples, others ${count}`, { array: input.name, samples: n });
    count = n;
    checkValues(t, input, fail);
  }
  checkOthers(arrays, inputs, check, fail);
  if (count === undefined) throw fail('the model has no inputs', {});
  return {
    count,
    at: (i) => Object.fromEntries(inputs.map((input) => [input.name, sampleAt(arrays[input.name]!, input, i)])),
  };
}

/** Every sample, in order. */
export function allOf(samples: Samples): Record<string, Tensor>[] {
  return Array.from({ length: samples.count }, (_, i) => samples.at(i));
}

type Fail = (message: string, details: Record<string, unknown>) => EigenError;

function samplesIn(t: Tensor, input: NamedType, fail: Fail): number {
  if (!fits(t.shape, input.shape))
    throw fail(`array '${input.name}' has shape [${t.shape.join(', ')}]`, { array: input.name, shape: t.shape });
  const n = t.shape[0]!;
  if (n === 0) throw fail(`array '${input.name}' holds no samples`, { array: input.name });
  return n;
}

/** Largest magnitudes up to which floats hold every integer. */
const WHOLE_IN_FLOAT: Partial<Record<DType, number>> = { f32: 2 ** 24, f64: 2 ** 53 };

const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f64';
const isBig = (dtype: DType): boolean => dtype === 'i64' || dtype === 'u64';

/** Finite, and representable in the input's type. */
function checkValues(t: Tensor, input: NamedType, fail: Fail): void {
  const { name, scale } = input;
  if (isFloat(t.dtype) && !isFloat(input.dtype) && scale === undefined)
    throw fail(`array '${name}' is ${t.dtype}, the model takes ${input.dtype}`, { array: name, dtype: t.dtype });
  if (t.dtype === input.dtype && !isFloat(t.dtype)) return;
  const survives = keeps(t, scale !== undefined && isFloat(t.dtype) ? t.dtype : input.dtype);
  for (let i = 0; i < t.data.length; i++) {
    if (survives(i)) continue;
    const why = Number.isFinite(numberAt(t, i)) ? ` and does not fit into ${input.dtype}` : '';
    throw fail(`array '${name}', sample ${Math.floor(i / sizeOf(input.shape))}: the value is ${t.data[i]}${why}`, {
      array: name,
      element: i,
    });
  }
}

/** Whether the element at an index can be given to an input of type `to`. */
function keeps(t: Tensor, to: DType): (index: number) => boolean {
  if (isFloat(t.dtype)) {
    const fit = to === 'f32' ? Math.fround : (x: number): number => x;
    return (i) => Number.isFinite(fit(t.data[i] as number));
  }
  if (isFloat(to)) return (i) => Math.abs(numberAt(t, i)) <= WHOLE_IN_FLOAT[to]!;
  if (to === 'bool') return (i) => numberAt(t, i) === 0 || numberAt(t, i) === 1;
  const cell = newArray(to, 1);
  return (i) => {
    cell[0] = (isBig(to) ? BigInt(t.data[i]!) : Number(t.data[i])) as never;
    return BigInt(cell[0]!) === BigInt(t.data[i]!);
  };
}

function checkOthers(
  arrays: SampleArrays,
  inputs: readonly NamedType[],
  { fixed = {}, extra = [] }: SampleCheck,
  fail: Fail,
): void {
  for (const [name, t] of Object.entries(arrays)) {
    if (inputs.some((i) => i.name === name)) continue;
    if (name in fixed) {
      const other = Array.from(t.data as ArrayLike<number | bigint>, Number).find((v) => v !== fixed[name]);
      if (other !== undefined)
        throw fail(`array '${name}' holds ${other}, but the model was built with ${name}=${fixed[name]}`, {
          array: name,
        });
    } else if (extra !== 'any' && !extra.includes(name)) {
      throw fail(`array '${name}' is no input of the model`, { array: name });
    }
  }
}

function restOf({ shape }: TensorType): readonly number[] {
  return shape[0] === 1 ? shape.slice(1) : shape;
}

function fits(array: readonly number[], input: readonly number[]): boolean {
  if (array.length === 0) return false;
  const rest = array.slice(1);
  return sameShape(rest, input) || (input[0] === 1 && sameShape(rest, input.slice(1)));
}

function sampleAt(t: Tensor, { dtype, shape, scale }: NamedType, i: number): Tensor {
  const size = sizeOf(shape);
  // A view: data can be large, and nobody writes to samples.
  const part = t.data.subarray(i * size, (i + 1) * size);
  if (t.dtype === dtype) return { dtype, shape: [...shape], data: part } as Tensor;
  if (scale !== undefined && isFloat(t.dtype))
    return codesOf({ dtype: t.dtype, shape: [...shape], data: part } as Tensor, scale);
  const data = newArray(dtype, size);
  for (let k = 0; k < size; k++) data[k] = (isBig(dtype) ? BigInt(part[k]!) : Number(part[k])) as never;
  return { dtype, shape: [...shape], data } as Tensor;
}

/** Collects outputs sample by sample into arrays [N, ...]; a leading 1 of an output's shape becomes the sample axis. */
export class OutputCollector {
  private readonly arrays = new Map<
    string,
    { rest: readonly number[]; dtype: Tensor['dtype']; data: Tensor['data']; size: number }
  >();
  private readonly count: number;

  constructor(count: number) {
    this.count = count;
  }

  add(index: number, outputs: Readonly<Record<string, Tensor>>): void {
    for (const [name, t] of Object.entries(outputs)) {
      const size = sizeOf(t.shape);
      let a = this.arrays.get(name);
      if (!a) {
        a = { rest: restOf(t), dtype: t.dtype, data: newArray(t.dtype, size * this.count), size };
        this.arrays.set(name, a);
      }
      if (a.size !== size) throw new Error(`output '${name}' changes its size between samples`);
      a.data.set(t.data as never, index * size);
    }
  }

  result(): Record<string, Tensor> {
    return Object.fromEntries(
      [...this.arrays].map(([name, a]) => [
        name,
        { dtype: a.dtype, shape: [this.count, ...a.rest], data: a.data } as Tensor,
      ]),
    );
  }
}
