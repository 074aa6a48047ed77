import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, share } from './context.ts';
import { type Lanes, NARROW, wideLanes, widened } from './lanes.ts';
import { type CodeSource, codedSource, floatSource } from './load.ts';

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

/** Largest magnitude of a zero point, and that of codes, for which sums of codes are integers. */
const MOST_CODE = 2 ** 15;

/** The node that decodes what is added up, where its codes are added up in its place: sums of `red` of them, less their zero points, fit 32 bits. */
export function summedCodes(ctx: KernelContext, x: string, fn: Fn, red: number): Lowered | undefined {
  const coded = ctx.decoded(x);
  if (!coded || (fn !== 'sum' && fn !== 'mean') || red * 2 * MOST_CODE >= 2 ** 31) return undefined;
  const zeros = ctx.constant(coded.node.inputs[2]!)?.data;
  return zeros && Array.from(zeros, Number).every((z) => Math.abs(z) <= MOST_CODE) ? coded : undefined;
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

/** Wide vectors that are added up side by side: one alone would wait for itself. */
const TOGETHER = 4;

/** How a block of columns is reduced: vectors of partial results by name, and what is done with a row of the block at `s`. */
interface Steps {
  /** Blocks of columns that fit registers. */
  readonly together: number;
  readonly type: string;
  readonly pointer: string;
  /** Declares partial results `<id><piece>`. */
  start(id: string): string;
  /** All rows of the block: `s` points to the first one, in a loop over k. */
  rows(list: readonly Taken[]): string;
  /** C expression of the result that vector `<id><piece>` becomes. */
  result(id: string, piece: string, channel: string, k: number): string;
}

/** A vector of partial results, and where in a row it takes from. */
interface Taken {
  readonly id: string;
  readonly at: string;
  readonly channel: string;
}

/** Rows of a loop over k in [0, red). */
const each = ({ red, inner }: Columns, text: string): string =>
  `for (i32 k = 0; k < ${red}; k++, s += ${inner}) { ${text} }`;

function stepsOf(ctx: KernelContext, c: Columns, lanes: Lanes): Steps {
  const { x, fn, red } = c;
  const mean = (v: string): string => (fn === 'mean' ? `f4_div(${v}, f4_splat(${red}.0f))` : v);
  const coded = summedCodes(ctx, x, fn, red);
  if (coded) return sumsOfCodes(c, codedSource(ctx, coded, lanes), lanes, mean);
  const source = floatSource(ctx, x, lanes);
  return {
    together: lanes.wide ? TOGETHER : 1,
    type: source.type,
    pointer: source.pointer,
    start: (id) => `f4 ${lanes.pieces.map((p) => `${id}${p} = f4_splat(${START[fn]})`).join(', ')};`,
    rows: (list) =>
      each(
        c,
        list
          .map(({ id, at, channel }) => {
            const steps = lanes.pieces.map((p) => `${id}${p} = ${step(fn, `${id}${p}`, `v${id}${p}`)};`);
            return `${source.pair(`v${id}`, at, channel)} ${steps.join(' ')}`;
          })
          .join(' '),
      ),
    result: (id, piece) => mean(`${id}${piece}`),
  };
}

/** So many codes of 8 bits are added up in 16. */
const IN_16_BITS = 256;

function sumsOfCodes(c: Columns, source: CodeSource, lanes: Lanes, mean: (v: string) => string): Steps {
  const bytes = source.type === 'i8' && !lanes.wide;
  const halves = (id: string, h: string): string =>
    `${id}a = i4_add(${id}a, i4_extend_lo(${h})); ${id}b = i4_add(${id}b, i4_extend_hi(${h}));`;
  const taken = ({ id, at }: Taken): string => {
    if (lanes.wide) return `${id}a = i4_add(${id}a, ${source.codes(at)});`;
    return bytes
      ? `h${id} = h8_add(h${id}, ${source.codes(at)});`
      : `{ const h8 v = ${source.codes(at)}; ${halves(id, 'v')} }`;
  };
  return {
    together: lanes.wide || bytes ? TOGETHER : TOGETHER / 2,
    type: source.type,
    pointer: source.pointer,
    start: (id) => `i4 ${lanes.pieces.map((p) => `${id}${p} = i4_splat(0)`).join(', ')};`,
    rows: (list) => {
      const text = list.map(taken).join(' ');
      if (!bytes) return each(c, text);
      const sums = `h8 ${list.map(({ id }) => `h${id} = h8_splat(0)`).join(', ')};`;
      const widened = list.map(({ id }) => halves(id, `h${id}`)).join(' ');
      if (c.red <= IN_16_BITS) return `${sums} ${each(c, text)} ${widened}`;
      return `for (i32 k = 0; k < ${c.red};) {
        const i32 end = k + ${IN_16_BITS} < ${c.red} ? k + ${IN_16_BITS} : ${c.red}; ${sums}
        for (; k < end; k++, s += ${c.inner}) { ${text} }
        ${widened}
      }`;
    },
    result: (id, piece, channel, k) => mean(source.sum(`${id}${piece}`, c.red, channel, k)),
  };
}

/**
 * A reduction whose innermost axis is kept: lanes are its elements. Whole wide vectors come first, a few of them side by side, then eight
 * elements at a time. Codes are added up as they are, and decoded once.
 */
export function columnsReduced(ctx: KernelContext, c: Columns): string {
  const { dst, outer, red, inner } = c;
  const { wide } = ctx.tuning;
  const narrow = stepsOf(ctx, c, NARROW);
  const blocks = Math.ceil(inner / 8);
  const put = (at: number, v: string): string =>
    `if (j + ${at + 4} <= ${inner}) f4_store(d + ${at}, ${v}); else if (j + ${at} < ${inner}) ew_store_part(d + ${at}, ${inner} - j - ${at}, ${v});`;
  const inWide =
    wide && inner >= wide.lanes ? sideBySide(stepsOf(ctx, c, wideLanes(wide.lanes)), c, wideLanes(wide.lanes)) : '';
  return `${share(outer * blocks, 4, 'r0', 'r1')}
  for (i32 r = r0; r < r1; r++) {
    const i32 o = r / ${blocks}, j = r % ${blocks} * 8;
    ${wide ? widened(inWide) : sideBySide(narrow, c, NARROW)}
    const ${narrow.type} *s = ${narrow.pointer} + o * ${red * inner} + j; ${narrow.start('c')}
    ${narrow.rows([{ id: 'c', at: 's', channel: 'j' }])}
    const f4 p = ${narrow.result('c', 'a', 'j', 0)}, q = ${narrow.result('c', 'b', 'j', 4)};
    float *d = ${dst} + o * ${inner} + j; ${put(0, 'p')} ${put(4, 'q')}
  }`;
}

/** As much of a part's share of a row as whole blocks fill: goes on with the block of eight that is behind it. */
function sideBySide(steps: Steps, { dst, red, inner }: Columns, { block, pieces, wide }: Lanes): string {
  const text = (count: number): string => {
    const all = Array.from({ length: count }, (_, i) => {
      const at = i === 0 ? '' : ` + ${i * block}`;
      return { id: `c${i}`, at: `s${at}`, channel: `j${at}`, to: `d${at}` };
    });
    const stores = all.flatMap(({ id, channel, to }) =>
      pieces.map((p, k) => `f4_store(${to}${k ? ' + 4' : ''}, ${steps.result(id, p, channel, 4 * k)});`),
    );
    return `if (j + ${count * block} <= ${inner} && r + ${(count * block) / 8} <= r1) {
      const ${steps.type} *s = ${steps.pointer} + o * ${red * inner} + j; ${all.map(({ id }) => steps.start(id)).join(' ')}
      ${steps.rows(all)}
      float *d = ${dst} + o * ${inner} + j; ${stores.join(' ')}
      r += ${(count * block) / 8 - 1}; continue;
    }`;
  };
  const counts = wide ? [steps.together, 1] : [steps.together];
  return counts
    .filter((n) => (wide || n > 1) && n * block <= inner)
    .map(text)
    .join('\n    ');
}
