import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocate, curvesOf, divergenceOf, residentOf, type Unit, wireOf } from '../../sdk/compress/allocate.ts';
import type { Matrix } from '../../sdk/compress/layers.ts';
import type { TileMoments } from '../../sdk/compress/moments.ts';
import { inputScales, MatrixFit, rowExponents } from '../../sdk/compress/quantize.ts';
import { estimateInts } from '../../sdk/compress/size.ts';
import { Linalg } from '../../sdk/util/linalg/linalg.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { entropyBits, rms } from '../../sdk/util/stats.ts';

interface Problem {
  readonly weights: Float32Array;
  readonly matrix: Matrix;
  readonly moments: TileMoments;
  /** Rows [n][cols] of inputs that the moments do not come from. */
  readonly fresh: Float32Array;
  readonly freshQuantized: Float32Array;
}

/** Correlated inputs, and the same with errors, as the quantized upstream gives them. */
function problem(seed: number, rows: number, cols: number): Problem {
  const rng = new Rng(seed);
  const normal = (n: number, s = 1): Float32Array => Float32Array.from({ length: n }, () => s * rng.normal());
  const rank = Math.max(2, Math.floor(cols / 3));
  const mix = normal(rank * cols);
  const inputs = (n: number): Float32Array => {
    const z = normal(n * rank);
    const x = normal(n * cols, 0.2);
    for (let r = 0; r < n; r++) {
      for (let k = 0; k < rank; k++)
        for (let c = 0; c < cols; c++) x[r * cols + c]! += z[r * rank + k]! * mix[k * cols + c]!;
    }
    return x;
  };
  const disturbed = (x: Float32Array): Float32Array => x.map((v) => 0.9 * v + 0.15 * rng.normal());
  const n = 40 * cols;
  const x = inputs(n);
  const xq = disturbed(x);
  const moment = (a: Float32Array, b: Float32Array): Float32Array => {
    const out = new Float32Array(cols * cols);
    for (let r = 0; r < n; r++)
      for (let i = 0; i < cols; i++)
        for (let j = 0; j < cols; j++) out[i * cols + j]! += (a[r * cols + i]! * b[r * cols + j]!) / n;
    return out;
  };
  const zero = new Float64Array(cols);
  const fresh = inputs(200);
  return {
    weights: normal(rows * cols),
    matrix: { value: 'w', rows, cols, tiles: [{ row0: 0, rows, col0: 0, cols, src0: 0 }] },
    moments: { h: moment(xq, xq), cross: { of: 'inputs', sums: moment(x, xq) }, mean: zero, meanQuantized: zero },
    fresh,
    freshQuantized: disturbed(fresh),
  };
}

const settings = { damping: 0.05, sweeps: 0, biasCorrection: false };
const shapes = {
  seed: fc.integer({ min: 1, max: 1e6 }),
  rows: fc.integer({ min: 1, max: 12 }),
  cols: fc.integer({ min: 6, max: 24 }),
};

test('error feedback is not worse than plain rounding under H', () => {
  let ldlq = 0;
  let plain = 0;
  fc.assert(
    fc.property(fc.record(shapes), ({ seed, rows, cols }) => {
      const p = problem(seed, rows, cols);
      const la = new Linalg();
      const error = (gptq: boolean): number => {
        const fit = new MatrixFit(la, p.weights, p.matrix, [p.moments], {
          ...settings,
          damping: 1e-6,
          refit: false,
          gptq,
        });
        const relative = rowExponents(p.weights, rows);
        return fit.round(rms(p.weights) / 3, relative, 127, inputScales({ mode: 'none' }, rows)).error;
      };
      const [a, b] = [error(true), error(false)];
      ldlq += a;
      plain += b;
      // Greedy rounding bounds the sum of squares by the worst case of every column; single draws may be a little unlucky.
      assert.ok(a <= 1.15 * b, `${a} > ${b}`);
    }),
    { numRuns: 40, seed: 7 },
  );
  assert.ok(ldlq < 0.8 * plain, `${ldlq} against ${plain} in all`);
});

test('sweeps of coordinate descent never raise the error they descend on', () => {
  fc.assert(
    fc.property(fc.record(shapes), ({ seed, rows, cols }) => {
      const p = problem(seed, rows, cols);
      const error = (sweeps: number): number => {
        // Next to no damping, so that the error in question is the one that is reported.
        const own = { ...settings, damping: 1e-6, refit: false, gptq: true, sweeps };
        const fit = new MatrixFit(new Linalg(), p.weights, p.matrix, [p.moments], own);
        const inputs = inputScales({ mode: 'none' }, rows);
        return fit.round(rms(p.weights) / 3, rowExponents(p.weights, rows), 127, inputs).error;
      };
      const errors = [0, 1, 3].map(error) as [number, number, number];
      assert.ok(errors[1] <= errors[0] * 1.0001 && errors[2] <= errors[1] * 1.0001, errors.join(' '));
    }),
    { numRuns: 40, seed: 10 },
  );
});

/** Mean squared difference of W x and Wq xq over fresh rows. */
function outputError(p: Problem, codes: Int8Array, multipliers: Float32Array): number {
  const { rows, cols } = p.matrix;
  let sum = 0;
  for (let s = 0; s < p.fresh.length / cols; s++) {
    for (let r = 0; r < rows; r++) {
      let d = 0;
      for (let c = 0; c < cols; c++) {
        d +=
          p.weights[r * cols + c]! * p.fresh[s * cols + c]! -
          codes[r * cols + c]! * multipliers[r]! * p.freshQuantized[s * cols + c]!;
      }
      sum += d * d;
    }
  }
  return sum;
}

test('refit and error feedback lower the error on inputs they have not seen', () => {
  fc.assert(
    fc.property(
      fc.record({ ...shapes, rows: fc.integer({ min: 6, max: 12 }), cols: fc.integer({ min: 12, max: 24 }) }),
      (s) => {
        const p = problem(s.seed, s.rows, s.cols);
        const la = new Linalg();
        const error = (refit: boolean, gptq: boolean): number => {
          const fit = new MatrixFit(la, p.weights, p.matrix, [p.moments], { ...settings, refit, gptq });
          const q = fit.round(
            rms(p.weights) / 3,
            rowExponents(p.weights, s.rows),
            127,
            inputScales({ mode: 'none' }, s.rows),
          );
          return outputError(p, q.codes, q.multipliers);
        };
        const [both, none] = [error(true, true), error(false, false)];
        assert.ok(both < none, `${both} is not below ${none}`);
      },
    ),
    { numRuns: 25, seed: 8 },
  );
});

test('codes stay within the limit and rows are raised to fit', () => {
  fc.assert(
    fc.property(
      fc.record({
        ...shapes,
        bits: fc.integer({ min: 2, max: 8 }),
        step: fc.double({ min: 0.001, max: 2, noNaN: true }),
      }),
      (s) => {
        const p = problem(s.seed, s.rows, s.cols);
        const limit = 2 ** (s.bits - 1) - 1;
        const fit = new MatrixFit(new Linalg(), p.weights, p.matrix, [p.moments], {
          ...settings,
          refit: true,
          gptq: true,
        });
        const q = fit.round(s.step, rowExponents(p.weights, s.rows), limit, inputScales({ mode: 'none' }, s.rows));
        assert.ok(q.largestCode <= limit);
        assert.ok(q.multipliers.every((m) => m > 0 && Number.isFinite(m)));
      },
    ),
    { numRuns: 40, seed: 9 },
  );
});

test('allocation keeps to both budgets and gives more bits to what is more sensitive', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 2.2, max: 6, noNaN: true }), (seed, bits) => {
      const rng = new Rng(seed);
      const menu = [2, 3, 4, 5, 6, 7, 8];
      const units = [1e-4, 1e-2].map((sensitivity): Unit => {
        const weights = Float32Array.from({ length: 2048 }, () => rng.normal());
        const matrix = { weights, rows: 32, steps: new Float64Array(32).fill(1 / 3.5) };
        return {
          params: 2048,
          sensitivity,
          curves: curvesOf([matrix], menu),
        };
      });
      const budget = 4096 * bits;
      const choices = allocate(units, { wireBits: budget, residentBits: Number.POSITIVE_INFINITY });
      assert.ok(wireOf(units, choices) <= budget);
      assert.ok(choices[1]!.entropy > choices[0]!.entropy);
      const tight = allocate(units, { wireBits: budget, residentBits: 4096 * 3 });
      assert.ok(residentOf(units, tight) <= 4096 * 3);
      assert.ok(divergenceOf(tight) >= divergenceOf(choices));
    }),
    { numRuns: 6, seed: 10 },
  );
});

test('the estimate of coded integers is at least their entropy and at most their fixed width', () => {
  fc.assert(
    fc.property(fc.int8Array({ minLength: 1, maxLength: 400 }), (codes) => {
      const bytes = estimateInts(codes, 1, codes.length);
      assert.ok(bytes >= (entropyBits(codes) * codes.length) / 8);
      assert.ok(bytes <= codes.length + 2);
    }),
  );
});

test.run();
