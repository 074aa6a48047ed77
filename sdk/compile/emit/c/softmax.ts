import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { widened } from './lanes.ts';

export function emitSoftmax(ctx: KernelContext, l: Lowered<KernelOf<'softmax'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const shape = ctx.type(x).shape;
  const { axis, log } = l.spec;
  const red = shape[axis]!;
  const outer = sizeOf(shape.slice(0, axis));
  const inner = sizeOf(shape.slice(axis + 1));
  const src = ctx.read(x);
  const dst = ctx.write(y);
  if (inner === 1) {
    const rest = red % 4;
    const lanes = ctx.tuning.wide?.lanes ?? 0;
    const wide = !log && lanes > 0 && red >= lanes ? wideRow(lanes, red) : undefined;
    const few = lanes === 0 && red >= 4 * TOGETHER ? narrowRow(red, log) : undefined;
    const body = `${share(outer, 1, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    const float *s = ${src} + row * ${red}; float *d = ${dst} + row * ${red};
    f4 m = f4_splat(-__builtin_inff()); i32 k = 0;
    ${wide?.max ?? few?.max ?? ''}
    for (; k + 4 <= ${red}; k += 4) m = f4_max(m, f4_load(s + k));
    ${rest ? `const f4 t = ew_load_part(s + k, ${rest}, -__builtin_inff()); m = f4_max(m, t);` : ''}
    const f4 top = f4_splat(ew_max4(m)); f4 sum = f4_splat(0.0f); k = 0;
    ${wide?.powers ?? few?.powers ?? ''}
    for (; k + 4 <= ${red}; k += 4) { f4 e = ew_exp_below(f4_sub(f4_load(s + k), top)); sum = f4_add(sum, e); ${log ? '' : 'f4_store(d + k, e);'} }
    ${rest ? `{ f4 e = ew_exp_below(f4_sub(t, top)); sum = f4_add(sum, e); ${log ? '' : `ew_store_part(d + k, ${rest}, e);`} }` : ''}
    const f4 total = f4_splat(ew_sum4(sum));
    ${
      log
        ? `const f4 shift = f4_add(top, ew_log(total));
    for (k = 0; k + 4 <= ${red}; k += 4) f4_store(d + k, f4_sub(f4_load(s + k), shift));
    ${rest ? `ew_store_part(d + k, ${rest}, f4_sub(t, shift));` : ''}`
        : `k = 0; ${wide?.shares ?? few?.shares ?? ''}
    for (; k + 4 <= ${red}; k += 4) f4_store(d + k, f4_div(f4_load(d + k), total));
    ${rest ? `ew_store_part(d + k, ${rest}, f4_div(ew_load_part(d + k, ${rest}, 0.0f), total));` : ''}`
    }
  }`;
    return { helpers: '', body, macs: 0 };
  }
  const cols = Math.ceil(inner / 4);
  const body = `${share(outer * cols, 1, 'r0', 'r1')}
  for (i32 r = r0; r < r1; r++) {
    const i32 o = r / ${cols}, j = r % ${cols} * 4, nv = ${inner} - j < 4 ? ${inner} - j : 4;
    const float *s = ${src} + o * ${red * inner} + j; float *d = ${dst} + o * ${red * inner} + j;
    f4 m = f4_splat(-__builtin_inff()), sum = f4_splat(0.0f);
    for (i32 k = 0; k < ${red}; k++) m = f4_max(m, f4_load(s + k * ${inner}));
    for (i32 k = 0; k < ${red}; k++) sum = f4_add(sum, ew_exp_below(f4_sub(f4_load(s + k * ${inner}), m)));
    for (i32 k = 0; k < ${red}; k++) {
      const f4 v = ${log ? `f4_sub(f4_load(s + k * ${inner}), f4_add(m, ew_log(sum)))` : `f4_div(ew_exp_below(f4_sub(f4_load(s + k * ${inner}), m)), sum)`};
      ew_store_part(d + k * ${inner}, nv, v);
    }
  }`;
  return { helpers: '', body, macs: 0 };
}

/** Vectors of four that are handled together: engines make constants once for all of them, and largest values do not wait for one another. */
const TOGETHER = 4;

/** The passes over as much of a row as that many vectors fill; powers are added up in the order of the row. */
function narrowRow(red: number, log: boolean): { max: string; powers: string; shares: string } {
  const all = Array.from({ length: TOGETHER }, (_, i) => i);
  const loop = (text: string): string => `for (; k + ${4 * TOGETHER} <= ${red}; k += ${4 * TOGETHER}) { ${text} }`;
  const each = (text: (i: number) => string): string => all.map(text).join(' ');
  return {
    max: `{ f4 ${all.map((i) => `m${i} = m`).join(', ')}; ${loop(each((i) => `m${i} = f4_max(m${i}, f4_load(s + k + ${4 * i}));`))} m = ${all.map((i) => `m${i}`).reduce((a, b) => `f4_max(${a}, ${b})`)}; }`,
    powers: loop(
      `const f4 ${all.map((i) => `e${i} = ew_exp_below(f4_sub(f4_load(s + k + ${4 * i}), top))`).join(', ')}; ${each((i) => `sum = f4_add(sum, e${i}); ${log ? '' : `f4_store(d + k + ${4 * i}, e${i});`}`)}`,
    ),
    shares: loop(each((i) => `f4_store(d + k + ${4 * i}, f4_div(f4_load(d + k + ${4 * i}), total));`)),
  };
}

/**
 * The passes over a row on wide vectors, for as much of it as fills them: their largest values (a NaN is never one), powers, which are added
 * up four by four as everywhere, and quotients.
 */
function wideRow(lanes: number, red: number): { max: string; powers: string; shares: string } {
  const loop = (text: string): string => `for (; k + ${lanes} <= ${red}; k += ${lanes}) ${text}`;
  const fours = Array.from({ length: lanes / 4 }, (_, i) => 4 * i);
  const most = widened(`f4 most = f4_splat(-__builtin_inff()); ${loop('most = f4_max(most, f4_load(s + k));')}`);
  const power = widened(`f4_store(d + k, ew_exp_below(f4_sub(f4_load(s + k), f4_splat(peak))));`);
  return {
    max: `{ ${most} float t[${lanes}]; ${widened('f4_store(t, most);')} ${fours.map((i) => `m = f4_max(m, f4_load(t + ${i}));`).join(' ')} }`,
    powers: `const float peak = f4_lane(top, 0); ${loop(`{ ${power} ${fours.map((i) => `sum = f4_add(sum, f4_load(d + k + ${i}));`).join(' ')} }`)}`,
    shares: `const float all = f4_lane(total, 0); ${loop(widened('f4_store(d + k, f4_div(f4_load(d + k), f4_splat(all)));'))}`,
  };
}
