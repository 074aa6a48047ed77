import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { spaceOf } from '../c/epilogue.ts';
import { collapsedSpace } from '../c/map.ts';
import { adjacent, keptIndex } from '../c/reduce.ts';
import { step, summedCodes } from '../c/reduce-columns.ts';
import { codesOf, emitEpilogue, emitRowTail, overRow, rowBuffer, scratchOf, sourceOf } from './epilogue.ts';

/**
 * Elementwise kernels, and those that look at whole rows. Sums over a row are four partial ones, of every fourth element, which is how
 * engines with vectors add up.
 */

/** A group without a root: elementwise nodes over tensors in memory. */
export function emitMap(ctx: KernelContext): KernelText {
  const { shape } = ctx.type(ctx.group.tail[0]!.node.outputs[0]!);
  const space = ctx.group.rowTail ? spaceOf(shape) : collapsedSpace(ctx, shape);
  const buffer = rowBuffer(ctx, space.cols);
  const epi = emitEpilogue(ctx, space, undefined);
  const body = `for (i32 row = 0; row < ${space.rows}; row++) {
    ${overRow(ctx, space.cols, 'row', '0', buffer.argument)}
    ${emitRowTail(ctx, buffer.pointer, 'row')}
  }`;
  return { helpers: epi, body, macs: 0 };
}

type Fn = KernelOf<'reduce'>['fn'];

const START: Record<Fn, string> = {
  sum: '0.0f',
  mean: '0.0f',
  sumsq: '0.0f',
  prod: '1.0f',
  max: '-EW_INFINITY',
  min: 'EW_INFINITY',
};

/** How partial results are joined: sums of squares are sums by then. */
const join = (fn: Fn, a: string, b: string): string => step(fn === 'sumsq' ? 'sum' : fn, a, b);

export function emitReduce(ctx: KernelContext, l: Lowered<KernelOf<'reduce'>>): KernelText {
  const x = l.node.inputs[0]!;
  const { shape } = ctx.type(x);
  const axes = [...l.spec.axes].sort((a, b) => a - b);
  const { fn } = l.spec;
  const folded = adjacent(shape, axes);
  const dst = ctx.write(l.node.outputs[0]!);
  const start = `f4_splat(${START[fn]})`;
  const mean = (v: string, n: number): string => (fn === 'mean' ? `f4_div(${v}, f4_splat(${n}.0f))` : v);
  if (!folded) {
    const { outer, red, outerIndex, redIndex } = keptIndex(shape, axes);
    const body = `for (i32 o = 0; o < ${outer}; o++) {
    const float *s = ${ctx.read(x)} + ${outerIndex}; f4 acc = ${start};
    for (i32 k = 0; k < ${red}; k++) { const f4 v = f4_load(s + ${redIndex}); acc = ${step(fn, 'acc', 'v')}; }
    f4_store(${dst} + o, ${mean('acc', red)});
  }`;
    return { helpers: '', body, macs: 0 };
  }
  const { outer, red, inner } = folded;
  if (inner === 1) {
    const body = `for (i32 row = 0; row < ${outer}; row++) {
    const float *s = ${ctx.read(x)} + row * ${red};
    f4 acc[4] = {${start}, ${start}, ${start}, ${start}};
    for (i32 k = 0; k < ${red}; k++) { const f4 v = f4_load(s + k); acc[k & 3] = ${step(fn, 'acc[k & 3]', 'v')}; }
    f4_store(${dst} + row, ${mean(join(fn, join(fn, 'acc[0]', 'acc[1]'), join(fn, 'acc[2]', 'acc[3]')), red)});
  }`;
    return { helpers: '', body, macs: 0 };
  }
  const coded = summedCodes(ctx, x, fn, red);
  if (coded) {
    const codes = codesOf(ctx, coded);
    const body = `for (i32 o = 0; o < ${outer}; o++) for (i32 j = 0; j < ${inner}; j++) {
    const ${codes.type} *s = ${codes.pointer} + o * ${red * inner} + j; i32 sum = 0;
    for (i32 k = 0; k < ${red}; k++, s += ${inner}) sum += *s;
    f4_store(${dst} + o * ${inner} + j, ${mean(codes.sum('sum', red, 'j'), red)});
  }`;
    return { helpers: '', body, macs: 0 };
  }
  const source = sourceOf(ctx, x);
  const body = `for (i32 o = 0; o < ${outer}; o++) for (i32 j = 0; j < ${inner}; j++) {
    const ${source.type} *s = ${source.pointer} + o * ${red * inner} + j; f4 acc = ${start};
    for (i32 k = 0; k < ${red}; k++, s += ${inner}) { const f4 v = ${source.at('s', 'j')}; acc = ${step(fn, 'acc', 'v')}; }
    f4_store(${dst} + o * ${inner} + j, ${mean('acc', red)});
  }`;
  return { helpers: '', body, macs: 0 };
}

export function emitSoftmax(ctx: KernelContext, l: Lowered<KernelOf<'softmax'>>): KernelText {
  const { shape } = ctx.type(l.node.inputs[0]!);
  const { axis, log } = l.spec;
  const red = shape[axis]!;
  const outer = sizeOf(shape.slice(0, axis));
  const inner = sizeOf(shape.slice(axis + 1));
  const [src, dst] = [ctx.read(l.node.inputs[0]!), ctx.write(l.node.outputs[0]!)];
  const at = inner === 1 ? 'k' : `k * ${inner}`;
  const shifted = `f4_sub(f4_load(s + ${at}), m)`;
  // Along the last axis sums are partial ones.
  const [sums, add, total] =
    inner === 1
      ? ['float sum[4] = {0}', 'sum[k & 3] = sum[k & 3] + ew_float(e)', 'f4_splat(ew_sum4(sum))']
      : ['float sum = 0.0f', 'sum = sum + ew_float(e)', 'f4_splat(sum)'];
  const body = `for (i32 r = 0; r < ${outer * inner}; r++) {
    const float *s = ${src} + r / ${inner} * ${red * inner} + r % ${inner}; float *d = ${dst} + r / ${inner} * ${red * inner} + r % ${inner};
    f4 m = f4_splat(-EW_INFINITY); ${sums};
    for (i32 k = 0; k < ${red}; k++) m = f4_max(m, f4_load(s + ${at}));
    for (i32 k = 0; k < ${red}; k++) { const f4 e = ew_exp(${shifted}); ${add}; ${log ? '' : `f4_store(d + ${at}, e);`} }
    const f4 total = ${total};
    ${
      log
        ? `const f4 shift = f4_add(m, ew_log(total));
    for (i32 k = 0; k < ${red}; k++) f4_store(d + ${at}, f4_sub(f4_load(s + ${at}), shift));`
        : `for (i32 k = 0; k < ${red}; k++) f4_store(d + ${at}, f4_div(f4_load(d + ${at}), total));`
    }
  }`;
  return { helpers: '', body, macs: 0 };
}

export function emitLayerNorm(ctx: KernelContext, l: Lowered<KernelOf<'layernorm'>>): KernelText {
  const [x, scale, bias] = l.node.inputs as [string, string?, string?];
  const { shape } = ctx.type(x);
  const { axis, rms } = l.spec;
  const d = sizeOf(shape.slice(axis));
  const rows = sizeOf(shape.slice(0, axis));
  const source = sourceOf(ctx, x);
  const gamma = scale ? ctx.read(scale) : '';
  const beta = bias ? ctx.read(bias) : '';
  const space = { ...spaceOf([...shape.slice(0, axis), d]), merged: shape.length - axis };
  const epi = emitEpilogue(ctx, space, l.node.outputs[0]!);
  const buffer = rowBuffer(ctx, d);
  // Codes are decoded into scratch first, since the row is read more than once.
  const decoded = source.type === 'float' ? '' : scratchOf(ctx, 'float', d);
  const row = decoded
    ? `for (i32 k = 0; k < ${d}; k++) f4_store(${decoded} + k, ${source.at(`${source.pointer} + row * ${d} + k`, 'k')}); const float *s = ${decoded};`
    : `const float *s = ${source.pointer} + row * ${d};`;
  const sum = (term: string): string =>
    `float sums[4] = {0}; for (i32 k = 0; k < ${d}; k++) sums[k & 3] = sums[k & 3] + ${term};`;
  const mean = rms ? 'const float mu = 0.0f;' : `float mu; { ${sum('s[k]')} mu = ew_sum4(sums) / ${d}.0f; }`;
  let v = 'f4_mul(f4_sub(f4_load(s + n), f4_splat(mu)), inv)';
  if (gamma) v = `f4_mul(${v}, f4_load(${gamma} + n))`;
  if (beta) v = `f4_add(${v}, f4_load(${beta} + n))`;
  const body = `for (i32 row = 0; row < ${rows}; row++) {
    ${row}
    ${mean}
    float var; { ${sum('(s[k] - mu) * (s[k] - mu)')} var = ew_sum4(sums) / ${d}.0f; }
    const f4 inv = f4_div(f4_splat(1.0f), f4_sqrt(f4_splat(var + ${Math.fround(l.spec.epsilon).toExponential(9)}f)));
    ${overRow(ctx, d, 'row', v, buffer.argument)}
    ${emitRowTail(ctx, buffer.pointer, 'row')}
  }`;
  return { helpers: epi, body, macs: 0 };
}
