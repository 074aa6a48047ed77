import type { Attrs } from '../graph.ts';
import { tanh32 } from '../math.ts';
import type { OpDef, Tensors } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { flag, num, str } from './lib/check.ts';
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

function evaluateGru(inputs: Tensors, attrs: Attrs): Float32Array[] {
  const h = num(attrs, 'hidden');
  const dirs = directionsOf(attrs);
  const linear = flag(attrs, 'linearBeforeReset');
  const [steps, batch, width] = inputs[0]!.shape as [number, number, number];
  const x = floats(inputs[0]);
  const y = new Float32Array(steps * dirs * batch * h);
  const hs = inputs[5] ? floats(inputs[5]).slice() : new Float32Array(dirs * batch * h);
  for (let d = 0; d < dirs; d++) {
    const p = directionParts(inputs, attrs, 3, d);
    for (let s = 0; s < steps; s++) {
      const t = p.reverse ? steps - 1 - s : s;
      for (let b = 0; b < batch; b++) {
        const at = (d * batch + b) * h;
        const from = (t * batch + b) * width;
        const old = hs.slice(at, at + h);
        const gate = (g: number): number =>
          sigmoid32(f(dotRow(p.w, g, x, from, width) + dotRow(p.r, g, old, 0, h) + p.b[g]! + p.b[3 * h + g]!));
        const reset = Float32Array.from({ length: h }, (_, k) => gate(h + k));
        const gated = linear ? old : old.map((v, k) => f(v * reset[k]!));
        for (let k = 0; k < h; k++) {
          const g = 2 * h + k;
          const input = dotRow(p.w, g, x, from, width) + p.b[g]!;
          const recurrent = dotRow(p.r, g, gated, 0, h) + p.b[3 * h + g]!;
          const candidate = tanh32(f(input + (linear ? reset[k]! * recurrent : recurrent)));
          const z = gate(k);
          hs[at + k] = f(f(f(1 - z) * candidate) + f(z * old[k]!));
          y[((t * dirs + d) * batch + b) * h + k] = hs[at + k]!;
        }
      }
    }
  }
  return [y, hs];
}

const caseInputs = (d: number): ReturnType<typeof sample>[] => [
  sample([4, 2, 3]),
  sample([d, 15, 3], 2, -0.5, 0.5),
  sample([d, 15, 5], 3, -0.5, 0.5),
  sample([d, 30], 4, -0.2, 0.2),
];

export const gru: OpDef = {
  name: 'GRU',
  doc: 'ONNX GRU, gates z r h; inputs: x [T,B,I], w [D,3H,I], r [D,3H,H], b? [D,6H], absent, h0? [D,B,H]; outputs y [T,D,B,H], yh [D,B,H].',
  tolerance: 'rounding',
  infer: (inputs, attrs) => inferRecurrent('GRU', inputs, attrs, 3, 1),
  evaluate(inputs, attrs) {
    const types = inferRecurrent('GRU', inputs, attrs, 3, 1);
    return evaluateGru(inputs, attrs).map((data, i) => f32(types[i]!.shape, data));
  },
  lower: (_inputs, attrs) => ({
    kind: 'gru',
    hidden: num(attrs, 'hidden'),
    direction: str(attrs, 'direction') as Direction,
    linearBeforeReset: flag(attrs, 'linearBeforeReset'),
  }),
  toOnnx: {
    write: (w) =>
      writeRecurrent(w, 'GRU', w.inputs(), { linear_before_reset: flag(w.attrs, 'linearBeforeReset') ? 1 : 0 }),
  },
  onnx: {
    GRU: (node) =>
      importRecurrent(node, 'GRU', ['Sigmoid', 'Tanh'], 1, {
        linearBeforeReset: node.int('linear_before_reset', 0) === 1,
      }),
  },
  cases: [
    {
      name: 'forward',
      inputs: caseInputs(1),
      attrs: { hidden: 5, direction: 'forward', linearBeforeReset: false },
      constants: [1, 2, 3],
    },
    {
      name: 'linear before reset',
      inputs: caseInputs(1),
      attrs: { hidden: 5, direction: 'forward', linearBeforeReset: true },
      constants: [1, 2, 3],
    },
    {
      name: 'bidirectional',
      inputs: caseInputs(2),
      attrs: { hidden: 5, direction: 'bidirectional', linearBeforeReset: true },
      constants: [1, 2, 3],
    },
    {
      name: 'with state',
      inputs: [...caseInputs(1), undefined, sample([1, 2, 5], 5)],
      attrs: { hidden: 5, direction: 'reverse', linearBeforeReset: false },
      constants: [1, 2, 3],
    },
  ],
};
