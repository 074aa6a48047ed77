import type { Emitter } from '../emitter.ts';
import { clip, softmax, withNumber } from './arithmetic.ts';

type Activation = (e: Emitter, x: string) => string;

const plain =
  (op: string): Activation =>
  (e, x) =>
    e.op(op, [x]);

/** Activations by the name that Keras gives them. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  linear: (_, x) => x,
  relu: plain('Relu'),
  relu6: (e, x) => clip(e, x, 0, 6),
  elu: plain('Elu'),
  selu: plain('Selu'),
  sigmoid: plain('Sigmoid'),
  hard_sigmoid: (e, x) => e.op('HardSigmoid', [x], { alpha: 0.2, beta: 0.5 }),
  tanh: plain('Tanh'),
  softmax: (e, x) => softmax(e, x),
  log_softmax: (e, x) => e.op('LogSoftmax', [x], { axis: -1 }),
  softplus: plain('Softplus'),
  softsign: plain('Softsign'),
  exponential: plain('Exp'),
  swish: (e, x) => e.op('Mul', [x, e.op('Sigmoid', [x])]),
  silu: (e, x) => e.op('Mul', [x, e.op('Sigmoid', [x])]),
  mish: plain('Mish'),
  gelu: plain('Gelu'),
  gelu_new: (e, x) => e.op('Gelu', [x], { approximate: 'tanh' }),
};

export const isActivation = (name: string): boolean => Object.hasOwn(ACTIVATIONS, name);

/** x after an activation; an error for one that is not known. */
export function activate(e: Emitter, x: string, name: string): string {
  const apply = isActivation(name) ? ACTIVATIONS[name] : undefined;
  return apply ? apply(e, x) : e.reject(`activation '${name}' is not supported`);
}

export function leakyRelu(e: Emitter, x: string, slope: number): string {
  return e.op('LeakyRelu', [x], { alpha: { float: slope } });
}

/** max(x, 0) with a slope below a threshold, and an upper limit. */
export function generalRelu(e: Emitter, x: string, max: number | undefined, slope: number, threshold: number): string {
  if (threshold !== 0) {
    if (slope !== 0 || max !== undefined) e.reject('a threshold together with a slope or a maximum is not supported');
    return e.op('ThresholdedRelu', [x], { alpha: { float: threshold } });
  }
  if (slope !== 0) {
    const y = leakyRelu(e, x, slope);
    return max === undefined ? y : withNumber(e, 'Min', y, max);
  }
  return max === undefined ? e.op('Relu', [x]) : clip(e, x, 0, max);
}
