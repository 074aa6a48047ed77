/** Time of a layer by what it does: seconds = perMac * macs + perByte * bytes + fixed, none below zero. */
export interface LinearTime {
  readonly perMac: number;
  readonly perByte: number;
  readonly fixed: number;
}

export interface Work {
  readonly macs: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Of all subsets of the three terms: bit masks, most terms first. */
const SUBSETS = [7, 5, 3, 6, 1, 2, 4];

/**
 * The line with the least squares of relative deviations whose terms are not negative: the best of the unconstrained fits of every subset
 * of terms that has none below zero, which is where the constrained optimum lies.
 */
export function fitTime(work: readonly Work[]): LinearTime {
  let best: { readonly terms: readonly number[]; readonly error: number } | undefined;
  for (const subset of SUBSETS) {
    const used = [0, 1, 2].filter((k) => subset & (1 << k));
    const rows = work.map((w) => [w.macs, w.bytes, 1].map((v) => v / w.seconds));
    const found = solve(
      used.map((a) => used.map((b) => rows.reduce((s, r) => s + r[a]! * r[b]!, 0))),
      used.map((a) => rows.reduce((s, r) => s + r[a]!, 0)),
    );
    if (!found || found.some((v) => v < 0)) continue;
    const terms = [0, 0, 0];
    used.forEach((k, i) => {
      terms[k] = found[i]!;
    });
    const error = rows.reduce((s, r) => s + (r.reduce((sum, v, k) => sum + v * terms[k]!, 0) - 1) ** 2, 0);
    if (!best || error < best.error) best = { terms, error };
  }
  const [perMac = 0, perByte = 0, fixed = 0] = best?.terms ?? [];
  return { perMac, perByte, fixed };
}

export function timeBy({ perMac, perByte, fixed }: LinearTime, { macs, bytes }: Omit<Work, 'seconds'>): number {
  return perMac * macs + perByte * bytes + fixed;
}

/** Gauss with pivots, on columns scaled to unit diagonal; undefined for a singular matrix. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] | undefined {
  const scale = matrix.map((row, i) => 1 / Math.sqrt(row[i]!));
  const a = matrix.map((row, i) => [...row.map((v, k) => v * scale[i]! * scale[k]!), right[i]! * scale[i]!]);
  const n = a.length;
  for (let c = 0; c < n; c++) {
    const pivot = a.slice(c).reduce((best, row) => (Math.abs(row[c]!) > Math.abs(best[c]!) ? row : best));
    if (Math.abs(pivot[c]!) < 1e-9) return undefined;
    a.splice(a.indexOf(pivot), 1);
    a.splice(c, 0, pivot);
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const factor = a[r]![c]! / pivot[c]!;
      for (let k = c; k <= n; k++) a[r]![k]! -= factor * pivot[k]!;
    }
  }
  return a.map((row, i) => (row[n]! / row[i]!) * scale[i]!);
}
