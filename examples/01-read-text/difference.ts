/** A stretch of a read text: as it should be, wrong or surplus, or missing. */
export interface Stretch {
  readonly kind: 'same' | 'wrong' | 'missing';
  readonly text: string;
}

/** The read text against the true one, along one shortest sequence of edits; `missing` stretches hold the true characters. */
export function differences(truth: string, read: string): Stretch[] {
  const t = [...truth];
  const r = [...read];
  const cost = costs(t, r);
  const backwards: Stretch[] = [];
  let [i, j] = [t.length, r.length];
  while (i > 0 || j > 0) {
    const here = cost[i]![j]!;
    const same = i > 0 && j > 0 && t[i - 1] === r[j - 1];
    if (i > 0 && j > 0 && cost[i - 1]![j - 1]! + (same ? 0 : 1) === here) {
      backwards.push({ kind: same ? 'same' : 'wrong', text: r[--j]! });
      i--;
    } else if (j > 0 && cost[i]![j - 1]! + 1 === here) {
      backwards.push({ kind: 'wrong', text: r[--j]! });
    } else {
      backwards.push({ kind: 'missing', text: t[--i]! });
    }
  }
  return merge(backwards.reverse());
}

function costs(t: readonly string[], r: readonly string[]): number[][] {
  const cost = Array.from({ length: t.length + 1 }, (_, i) => Array.from({ length: r.length + 1 }, (_, j) => i + j));
  for (let i = 1; i <= t.length; i++) {
    for (let j = 1; j <= r.length; j++) {
      const substituted = cost[i - 1]![j - 1]! + (t[i - 1] === r[j - 1] ? 0 : 1);
      cost[i]![j] = Math.min(substituted, cost[i - 1]![j]! + 1, cost[i]![j - 1]! + 1);
    }
  }
  return cost;
}

function merge(stretches: readonly Stretch[]): Stretch[] {
  const out: Stretch[] = [];
  for (const s of stretches) {
    const last = out[out.length - 1];
    if (last?.kind === s.kind) out[out.length - 1] = { kind: s.kind, text: last.text + s.text };
    else out.push(s);
  }
  return out;
}

/** For a terminal: wrong characters as [x], missing ones as [-x]. */
export function markDifferences(truth: string, read: string): string {
  return differences(truth, read)
    .map((s) => (s.kind === 'same' ? s.text : s.kind === 'wrong' ? `[${s.text}]` : `[-${s.text}]`))
    .join('');
}
