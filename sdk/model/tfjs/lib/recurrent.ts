import { tensor } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { activate } from './activation.ts';
import { concat, reshape, slice, split, transpose } from './shape.ts';

export type Cell = 'LSTM' | 'GRU' | 'SimpleRNN';

/** Gates of a cell, side by side in the columns of its weights: LSTM i f c o, GRU z r h. */
const GATES: Readonly<Record<Cell, number>> = { LSTM: 4, GRU: 3, SimpleRNN: 1 };

export interface Recurrence {
  readonly cell: Cell;
  readonly units: number;
  /** [inputs, gates * units]. */
  readonly kernel: string;
  /** [units, gates * units]. */
  readonly recurrent: string;
  /** [gates * units]; of a GRU with `resetAfter` [2, gates * units], the second row for the recurrent product. */
  readonly bias?: string | undefined;
  readonly activation: string;
  readonly recurrentActivation: string;
  /** Whether a GRU's reset gate is applied after the product with the recurrent weights. */
  readonly resetAfter: boolean;
  readonly backwards: boolean;
  /** Initial states [batch, units]; zero where there are none. */
  readonly initial: readonly string[];
}

export interface Run {
  /** [batch, steps, units], in the order of time. */
  readonly sequence: string;
  /** After the last step, each [batch, units]: hidden, and the cell of an LSTM. */
  readonly states: readonly string[];
}

/** More steps than this are too many operators. */
const MOST_STEPS = 512;

/** Runs a recurrent cell over x [batch, steps, inputs]. */
export function recur(e: Emitter, x: string, r: Recurrence): Run {
  if (e.shape(x).length !== 3) e.reject(`takes sequences of 3 dimensions, not [${e.shape(x).join()}]`);
  checkShapes(e, x, r);
  const usual = r.cell !== 'SimpleRNN' && r.activation === 'tanh' && r.recurrentActivation === 'sigmoid';
  return usual ? whole(e, x, r) : unrolled(e, x, r);
}

function checkShapes(e: Emitter, x: string, { cell, units, kernel, recurrent, bias, resetAfter }: Recurrence): void {
  const columns = GATES[cell] * units;
  const expect = (what: string, value: string, shape: readonly number[]): void => {
    const own = e.shape(value).join();
    if (own !== shape.join()) e.reject(`its ${what} is of shape [${own}], not [${shape.join()}]`);
  };
  expect('kernel', kernel, [e.shape(x)[2]!, columns]);
  expect('recurrent kernel', recurrent, [units, columns]);
  if (bias !== undefined) expect('bias', bias, resetAfter && cell === 'GRU' ? [2, columns] : [columns]);
}

/** One operator for all steps: the activations are those that its kernels have. */
function whole(e: Emitter, x: string, r: Recurrence): Run {
  const lstm = r.cell === 'LSTM';
  // ONNX has the gates of an LSTM in the order i o f c.
  const order = lstm ? [0, 3, 1, 2] : [0, 1, 2];
  const arranged = (v: string, axis: number): string => {
    const parts = split(
      e,
      v,
      order.map(() => r.units),
      axis,
    );
    return concat(
      e,
      order.map((g) => parts[g]!),
      axis,
    );
  };
  const matrix = (v: string): string => {
    const turned = transpose(e, arranged(v, 1), [1, 0]);
    return reshape(e, turned, [1, ...e.shape(turned)]);
  };
  const columns = order.length * r.units;
  const biases = (): string => {
    if (r.bias !== undefined && e.shape(r.bias).length === 2) return reshape(e, arranged(r.bias, 1), [1, 2 * columns]);
    const none = e.constant(tensor('f32', [columns]));
    return reshape(e, concat(e, [r.bias === undefined ? none : arranged(r.bias, 0), none], 0), [1, 2 * columns]);
  };
  const states = r.initial.map((s) => reshape(e, s, [1, ...e.shape(s)]));
  const inputs = [transpose(e, x, [1, 0, 2]), matrix(r.kernel), matrix(r.recurrent), biases(), '', ...states];
  const attrs = {
    hidden_size: r.units,
    direction: r.backwards ? 'reverse' : 'forward',
    ...(lstm ? {} : { linear_before_reset: r.resetAfter ? 1 : 0 }),
  };
  const [y, ...last] = e.ops(r.cell, inputs, lstm ? 3 : 2, attrs);
  const [steps, , batch, units] = e.shape(y!) as [number, number, number, number];
  return {
    sequence: transpose(e, reshape(e, y!, [steps, batch, units]), [1, 0, 2]),
    states: last.map((s) => reshape(e, s, [batch, units])),
  };
}

/** The operators of every step one by one, for activations that no kernel has. */
function unrolled(e: Emitter, x: string, r: Recurrence): Run {
  const [batch, steps] = e.shape(x) as [number, number, number];
  if (steps > MOST_STEPS)
    e.reject(
      `${steps} steps with the activations ${r.activation} and ${r.recurrentActivation} would be too many operators`,
      'Train it with the recurrent activation sigmoid, or on shorter sequences.',
    );
  const [inner, outer] = biasesOf(e, r);
  const products = e.op('MatMul', [x, r.kernel]);
  const all = inner === undefined ? products : e.op('Add', [products, inner]);
  const parts = split(e, all, new Array<number>(steps).fill(1), 1);
  const zero = e.op('Expand', [e.scalar(0), e.list([batch, r.units])]);
  let states = r.initial.length > 0 ? r.initial : r.cell === 'LSTM' ? [zero, zero] : [zero];
  const hidden: string[] = [];
  const step = STEPS[r.cell](e, r, outer);
  for (let k = 0; k < steps; k++) {
    const t = r.backwards ? steps - 1 - k : k;
    states = step(reshape(e, parts[t]!, [batch, GATES[r.cell] * r.units]), states);
    hidden[t] = reshape(e, states[0]!, [batch, 1, r.units]);
  }
  return { sequence: concat(e, hidden, 1), states };
}

/** Biases of the product with the inputs and of that with the hidden state. */
function biasesOf(e: Emitter, { bias }: Recurrence): readonly (string | undefined)[] {
  if (bias === undefined || e.shape(bias).length === 1) return [bias, undefined];
  return split(e, bias, [1, 1], 0).map((b) => reshape(e, b, e.shape(b).slice(1)));
}

/** The states after a step, from the product of its inputs and the states before. */
type Step = (inputs: string, states: readonly string[]) => string[];

const STEPS: Readonly<Record<Cell, (e: Emitter, r: Recurrence, bias: string | undefined) => Step>> = {
  SimpleRNN:
    (e, r) =>
    (inputs, [h]) => [activate(e, e.op('Add', [inputs, e.op('MatMul', [h!, r.recurrent])]), r.activation)],
  LSTM: (e, r) => {
    const gate = (v: string): string => activate(e, v, r.recurrentActivation);
    return (inputs, [h, c]) => {
      const sums = e.op('Add', [inputs, e.op('MatMul', [h!, r.recurrent])]);
      const [i, f, candidate, o] = split(e, sums, new Array<number>(4).fill(r.units), 1) as [
        string,
        string,
        string,
        string,
      ];
      const kept = e.op('Mul', [gate(f), c!]);
      const added = e.op('Mul', [gate(i), activate(e, candidate, r.activation)]);
      const cell = e.op('Add', [kept, added]);
      return [e.op('Mul', [gate(o), activate(e, cell, r.activation)]), cell];
    };
  },
  GRU: (e, r, bias) => {
    const gate = (v: string): string => activate(e, v, r.recurrentActivation);
    const two = 2 * r.units;
    const gates = slice(e, r.recurrent, [0], [two], [1]);
    const candidates = slice(e, r.recurrent, [two], [two + r.units], [1]);
    return (inputs, [h]) => {
      const [zr, x] = split(e, inputs, [two, r.units], 1) as [string, string];
      let sums: string;
      let past: (reset: string) => string;
      if (r.resetAfter) {
        const product = e.op('MatMul', [h!, r.recurrent]);
        const [own, candidate] = split(
          e,
          bias === undefined ? product : e.op('Add', [product, bias]),
          [two, r.units],
          1,
        );
        sums = e.op('Add', [zr, own!]);
        past = (reset) => e.op('Mul', [reset, candidate!]);
      } else {
        sums = e.op('Add', [zr, e.op('MatMul', [h!, gates])]);
        past = (reset) => e.op('MatMul', [e.op('Mul', [reset, h!]), candidates]);
      }
      const [z, reset] = split(e, gate(sums), [r.units, r.units], 1) as [string, string];
      const candidate = activate(e, e.op('Add', [x, past(reset)]), r.activation);
      // z * h + (1 - z) * candidate.
      return [e.op('Add', [candidate, e.op('Mul', [z, e.op('Sub', [h!, candidate])])])];
    };
  },
};
