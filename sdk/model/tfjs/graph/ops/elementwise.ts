import { tensor } from '../../../../util/tensor.ts';
import { entryOf } from '../../json.ts';
import { activate, leakyRelu } from '../../lib/activation.ts';
import { clip, softmax, withNumber } from '../../lib/arithmetic.ts';
import { reshape } from '../../lib/shape.ts';
import type { TfNode, Translate, TranslateTable } from '../node.ts';
import { TF_TYPES } from '../topology.ts';

/** The same operator with the same operands there. */
const same =
  (op: string, inputs: number): Translate =>
  (n) =>
    n.e.op(
      op,
      Array.from({ length: inputs }, (_, i) => n.input(i)),
    );

const activation =
  (name: string): Translate =>
  (n) =>
    activate(n.e, n.input(0), name);

/** TensorFlow's type -> ONNX's number of it. */
const ONNX_TYPES = { f32: 1, i32: 6, bool: 9 } as const;

export function castTo(n: TfNode, x: string, type: 'f32' | 'i32' | 'bool'): string {
  return n.e.type(x).dtype === type ? x : n.e.op('Cast', [x], { to: ONNX_TYPES[type] });
}

function cast(n: TfNode): string {
  const type = entryOf(TF_TYPES, n.attrs.type('DstT') ?? '');
  if (type !== 'f32' && type !== 'i32' && type !== 'bool') n.e.reject(`casts to ${n.attrs.type('DstT')}`);
  return castTo(n, n.input(0), type as 'f32');
}

/** Whole numbers are divided to whole numbers: TensorFlow.js rounds all their quotients down, ONNX towards zero. */
function divide(n: TfNode): string {
  const [a, b] = [n.input(0), n.input(1)];
  if (n.e.type(a).dtype === 'i32') return n.e.op('Div', [n.e.op('Sub', [a, n.e.op('Mod', [a, b])]), b]);
  const quotient = n.e.op('Div', [a, b]);
  return n.op === 'FloorDiv' ? n.e.op('Floor', [quotient]) : quotient;
}

/** A condition of one axis chooses whole rows in the operator's first version. */
function select(n: TfNode): string {
  const [condition, shape] = [n.shape(0), n.shape(1)];
  const rows = n.op === 'Select' && condition.length === 1 && shape.length > 1;
  const wide = rows ? reshape(n.e, n.input(0), [condition[0]!, ...shape.slice(1).map(() => 1)]) : n.input(0);
  return n.e.op('Where', [wide, n.input(1), n.input(2)]);
}

function divideNoNan(n: TfNode): string {
  const zero = n.e.scalar(0);
  const isZero = n.e.op('Equal', [n.input(1), zero]);
  const divisor = n.e.op('Where', [isZero, n.e.scalar(1), n.input(1)]);
  return n.e.op('Where', [isZero, zero, n.e.op('Div', [n.input(0), divisor])]);
}

/** A constant of the input's shape. */
const likes =
  (value: number): Translate =>
  (n) => {
    const { dtype, shape } = n.e.type(n.input(0));
    return n.e.op('Expand', [n.e.constant(tensor(dtype, [], [value])), n.e.list(shape)]);
  };

export const ELEMENTWISE: TranslateTable = {
  Add: same('Add', 2),
  AddV2: same('Add', 2),
  AddN: (n) => n.e.op('Sum', n.inputs),
  Sub: same('Sub', 2),
  Mul: same('Mul', 2),
  Div: divide,
  RealDiv: divide,
  FloorDiv: divide,
  DivNoNan: divideNoNan,
  // Both have the sign of the divisor in TensorFlow.js.
  Mod: same('Mod', 2),
  FloorMod: same('Mod', 2),
  Maximum: same('Max', 2),
  Minimum: same('Min', 2),
  Pow: same('Pow', 2),
  SquaredDifference(n) {
    const d = n.e.op('Sub', [n.input(0), n.input(1)]);
    return n.e.op('Mul', [d, d]);
  },
  Equal: same('Equal', 2),
  NotEqual: (n) => n.e.op('Not', [n.e.op('Equal', [n.input(0), n.input(1)])]),
  Less: same('Less', 2),
  LessEqual: same('LessOrEqual', 2),
  Greater: same('Greater', 2),
  GreaterEqual: same('GreaterOrEqual', 2),
  LogicalAnd: same('And', 2),
  LogicalOr: same('Or', 2),
  LogicalNot: same('Not', 1),
  Select: select,
  SelectV2: select,
  Abs: same('Abs', 1),
  Neg: same('Neg', 1),
  Sign: same('Sign', 1),
  Floor: same('Floor', 1),
  Ceil: same('Ceil', 1),
  Round: same('Round', 1),
  Exp: same('Exp', 1),
  Expm1: (n) => withNumber(n.e, 'Sub', n.e.op('Exp', [n.input(0)]), 1),
  Log: same('Log', 1),
  Log1p: (n) => n.e.op('Log', [withNumber(n.e, 'Add', n.input(0), 1)]),
  Sqrt: same('Sqrt', 1),
  Rsqrt: (n) => n.e.op('Reciprocal', [n.e.op('Sqrt', [n.input(0)])]),
  Square: (n) => n.e.op('Mul', [n.input(0), n.input(0)]),
  Reciprocal: same('Reciprocal', 1),
  Inv: same('Reciprocal', 1),
  Sin: same('Sin', 1),
  Cos: same('Cos', 1),
  Erf: same('Erf', 1),
  Relu: activation('relu'),
  Relu6: activation('relu6'),
  Elu: activation('elu'),
  Selu: activation('selu'),
  Sigmoid: activation('sigmoid'),
  Tanh: activation('tanh'),
  Softplus: activation('softplus'),
  LeakyRelu: (n) => leakyRelu(n.e, n.input(0), n.attrs.float('alpha', 0.2)),
  Prelu: same('PRelu', 2),
  ClipByValue: (n) => clip(n.e, n.input(0), n.number(1, 'the lower limit'), n.number(2, 'the upper limit')),
  Softmax: (n) => softmax(n.e, n.input(0)),
  LogSoftmax: activation('log_softmax'),
  Cast: cast,
  ZerosLike: likes(0),
  OnesLike: likes(1),
};
