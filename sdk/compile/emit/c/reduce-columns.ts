import type { KernelOf } from '../../../ir/kernel.ts';
import { type KernelContext, share } from './context.ts';
import { wideLanes, widened } from './lanes.ts';
import { floatSource } from './load.ts';

export type Fn = KernelOf<'reduce'>['fn'];

/** What a reduction begins with, in C. */
export const START: Record<Fn, string> = {
  sum: '0.0f',
  mean: '0.0f',
  sumsq: '0.0f',
  prod: '1.0f',
  max: '-__builtin_inff()',
  min: '__builtin_inff()',
};

/** C text: `acc` with `v` taken in. */
export function step(fn: Fn, acc: string, v: string): string {
  switch (fn) {
    case 'sum':
    case 'mean':
      return `f4_add(${acc}, ${v})`;
    case 'sumsq':
      return `f4_add(${acc}, f4_mul(${v}, ${v}))`;
    case 'prod':
      return `f4_mul(${acc}, ${v})`;
    case 'max':
      return `f4_max(${acc}, ${v})`;
    case 'min':
      return `f4_min(${acc}, ${v})`;
    default:
      return fn satisfies never;
  }
}

/** A reduction of [outer, red, inner] over its middle: the value that is read, and the pointer to the result. */
export interface Columns {
  readonly x: string;
  readonly dst: string;
  readonly fn: Fn;
  readonly outer: number;
  readonly red: number;
  readonly inner: number;
}

/** Vectors that are added up side by side: one alone would wait for itself. */
const TOGETHER = 4;

/**
 * A reduction whose innermost axis is kept: lanes are its elements. Whole wide vectors come first, a few of them side by side, then eight
 * elements at a time.
 */
export function columnsReduced(ctx: KernelContext, c: Columns): string {
  const { x, dst, fn, outer, red, inner } = c;
  const { wide } = ctx.tuning;
  const source = floatSource(ctx, x);
  const blocks = Math.ceil(inner / 8);
  const mean = fn === 'mean' ? `const f4 n = f4_splat(${red}.0f); p = f4_div(p, n); q = f4_div(q, n);` : '';
  const put = (at: number, v: string): string =>
    `if (j + ${at + 4} <= ${inner}) f4_store(d + ${at}, ${v}); else if (j + ${at} < ${inner}) ew_store_part(d + ${at}, ${inner} - j - ${at}, ${v});`;
  const vectors = wide && inner >= wide.lanes ? wideColumns(ctx, c, wide.lanes) : '';
  return `${share(outer * blocks, 4, 'r0', 'r1')}
  for (i32 r = r0; r < r1; r++) {
    const i32 o = r / ${blocks}, j = r % ${blocks} * 8;
    ${vectors}
    const ${source.type} *s = ${source.pointer} + o * ${red * inner} + j; f4 p = f4_splat(${START[fn]}), q = p;
    for (i32 k = 0; k < ${red}; k++, s += ${inner}) { ${source.pair('v', 's', 'j')} p = ${step(fn, 'p', 'va')}; q = ${step(fn, 'q', 'vb')}; }
    ${mean}
    float *d = ${dst} + o * ${inner} + j; ${put(0, 'p')} ${put(4, 'q')}
  }`;
}

/** As much of a part's share of a row as vectors fill: goes on with the block of eight that is behind it. */
function wideColumns(ctx: KernelContext, { x, dst, fn, red, inner }: Columns, lanes: number): string {
  const mean = (v: string): string => (fn === 'mean' ? `f4_div(${v}, f4_splat(${red}.0f))` : v);
  const source = floatSource(ctx, x, wideLanes(lanes));
  const text = (count: number): string => {
    const all = Array.from({ length: count }, (_, i) => i);
    const taken = all.map((i) => {
      const at = i === 0 ? '' : ` + ${i * lanes}`;
      return `${source.pair(`v${i}`, `s${at}`, `j${at}`)} sum${i} = ${step(fn, `sum${i}`, `v${i}a`)};`;
    });
    return `if (j + ${count * lanes} <= ${inner} && r + ${(count * lanes) / 8} <= r1) {
      const ${source.type} *s = ${source.pointer} + o * ${red * inner} + j; f4 ${all.map((i) => `sum${i} = f4_splat(${START[fn]})`).join(', ')};
      for (i32 k = 0; k < ${red}; k++, s += ${inner}) { ${taken.join(' ')} }
      float *d = ${dst} + o * ${inner} + j; ${all.map((i) => `f4_store(d + ${i * lanes}, ${mean(`sum${i}`)});`).join(' ')}
      r += ${(count * lanes) / 8 - 1}; continue;
    }`;
  };
  return widened([TOGETHER, 1].map(text).join('\n    '));
}
