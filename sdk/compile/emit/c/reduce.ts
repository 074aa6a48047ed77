import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf, stridesOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, emitRowTail, hasLanewiseTail, rowBuffer, spaceOf } from './epilogue.ts';
import { type Lanes, NARROW, wideLanes, widened } from './lanes.ts';
import { floatSource } from './load.ts';
import { MOMENT_ROWS } from './moments.ts';
import { columnsReduced, type Fn, START, step } from './reduce-columns.ts';

/** The four lanes of a partial result combined in a fixed order. */
function lanes(fn: Fn): string {
  const op = fn === 'prod' ? '*' : '+';
  if (fn === 'max' || fn === 'min') {
    const c = fn === 'max' ? '<' : '>';
    return `float l0 = f4_lane(acc, 0), l1 = f4_lane(acc, 1), l2 = f4_lane(acc, 2), l3 = f4_lane(acc, 3); if (l0 ${c} l1) l0 = l1; if (l2 ${c} l3) l2 = l3; if (l0 ${c} l2) l0 = l2; float total = l0;`;
  }
  return `float total = (f4_lane(acc, 0) ${op} f4_lane(acc, 1)) ${op} (f4_lane(acc, 2) ${op} f4_lane(acc, 3));`;
}

/** Folds the reduced axes into one where they are adjacent: [outer, red, inner]. */
export function adjacent(
  shape: readonly number[],
  axes: readonly number[],
): { outer: number; red: number; inner: number } | undefined {
  const real = axes.filter((a) => shape[a]! > 1);
  const first = real[0] ?? axes[0] ?? 0;
  const last = real[real.length - 1] ?? first;
  for (let a = first; a <= last; a++) if (shape[a]! > 1 && !real.includes(a)) return undefined;
  return {
    outer: sizeOf(shape.slice(0, first)),
    red: sizeOf(shape.slice(first, last + 1)),
    inner: sizeOf(shape.slice(last + 1)),
  };
}

/** Reductions that keep the last axis whole, so that channel c of an operand is element c of a row. */
export function reducesColumns(spec: KernelOf<'reduce'>, shape: readonly number[]): boolean {
  const inner = adjacent(
    shape,
    [...spec.axes].sort((a, b) => a - b),
  )?.inner;
  return inner !== undefined && inner > 1 && inner === shape.at(-1);
}

export function emitReduce(ctx: KernelContext, l: Lowered<KernelOf<'reduce'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const shape = ctx.type(x).shape;
  const axes = [...l.spec.axes].sort((a, b) => a - b);
  const { fn } = l.spec;
  const folded = adjacent(shape, axes);
  const dst = ctx.write(y);
  if (!folded) return scattered(shape, axes, fn, ctx.read(x), dst);
  const { outer, red, inner } = folded;
  if (inner === 1) {
    const tail = `if (k < ${red}) acc = ${step(fn, 'acc', `ew_load_part(s + k, ${red} - k, ${fn === 'sumsq' ? '0.0f' : START[fn]})`)};`;
    const body = `${share(outer, 8, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    const float *s = ${ctx.read(x)} + row * ${red}; f4 acc = f4_splat(${START[fn]}); i32 k = 0;
    for (; k + 4 <= ${red}; k += 4) { f4 v = f4_load(s + k); acc = ${step(fn, 'acc', 'v')}; }
    ${red % 4 ? tail : ''}
    ${lanes(fn)}
    ${dst}[row] = ${fn === 'mean' ? `total / ${red}.0f` : 'total'};
  }`;
    return { helpers: '', body, macs: 0 };
  }
  return { helpers: '', body: columnsReduced(ctx, { x, dst, fn, ...folded }), macs: 0 };
}

/** Sizes of what is kept and what is reduced, and C expressions of their element offsets for indices `o` and `k`. */
export function keptIndex(shape: readonly number[], axes: readonly number[]) {
  const strides = stridesOf(shape);
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const size = (list: readonly number[]): number => sizeOf(list.map((a) => shape[a]!));
  const index = (list: readonly number[], v: string): string => {
    let below = size(list);
    const terms = list.map((a) => {
      below /= shape[a]!;
      return `(${v} / ${below} % ${shape[a]}) * ${strides[a]}`;
    });
    return terms.length ? terms.join(' + ') : '0';
  };
  return { outer: size(kept), red: size(axes), outerIndex: index(kept, 'o'), redIndex: index(axes, 'k') };
}

/** Reduced axes with kept ones between them: plain nested index arithmetic. */
function scattered(shape: readonly number[], axes: readonly number[], fn: Fn, src: string, dst: string): KernelText {
  const { outer, red, outerIndex, redIndex } = keptIndex(shape, axes);
  const body = `${share(outer, 8, 'r0', 'r1')}
  for (i32 o = r0; o < r1; o++) {
    const float *s = ${src} + ${outerIndex}; f4 acc = f4_splat(${START[fn]});
    for (i32 k = 0; k < ${red}; k++) { f4 v = f4_splat(s[${redIndex}]); acc = ${step(fn, 'acc', 'v')}; }
    ${dst}[o] = f4_lane(acc, 0)${fn === 'mean' ? ` / ${red}.0f` : ''};
  }`;
  return { helpers: '', body, macs: 0 };
}

export function emitLayerNorm(ctx: KernelContext, l: Lowered<KernelOf<'layernorm'>>): KernelText {
  const [x, scale, bias] = l.node.inputs as [string, string?, string?];
  const y = l.node.outputs[0]!;
  const shape = ctx.type(x).shape;
  const d = sizeOf(shape.slice(l.spec.axis));
  const rows = sizeOf(shape.slice(0, l.spec.axis));
  const { wide } = ctx.tuning;
  const block = wide && hasLanewiseTail(ctx) ? wideLanes(wide.lanes) : NARROW;
  const source = decodedRows(ctx, x, d, block);
  const gamma = scale ? ctx.read(scale) : '';
  const beta = bias ? ctx.read(bias) : '';
  const merged = shape.length - l.spec.axis;
  const space = { ...spaceOf([...shape.slice(0, l.spec.axis), d]), merged };
  const epi = emitEpilogue(ctx, 'epi', space, y, block);
  const buffer = rowBuffer(ctx, d);
  const norm = (i: number): string => {
    const at = i === 0 ? 'n' : `n + ${4 * i}`;
    let v = `f4_mul(f4_sub(f4_load(s + ${at}), f4_splat(mean[i])), f4_splat(inv))`;
    if (gamma) v = `f4_mul(${v}, f4_load(${gamma} + ${at}))`;
    return beta ? `f4_add(${v}, f4_load(${beta} + ${at}))` : v;
  };
  const values = block.pieces.map((_, i) => norm(i)).join(', ');
  const finish = `for (i32 n = 0; n < ${d}; n += ${block.block}) { const i32 nv = ${d} - n < ${block.block} ? ${d} - n : ${block.block}; epi(${ctx.arguments()}, row, n, nv, ${values}${buffer.argument}); }`;
  const body = `${share(rows, 1, 'r0', 'r1')}
  for (i32 first = r0; first < r1; first += ${MOMENT_ROWS}) {
    const i32 some = r1 - first < ${MOMENT_ROWS} ? r1 - first : ${MOMENT_ROWS}; float mean[${MOMENT_ROWS}], var[${MOMENT_ROWS}];
    ${source}
    ew_moments(all, ${d}, some, ${d}, ${l.spec.rms ? 0 : 1}, mean, var);
    for (i32 i = 0; i < some; i++) {
      const i32 row = first + i; const float *s = all + i * ${d};
      const float inv = f4_lane(f4_div(f4_splat(1.0f), f4_sqrt(f4_splat(var[i] + ${Math.fround(l.spec.epsilon).toExponential(9)}f))), 0);
      ${block.wide ? widened(finish) : finish}
      ${emitRowTail(ctx, buffer.pointer, 'row')}
    }
  }`;
  return { helpers: epi, body, macs: 0 };
}

/** Declares `all`, `some` rows of d elements of `x` from row `first` on: codes are decoded into scratch first, since rows are read more than once. */
function decodedRows(ctx: KernelContext, x: string, d: number, lanes: Lanes): string {
  const source = floatSource(ctx, x, lanes);
  if (source.type === 'float') return `const float *all = ${source.pointer} + first * ${d};`;
  const rows = `((float *)${ctx.scratch((MOMENT_ROWS * d + lanes.block) * 4)})`;
  const load = source.pair('v', `${source.pointer} + (first + i) * ${d} + n`, 'n');
  const stores = lanes.pieces.map((p, i) => `f4_store(d + n${i ? ` + ${4 * i}` : ''}, v${p});`).join(' ');
  const text = `for (i32 i = 0; i < some; i++) { float *d = ${rows} + i * ${d}; for (i32 n = 0; n < ${d}; n += ${lanes.block}) { ${load} ${stores} } }`;
  return `${lanes.wide ? widened(text) : text} const float *all = ${rows};`;
}

export function emitArgReduce(ctx: KernelContext, l: Lowered<KernelOf<'argreduce'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const shape = ctx.type(x).shape;
  const { axis, fn, lastIndex } = l.spec;
  const red = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const better = `${fn === 'max' ? '>' : '<'}${lastIndex ? '=' : ''}`;
  const body = `${share(sizeOf(shape) / red, 8, 'r0', 'r1')}
  for (i32 r = r0; r < r1; r++) {
    const float *s = ${ctx.read(x)} + r / ${inner} * ${red * inner} + r % ${inner}; float best = s[0]; i32 at = 0;
    for (i32 k = 1; k < ${red}; k++) if (s[k * ${inner}] ${better} best) { best = s[k * ${inner}]; at = k; }
    ${ctx.write(y)}[r] = at;
  }`;
  return { helpers: '', body, macs: 0 };
}
