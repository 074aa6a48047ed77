import { type InputScales, MatrixFit, type QuantizedMatrix, type TileCodes } from '../../sdk/compress/quantize.ts';
import { BIT_PRICE, closest, Density, fittedLevels, type Levels, pricedSteps, wholeSteps } from './levels.ts';

/** How codes are chosen: whole steps by what they cost as well; or levels of their own, for entropy coding or for a fixed width. */
export type Choice =
  | { readonly kind: 'whole' }
  /** As many levels as the bits a uniform code takes and `slack` bits more, filled up to a whole number of bits. */
  | { readonly kind: 'coded'; readonly slack: number }
  | { readonly kind: 'fixed'; readonly slack: number };

/** Largest entry of a codebook: entries are int8, so that products of integers stay exact. */
const LARGEST = 127;
/** Places a unit of the table by which a value finds its entry, and units that it reaches to either side. */
const FINE = 32;
const SPAN = 256;
/** Most bits of the number of an entry. */
const WIDEST = 7;

/** Where a value finds its code, and the size of codes in steps. */
interface Codebook {
  readonly table: Int8Array;
  readonly unit: number;
}

/**
 * Fits whose codes are entries of a codebook a matrix: levels times one unit a matrix, in the steps of rows. Levels are fitted to what
 * error feedback gives to be rounded to whole steps, weighted by what an error in its column costs.
 */
export function codebookFit(choice: Choice): typeof MatrixFit {
  return class extends MatrixFit {
    private codebook: Codebook | undefined;
    private density = new Density();

    override round(step: number, relative: Int32Array, limit: number, inputs: InputScales): QuantizedMatrix {
      if (!this.moments) return super.round(step, relative, limit, inputs);
      this.density = new Density();
      this.codebook = undefined;
      super.round(step, relative, limit, inputs);
      this.codebook = codebookOf(levelsFor(choice, this.density), choice.kind === 'whole');
      return super.round(step * this.codebook.unit, relative, limit, inputs);
    }

    /** Rows have the steps that they have without a codebook. */
    protected override reach(limit: number): number {
      return super.reach(limit) / (this.codebook?.unit ?? 1);
    }

    protected override roundCodes({ t, u, r, k, n, rows, scale, q, e }: TileCodes): void {
      const { la, codebook, density } = this;
      const [target, errors, codes] = [la.f32(t, k * n), la.f32(e, k * n), la.i8(q, k * n)];
      const [feedback, factor] = r === 0 ? [] : [la.f32(r, k * k), la.f64(u, k * k)];
      const [s, inv] = [la.f32(scale.s, n), la.f32(scale.inv, n)];
      const v = new Float32Array(n);
      for (let j = k - 1; j >= 0; j--) {
        v.set(target.subarray(j * n, (j + 1) * n));
        for (let i = j + 1; feedback && i < k; i++) {
          const f = feedback[j * k + i]!;
          for (let c = 0; c < n; c++) v[c]! += f * errors[i * n + c]!;
        }
        const energy = factor ? factor[j * k + j]! ** 2 : 1;
        for (let c = 0; c < n; c++) {
          const x = v[c]! * inv[c]!;
          if (!codebook && c < rows) density.add(x, energy * s[c]! ** 2);
          const code = codebook ? codeOf(codebook, x) : Math.max(-LARGEST, Math.min(LARGEST, Math.round(x)));
          codes[j * n + c] = code;
          errors[j * n + c] = target[j * n + c]! - code * s[c]!;
        }
      }
    }
  };
}

function levelsFor(choice: Choice, density: Density): Levels {
  if (choice.kind === 'whole') return pricedSteps(density, BIT_PRICE);
  const bits = wholeSteps(density).entropy + choice.slack;
  const count = 2 ** Math.max(1, Math.min(WIDEST, Math.ceil(bits)));
  return fittedLevels(density, count, choice.kind === 'coded' ? BIT_PRICE : 0);
}

function codebookOf(levels: Levels, whole: boolean): Codebook {
  const largest = levels.values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const unit = whole || largest === 0 ? 1 : largest / LARGEST;
  const table = Int8Array.from({ length: 2 * SPAN * FINE + 1 }, (_, i) => {
    const code = Math.round(levels.values[closest(levels, (i / FINE - SPAN) * unit)]! / unit);
    return Math.max(-LARGEST, Math.min(LARGEST, code));
  });
  return { table, unit };
}

function codeOf({ table }: Codebook, x: number): number {
  return table[Math.max(0, Math.min(table.length - 1, Math.round((x + SPAN) * FINE)))]!;
}
