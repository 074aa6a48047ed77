import { EigenError } from '../util/errors.ts';
import { newArray, numberAt, sameShape, sizeOf, type Tensor, type TensorType } from '../util/tensor.ts';

/** Named arrays whose first axis is the sample: how data enters and leaves (.npz files). */
export type SampleArrays = Readonly<Record<string, Tensor>>;

export interface NamedType extends TensorType {
  readonly name: string;
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
 * Arrays as samples of a model's inputs. An input of shape [1, ...] takes arrays [N, ...] or [N, 1, ...].
 * Throws EW3202_DATA_INVALID naming the array: missing, unknown, of another type or shape, NaN or infinite, no samples.
 */
export function samplesOf(arrays: SampleArrays, inputs: readonly NamedType[], check: SampleCheck = {}): Samples {
  const source = check.source ?? 'the data';
  const wanted = inputs.map((i) => `${i.name} ${i.dtype}[N, ${restOf(i).join(', ')}]`).join('; ');
  const fail = (message: string, details: Record<string, unknown>): EigenError =>
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
    if (t.dtype !== input.dtype)
      throw fail(`array '${input.name}' is ${t.dtype}, the model takes ${input.dtype}`, {
        array: input.name,
        dtype: t.dtype,
      });
    if (!fits(t.shape, input.shape))
      throw fail(`array '${input.name}' has shape [${t.shape.join(', ')}]`, { array: input.name, shape: t.shape });
    const n = t.shape[0]!;
    if (n === 0) throw fail(`array '${input.name}' holds no samples`, { array: input.name });
    if (count !== undefined && n !== count)
      throw fail(`array '${input.name}' holds ${n} samples, others ${count}`, { array: input.name, samples: n });
    count = n;
    const bad = firstNotFinite(t);
    if (bad >= 0)
      throw fail(
        `array '${input.name}', sample ${Math.floor(bad / sizeOf(input.shape))}: the value is ${numberAt(t, bad)}`,
        { array: input.name, element: bad },
      );
  }
  checkOthers(arrays, inputs, check, fail);
  if (count === undefined) throw fail('the model has no inputs', {});
  return {
    count,
    at: (i) => Object.fromEntries(inputs.map((input) => [input.name, sampleAt(arrays[input.name]!, input, i)])),
  };
}

function checkOthers(
  arrays: SampleArrays,
  inputs: readonly NamedType[],
  { fixed = {}, extra = [] }: SampleCheck,
  fail: (message: string, details: Record<string, unknown>) => EigenError,
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

function sampleAt(t: Tensor, type: TensorType, i: number): Tensor {
  const size = sizeOf(type.shape);
  return { dtype: t.dtype, shape: [...type.shape], data: t.data.slice(i * size, (i + 1) * size) } as Tensor;
}

/** Index of the first NaN or infinity; -1 when all are finite or the type has none. */
function firstNotFinite(t: Tensor): number {
  if (t.dtype !== 'f32' && t.dtype !== 'f64') return -1;
  return (t.data as Float32Array).findIndex((v) => !Number.isFinite(v));
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
