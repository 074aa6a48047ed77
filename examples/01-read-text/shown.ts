import { createRandom } from './random.ts';

/**
 * Which lines to show: half of them where original and compressed differ (as far as there are any), the rest at random, all drawn by a
 * seed and in the order of the lines.
 */
export function chooseShown(original: readonly string[], compressed: readonly string[], count: number): number[] {
  const r = createRandom('shown');
  const draw = (from: number[], n: number): number[] => {
    const out: number[] = [];
    while (out.length < n && from.length > 0) out.push(...from.splice(r.int(0, from.length - 1), 1));
    return out;
  };
  const all = original.map((_, i) => i);
  const differing = draw(
    all.filter((i) => original[i] !== compressed[i]),
    Math.floor(count / 2),
  );
  const rest = draw(
    all.filter((i) => original[i] === compressed[i]),
    count - differing.length,
  );
  return [...differing, ...rest].sort((a, b) => a - b);
}
