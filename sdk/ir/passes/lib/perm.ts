import { sizeOf } from '../../../util/tensor.ts';

export function isIdentity(perm: readonly number[]): boolean {
  return perm.every((p, i) => p === i);
}

/** Whether transposing a tensor of `shape` leaves its bytes where they are: only axes of one element move. */
export function isFree(shape: readonly number[], perm: readonly number[]): boolean {
  const moved = perm.filter((p) => shape[p] !== 1);
  return moved.every((p, i) => i === 0 || p > moved[i - 1]!);
}

/** The permutation that applies `first` and then `second`. */
export function compose(first: readonly number[], second: readonly number[]): number[] {
  return second.map((p) => first[p]!);
}

/** A list given per axis of the transposed view, in the order of the axes of its base. */
export function toBase<T>(perm: readonly number[], values: readonly T[]): T[] {
  const out = new Array<T>(values.length);
  perm.forEach((p, i) => {
    out[p] = values[i]!;
  });
  return out;
}

export interface Reshaped {
  readonly shape: number[];
  readonly perm: number[];
}

/**
 * A reshape of a transposed view, as a reshape of its base and another transposition: view = transpose(base, perm), and
 * reshape(view, out) = transpose(reshape(base, result.shape), result.perm). Possible when every group of axes that is merged or split is
 * contiguous in the base as well; undefined otherwise. Axes of one element are free to go anywhere.
 */
export function reshapeThrough(
  base: readonly number[],
  perm: readonly number[],
  out: readonly number[],
): Reshaped | undefined {
  if (sizeOf(out) === 0) return undefined;
  const rank = new Map(base.flatMap((d, i) => (d !== 1 ? [i] : [])).map((axis, i) => [axis, i]));
  const view = perm.filter((p) => base[p] !== 1);
  const target = out.flatMap((d, i) => (d !== 1 ? [i] : []));
  const segments: { first: number; out: number[] }[] = [];
  let v = 0;
  let o = 0;
  while (v < view.length) {
    const start = v;
    const outs: number[] = [];
    let [a, b] = [base[view[v++]!]!, 1];
    while (a !== b || outs.length === 0) {
      if (b < a) {
        if (o >= target.length) return undefined;
        b *= out[target[o]!]!;
        outs.push(target[o++]!);
      } else {
        if (v >= view.length) return undefined;
        a *= base[view[v++]!]!;
      }
    }
    const ranks = view.slice(start, v).map((p) => rank.get(p)!);
    if (ranks.some((r, i) => i > 0 && r !== ranks[i - 1]! + 1)) return undefined;
    segments.push({ first: ranks[0]!, out: outs });
  }
  segments.sort((p, q) => p.first - q.first);
  const order = segments.flatMap((s) => s.out);
  const ones = out.flatMap((d, i) => (d === 1 ? [i] : []));
  const axes = [...ones, ...order];
  return { shape: axes.map((i) => out[i]!), perm: out.map((_, i) => axes.indexOf(i)) };
}
