import { castTensor } from '../../ir/ops/cast.ts';
import { EigenError } from '../../util/errors.ts';
import { formatType, sameShape, sizeOf, type Tensor, type TensorType } from '../../util/tensor.ts';
import type { Importer, Scope } from './importer.ts';
import type { ValueInfoProto } from './onnx_pb.ts';
import { dtypeOf, invalidModel } from './tensor.ts';

/** How the open ends of a model are tied. */
export interface Bindings {
  /** Sizes of named dynamic dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Inputs that become constants. */
  readonly fixed?: Readonly<Record<string, Tensor>>;
}

/** Declares the inputs that are neither initializers nor fixed, with the sizes of dynamic dimensions filled in. */
export function defineInputs(
  importer: Importer,
  declared: readonly ValueInfoProto[],
  scope: Scope,
  options: Bindings,
): void {
  const unbound = new Map<string, string>();
  const inputs = declared.filter((i) => !scope.has(i.name));
  checkFixed(options.fixed ?? {}, inputs);
  checkDims(options.dims ?? {}, inputs);
  const dims = { ...batchDims(inputs), ...options.dims };
  for (const info of inputs) {
    if (scope.has(info.name)) throw invalidModel(`input '${info.name}' is listed twice`);
    const fixed = options.fixed?.[info.name];
    const type = inputType(info, dims, fixed, unbound);
    if (fixed) importer.defineConstant(info.name, fixedValue(info.name, fixed, type), scope);
    else scope.set(info.name, importer.builder.input(info.name, type));
  }
  if (unbound.size === 0) return;
  const names = [...unbound.keys()];
  throw new EigenError(
    'EW3003_DIM_UNBOUND',
    `dynamic dimensions have no size: ${[...unbound].map(([d, i]) => `${d} (input '${i}')`).join(', ')}`,
    {
      hint: `Bind them: ${names.map((n) => `--dim ${n}=64`).join(' ')}.`,
      details: { dims: names },
    },
  );
}

function checkFixed(fixed: Readonly<Record<string, Tensor>>, inputs: readonly ValueInfoProto[]): void {
  for (const name of Object.keys(fixed)) {
    if (inputs.some((i) => i.name === name)) continue;
    throw new EigenError('EW1001_USAGE', `the model has no input '${name}' to set`, {
      hint: `Its inputs are ${inputs.map((i) => i.name).join(', ')}.`,
    });
  }
}

function checkDims(dims: Readonly<Record<string, number>>, inputs: readonly ValueInfoProto[]): void {
  const known = inputs.flatMap((i) => {
    const all = i.type?.tensorType?.shape?.dim ?? [];
    return all.flatMap(({ value }, axis) => (value.case === 'dimValue' && value.value > 0 ? [] : [dimName(i, axis)]));
  });
  for (const name of Object.keys(dims)) {
    if (known.includes(name)) continue;
    throw new EigenError('EW1001_USAGE', `the inputs have no dynamic dimension '${name}'`, {
      hint: known.length > 0 ? `There are ${[...new Set(known)].join(', ')}.` : 'All of their sizes are fixed.',
    });
  }
}

/** What a dimension is called: its own name, or its place. */
function dimName(info: ValueInfoProto, axis: number): string {
  const value = info.type?.tensorType?.shape?.dim[axis]?.value;
  return (value?.case === 'dimParam' && value.value) || `${info.name}.${axis}`;
}

/** Names of dynamic first axes: batches, of 1 wherever the name occurs. */
function batchDims(inputs: readonly ValueInfoProto[]): Record<string, number> {
  const names = inputs.flatMap((i) => {
    const first = i.type?.tensorType?.shape?.dim[0]?.value;
    return first?.case === 'dimParam' && first.value !== '' ? [first.value] : [];
  });
  return Object.fromEntries(names.map((n) => [n, 1]));
}

/** Type of an input: a dynamic first axis is a batch of 1 unless bound, any other must be bound. */
function inputType(
  info: ValueInfoProto,
  dims: Readonly<Record<string, number>>,
  fixed: Tensor | undefined,
  unbound: Map<string, string>,
): TensorType {
  const t = info.type?.tensorType;
  if (!t) throw invalidModel(`input '${info.name}' is not a tensor`);
  const dtype = dtypeOf(t.elemType, `input '${info.name}'`);
  if (!t.shape) {
    if (fixed) return { dtype, shape: fixed.shape };
    throw invalidModel(
      `input '${info.name}' has no shape`,
      'Export the model with input shapes; dynamic sizes may have names.',
    );
  }
  const shape = t.shape.dim.map((d, axis) => {
    if (d.value.case === 'dimValue' && Number(d.value.value) > 0) return Number(d.value.value);
    const name = dimName(info, axis);
    const bound = dims[name];
    if (bound !== undefined) {
      if (Number.isSafeInteger(bound) && bound >= 1) return bound;
      throw new EigenError('EW1001_USAGE', `dimension ${name} = ${bound} is not possible`, {
        hint: `Give a whole number of at least 1: --dim ${name}=64.`,
      });
    }
    if (fixed) return fixed.shape[axis] ?? 1;
    if (axis > 0) unbound.set(name, info.name);
    return 1;
  });
  if (!(sizeOf(shape) <= 2 ** 31))
    throw invalidModel(`input '${info.name}' of shape [${shape.join(',')}] is too large`);
  return { dtype, shape };
}

/** The value of a fixed input in its declared type; one element fits any shape of one element. */
function fixedValue(name: string, value: Tensor, type: TensorType): Tensor {
  const cast = castTensor(value, type.dtype);
  if (sameShape(cast.shape, type.shape)) return cast;
  if (sizeOf(type.shape) === cast.data.length) return { dtype: cast.dtype, shape: type.shape, data: cast.data };
  throw new EigenError(
    'EW1001_USAGE',
    `input '${name}' is ${formatType(type)}; it cannot be set to ${formatType(value)}`,
    {
      hint: 'Give as many values as the input has elements.',
    },
  );
}

/** Values of fixed inputs in the types and shapes that the model declares for them. Throws EW1001_USAGE as defineInputs does. */
export function fixedValues(
  inputs: readonly ValueInfoProto[],
  { fixed = {}, dims = {} }: Bindings,
): Record<string, Tensor> {
  checkFixed(fixed, inputs);
  const sizes = { ...batchDims(inputs), ...dims };
  const declared = inputs.filter((i) => i.name in fixed);
  return Object.fromEntries(
    declared.map((info) => {
      const value = fixed[info.name]!;
      return [info.name, fixedValue(info.name, value, inputType(info, sizes, value, new Map()))];
    }),
  );
}
