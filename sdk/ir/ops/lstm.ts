import type { Attrs } from '../graph.ts';
import { tanh32 } from '../math.ts';
import type { OpDef, Tensors } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { num, str } from './lib/check.ts';
import {
  type Direction,
  directionParts,
  directionsOf,
  dotRow,
  importRecurrent,
  inferRecurrent,
  sigmoid32,
  writeRecurrent,
} from './lib/recurrent.ts';

const f = Math.fround;

/** One LSTM cell update from the four gate sums (i o f c); returns the new cell and hidden values. */
export function lstmCell(gi: number, go: number, gf: number, gc: number, cell: number): { c: number; h: number } {
  const c = f(f(sigmoid32(gf) * cell) + f(sigmoid32(gi) * tanh32(gc)));
  return { c, h: f(sigmoid32(go) * tanh32(c)) };
}

function evaluateLstm(inputs: Tensors, attrs: Attrs): Float32Array[] {
  const h = num(attrs, 'hidden');
  const dirs = directionsOf(attrs);
  const [steps, batch, width] = inputs[0]!.shape as [number, number, number];
  const x = floats(inputs[0]);
  const y = new Float32Array(steps * dirs * batch * h);
  const hs = inputs[5] ? floats(inputs[5]).slice() : new Float32Array(dirs * batch * h);
  const cs = inputs[6] ? floats(inputs[6]).slice() : new Float32Array(dirs * batch * h);
  const gates = new Float32Array(4 * h);
  for (let d = 0; d < dirs; d++) {
    const p = directionParts(inputs, attrs, 4, d);
    for (let s = 0; s < steps; s++) {
      const t = p.reverse ? steps - 1 - s : s;
      for (let b = 0; b < batch; b++) {
        const at = (d * batch + b) * h;
        for (let g = 0; g < 4 * h; g++) {
          gates[g] =
            dotRow(p.w, g, x, (t * batch + b) * width, width) + dotRow(p.r, g, hs, at, h) + p.b[g]! + p.b[4 * h + g]!;
        }
        for (let k = 0; k < h; k++) {
          const next = lstmCell(gates[k]!, gates[h + k]!, gates[2 * h + k]!, gates[3 * h + k]!, cs[at + k]!);
          cs[at + k] = next.c;
          hs[at + k] = next.h;
          y[((t * dirs + d) * batch + b) * h + k] = next.h;
        }
      }
    }
  }
  return [y, hs, cs];
}

const caseInputs = (d: number): ReturnType<typeof sample>[] => [
  sample([4, 2, 3]),
  sample([d, 20, 3], 2, -0.5, 0.5),
  sample([d, 20, 5], 3, -0.5, 0.5),
  sample([d, 40], 4, -0.2, 0.2),
];

export const lstm: OpDef = {
  name: 'LSTM',
  doc: 'ONNX LSTM, gates i o f c; inputs: x [T,B,I], w [D,4H,I], r [D,4H,H], b? [D,8H], absent, h0? [D,B,H], c0? [D,B,H]; outputs y [T,D,B,H], yh, yc [D,B,H].',
  tolerance: 'rounding',
  infer: (inputs, attrs) => inferRecurrent('LSTM', inputs, attrs, 4, 2),
  evaluate(inputs, attrs) {
    const types = inferRecurrent('LSTM', inputs, attrs, 4, 2);
    return evaluateLstm(inputs, attrs).map((data, i) => f32(types[i]!.shape, data));
  },
  lower: (_inputs, attrs) => ({
    kind: 'lstm',
    hidden: num(attrs, 'hidden'),
    direction: str(attrs, 'direction') as Direction,
  }),
  toOnnx: { write: (w) => writeRecurrent(w, 'LSTM', w.inputs()) },
  onnx: { LSTM: (node) => importRecurrent(node, 'LSTM', ['Sigmoid', 'Tanh', 'Tanh'], 2, {}) },
  cases: [
    { name: 'forward', inputs: caseInputs(1), attrs: { hidden: 5, direction: 'forward' }, constants: [1, 2, 3] },
    { name: 'reverse', inputs: caseInputs(1), attrs: { hidden: 5, direction: 'reverse' }, constants: [1, 2, 3] },
    {
      name: 'bidirectional',
      inputs: caseInputs(2),
      attrs: { hidden: 5, direction: 'bidirectional' },
      constants: [1, 2, 3],
    },
    {
      name: 'with state, no bias',
      inputs: [...caseInputs(1).slice(0, 3), undefined, undefined, sample([1, 2, 5], 5), sample([1, 2, 5], 6)],
      attrs: { hidden: 5, direction: 'forward' },
      constants: [1, 2],
    },
  ],
};
