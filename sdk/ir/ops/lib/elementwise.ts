import { EigenError } from '../../../util/errors.ts';
import { type DType, formatType, type Tensor, type TensorType } from '../../../util/tensor.ts';
import type { OnnxAttr, OnnxWriter } from '../../backend.ts';
import type { Expr } from '../../expr.ts';
import type { OnnxImporter } from '../../frontend.ts';
import type { Attrs } from '../../graph.ts';
import type { OpCase, OpDef, Types } from '../../op.ts';
import { broadcast, invalid, required } from './check.ts';
import { evaluateFloat, evaluateInteger } from './interpret.ts';

export interface ElementwiseSpec {
  readonly name: string;
  readonly doc: string;
  /** Number of inputs. */
  readonly arity: number;
  /** The computation; input i is x(i). */
  readonly expr: (attrs: Attrs) => Expr;
  /** bool: a predicate. same (default): the inputs' dtype. */
  readonly result?: 'same' | 'bool';
  readonly onnx?: Readonly<Record<string, OnnxImporter>>;
  /** How it is written as ONNX; by default as the ONNX operator of its name with its attributes, numbers being floats. */
  readonly toOnnx?: (w: OnnxWriter) => void;
  readonly cases?: readonly OpCase[];
}

/** Imports a node whose inputs and outputs are those of the IR operator and which has no attributes. */
export function plain(op: string, arity: number): OnnxImporter {
  return (node) => {
    node.emit(op, node.inputs.slice(0, arity), {}, node.outputs.slice(0, 1));
  };
}

function writePlain(w: OnnxWriter, op: string): void {
  const attrs = Object.entries(w.attrs).map(([key, v]): [string, OnnxAttr] => [
    key,
    typeof v === 'number' ? { float: v } : (v as string),
  ]);
  w.emit(op, w.inputs(), Object.fromEntries(attrs), [w.output()]);
}

const names = new Set<string>();

/** Whether an operator was made by `elementwise`: it may be moved through transpositions and broadcasts. */
export function isElementwise(op: string): boolean {
  return names.has(op);
}

/** An operator from its scalar expression: inference, reference semantics and kernel all follow from it. */
export function elementwise(spec: ElementwiseSpec): OpDef {
  const { name, arity, expr } = spec;
  names.add(name);
  const infer = (inputs: Types): TensorType[] => {
    const types = Array.from({ length: arity }, (_, i) => required(name, inputs, i));
    const common = commonType(name, types);
    return [
      {
        dtype: spec.result === 'bool' ? 'bool' : common,
        shape: broadcast(
          name,
          types.map((t) => t.shape),
        ),
      },
    ];
  };
  return {
    name,
    doc: spec.doc,
    tolerance: 'exact',
    infer,
    evaluate(inputs, attrs) {
      const tensors = inputs.slice(0, arity) as Tensor[];
      const type = infer(tensors)[0]!;
      const float = tensors.every((t) => t.dtype === 'f32' || t.dtype === 'bool');
      return [(float ? evaluateFloat : evaluateInteger)(expr(attrs), tensors, type.shape, type.dtype)];
    },
    lower(inputs, attrs) {
      rejectIntegers(name, inputs);
      return { kind: 'map', expr: expr(attrs) };
    },
    toOnnx: { order: 'any', write: spec.toOnnx ?? ((w) => writePlain(w, name)) },
    ...(spec.onnx ? { onnx: spec.onnx } : {}),
    ...(spec.cases ? { cases: spec.cases } : {}),
  };
}

/** The dtype shared by all inputs that are not bool; bool when all are. */
function commonType(op: string, types: readonly { dtype: DType; shape: readonly number[] }[]): DType {
  const values = types.filter((t) => t.dtype !== 'bool');
  const first = values[0];
  if (!first) return 'bool';
  if (values.some((t) => t.dtype !== first.dtype))
    invalid(op, `inputs differ in type: ${types.map(formatType).join(', ')}`);
  return first.dtype;
}

function rejectIntegers(op: string, inputs: Types): void {
  const t = inputs.find((v) => v && v.dtype !== 'f32' && v.dtype !== 'bool');
  if (!t) return;
  throw new EigenError(
    'EW3102_OP_UNSUPPORTED',
    `${op} of ${formatType(t)}: integer arithmetic is done when the model is read, not on the device`,
    {
      hint: 'Bind the shape or input it depends on with --dim or --set, or cast to float in the model.',
    },
  );
}
