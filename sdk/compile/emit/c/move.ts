import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf, stridesOf, type TensorType } from '../../../util/tensor.ts';
import { PANEL_ROWS } from '../../../wire/panels.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText, share } from './context.ts';
import { emitEpilogue, emitRowTail, hasLanewiseTail, rowBuffer, spaceOf } from './epilogue.ts';
import { type Lanes, NARROW, wideLanes, widened } from './lanes.ts';
import { eightOf } from './vectors.ts';

const NOTHING = { helpers: '', macs: 0 } as const;

/** Axes shorter than this are not worth a loop of their own. */
const FEW = 4;

/** Any fixed permutation, slice or broadcast. Whole runs are copied where both sides are contiguous. */
export function emitStrided(ctx: KernelContext, l: Lowered<KernelOf<'strided'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const shape = ctx.type(y).shape;
  const { offset, strides } = l.spec;
  const src = `(${ctx.read(x)} + ${offset})`;
  const dst = ctx.write(y);
  // The longest contiguous tail is one run.
  let run = 1;
  let d = shape.length - 1;
  while (d >= 0 && (shape[d] === 1 || strides[d] === run)) {
    run *= shape[d]!;
    d--;
  }
  const outer = sizeOf(shape) / run;
  const index = merged(shape.slice(0, d + 1), strides.slice(0, d + 1), 'i');
  const type = ctx.cType(y);
  const copy =
    run === 1
      ? `${dst}[i] = ${src}[${index}];`
      : `ew_copy(${dst} + i * ${run}, ${src} + ${index}, ${run} * sizeof(${type}));`;
  // Single elements are walked along the output, axes of a few of them, such as colours, together with the one before.
  const last = shape[d];
  if (run > 1 || last === undefined || (last < FEW && d === 0)) {
    const body = `${share(outer, Math.max(1, Math.floor(2048 / run)), 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) ${copy}`;
    return { ...NOTHING, body };
  }
  const axis = last < FEW ? d - 1 : d;
  const few = sizeOf(shape.slice(axis + 1, d + 1));
  const line = shape[axis]! * few;
  const elements = Array.from({ length: few }, (_, e) => {
    const from = [`k * ${strides[axis]}`, ...(e > 0 ? [String(e * strides[d]!)] : [])].join(' + ');
    return few === 1 ? `t[k] = s[${from}];` : `t[k * ${few}${e > 0 ? ` + ${e}` : ''}] = s[${from}];`;
  });
  const body = `${share(outer / line, Math.max(1, Math.floor(2048 / line)), 'r0', 'r1')}
  for (i32 r = r0; r < r1; r++) { const ${type} *s = ${src} + ${merged(shape.slice(0, axis), strides.slice(0, axis), 'r')}; ${type} *t = ${dst} + r * ${line}; for (i32 k = 0; k < ${shape[axis]}; k++) { ${elements.join(' ')} } }`;
  return { ...NOTHING, body };
}

/** An axis of what is read, and how many elements apart its entries are. */
export interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** Axes longer than one, adjacent ones of one stride pattern merged. */
export function axesOf(shape: readonly number[], strides: readonly number[]): Axis[] {
  const axes: { size: number; stride: number }[] = [];
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] === 1) continue;
    const top = axes[axes.length - 1];
    if (top && top.stride === strides[i]! * shape[i]!) {
      top.size *= shape[i]!;
      top.stride = strides[i]!;
    } else axes.push({ size: shape[i]!, stride: strides[i]! });
  }
  return axes;
}

/** Element offset for flat index `v` over axes. */
export function indexOf(axes: readonly Axis[], v: string): string {
  let below = axes.reduce((a, b) => a * b.size, 1);
  const terms = axes.map((axis, i) => {
    below /= axis.size;
    const div = below === 1 ? v : `${v} / ${below}`;
    return `(${i === 0 ? div : `${div} % ${axis.size}`}) * ${axis.stride}`;
  });
  return terms.length ? terms.join(' + ') : '0';
}

function merged(shape: readonly number[], strides: readonly number[], v: string): string {
  return indexOf(axesOf(shape, strides), v);
}

export function emitPad(ctx: KernelContext, l: Lowered<KernelOf<'pad'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const inner = ctx.type(x).shape;
  const outer = ctx.type(y).shape;
  const strides = stridesOf(inner);
  let below = sizeOf(outer);
  const { mode, before, value } = l.spec;
  const steps = outer.map((d, i) => {
    below /= d;
    const size = inner[i]!;
    const at = `i32 c${i} = (i / ${below}) % ${d} - ${before[i]!};`;
    if (mode === 'constant') return `${at} inside &= c${i} >= 0 && c${i} < ${size};`;
    if (mode === 'edge') return `${at} c${i} = c${i} < 0 ? 0 : c${i} >= ${size} ? ${size - 1} : c${i};`;
    return `${at} c${i} = c${i} < 0 ? -c${i} : c${i} >= ${size} ? ${2 * (size - 1)} - c${i} : c${i};`;
  });
  const index = inner.map((_, i) => `c${i} * ${strides[i]}`).join(' + ') || '0';
  const body = `${share(sizeOf(outer), 2048, 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) { i32 inside = 1; ${steps.join(' ')} ${ctx.write(y)}[i] = inside ? ${ctx.read(x)}[${index}] : ${ctx.type(y).dtype === 'f32' ? f32Literal(value) : value}; }`;
  return { ...NOTHING, body };
}

export function emitConcat(ctx: KernelContext, l: Lowered<KernelOf<'concat'>>): KernelText {
  const y = l.node.outputs[0]!;
  const shape = ctx.type(y).shape;
  const { axis } = l.spec;
  const outer = sizeOf(shape.slice(0, axis));
  const row = sizeOf(shape.slice(axis));
  const dst = ctx.write(y);
  const type = ctx.cType(y);
  let at = 0;
  const copies = l.node.inputs
    .filter((v) => v !== '')
    .map((v) => {
      const size = sizeOf(ctx.type(v).shape.slice(axis));
      const text = `ew_copy(${dst} + i * ${row} + ${at}, ${ctx.read(v)} + i * ${size}, ${size} * sizeof(${type}));`;
      at += size;
      return text;
    });
  const body = `${share(outer, Math.max(1, Math.floor(2048 / row)), 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) { ${copies.join(' ')} }`;
  return { ...NOTHING, body };
}

/** Index i of axis size n as a checked row number: out-of-range indices are clamped, so that bad input cannot read outside the table. */
export function checkedRow(index: string, n: number): string {
  return `i64 r = (i64)${index}; if (r < 0) r += ${n}; if (r < 0) r = 0; if (r >= ${n}) r = ${n - 1};`;
}

export function emitGather(ctx: KernelContext, l: Lowered<KernelOf<'gather'>>): KernelText {
  const [x, idx] = l.node.inputs as [string, string];
  const y = l.node.outputs[0]!;
  const shape = ctx.type(x).shape;
  const { axis } = l.spec;
  const n = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const count = sizeOf(ctx.type(idx).shape);
  if (ctx.group.tail.length > 0) {
    const lanes = lanesOfRows(ctx);
    const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y, lanes);
    const body = `${share(count, 16, 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) { ${checkedRow(`${ctx.read(idx)}[i]`, n)} const float *s = ${ctx.read(x)} + (i32)r * ${inner}; ${overRow(ctx, lanes, inner, 's', '')} }`;
    return { helpers: epi, body, macs: 0 };
  }
  const body = `${share(outer * count, 16, 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) { const i32 o = i / ${count}; ${checkedRow(`${ctx.read(idx)}[i % ${count}]`, n)} ew_copy(${ctx.write(y)} + i * ${inner}, ${ctx.read(x)} + (o * ${n} + (i32)r) * ${inner}, ${inner} * sizeof(${ctx.cType(y)})); }`;
  return { ...NOTHING, body };
}

/** Whether the rows that are gathered are those of the result, so that a tail can be applied to them. */
export function gathersRows(spec: KernelOf<'gather'>, table: TensorType): boolean {
  return spec.axis === 0 && table.shape.length === 2 && table.dtype === 'f32';
}

/** Vectors of the epilogue over whole rows. */
function lanesOfRows(ctx: KernelContext): Lanes {
  const { wide } = ctx.tuning;
  return wide && hasLanewiseTail(ctx) ? wideLanes(wide.lanes) : NARROW;
}

/** The epilogue over row i of a result, whose d elements are at `from`. */
function overRow(ctx: KernelContext, lanes: Lanes, d: number, from: string, more: string): string {
  const { block } = lanes;
  const values = lanes.pieces.map((_, i) => `f4_load(${from} + n${i ? ` + ${4 * i}` : ''})`).join(', ');
  const text = `for (i32 n = 0; n < ${d}; n += ${block}) { const i32 nv = ${d} - n < ${block} ? ${d} - n : ${block}; epi(${ctx.arguments()}, i, n, nv, ${values}${more}); }`;
  return lanes.wide ? widened(text) : text;
}

/** Codes of a table that are unpacked for the whole kernel at most, bytes. */
const TABLE_BYTES = 32 * 1024;

/** Rows of an embedding table of codes [V, D] with one scale a row. */
export function emitQGather(ctx: KernelContext, l: Lowered<KernelOf<'qgather'>>): KernelText {
  const [codes, scale, idx] = l.node.inputs as [string, string, string];
  const y = l.node.outputs[0]!;
  const [v, d] = ctx.type(codes).shape as [number, number];
  const count = sizeOf(ctx.type(idx).shape);
  const buffer = rowBuffer(ctx, d);
  const fused = ctx.group.tail.length > 0;
  const lanes = lanesOfRows(ctx);
  const epi = fused ? emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y, lanes) : '';
  const held = fused ? `((float *)${ctx.scratch((d + lanes.block) * 4)})` : buffer.pointer;
  const to = !fused && ctx.group.stores.includes(y) ? `${ctx.write(y)} + i * ${d}` : held;
  const tail = fused ? overRow(ctx, lanes, d, 'o', buffer.argument) : '';
  const { pointer: panels } = ctx.panels(codes, v, d);
  const bytes = PANEL_ROWS * Math.ceil(d / 16) * 16;
  const tiles = Math.ceil(v / PANEL_ROWS);
  // Every tile of a small table is unpacked once; of others the one that is wanted, since neighbouring indices often lie in the same.
  const all = tiles * bytes <= TABLE_BYTES;
  const codesAt = ctx.scratch((all ? tiles : 1) * bytes);
  const list = ctx.scratch(bytes);
  const scales = eightOf(ctx.vector(scale), '(i32)r', () => ctx.scratch(32));
  const unpack = (to: string): string => `ew_panel(${panels}, n, ${v}, ${d}, 0, ${to}, (u8 *)${list});`;
  const find = all
    ? `u8 *c = (u8 *)${codesAt} + n * ${bytes}; if (!ready[n]) { ${unpack('c')} ready[n] = 1; }`
    : `u8 *c = (u8 *)${codesAt}; if (n != held) { ${unpack('c')} held = n; }`;
  const code = (k: string): string => `o[${k}] = (float)q[${k} / 4 * 32 + ${k} % 4] * s;`;
  const whole = d - (d % 4);
  const body = `${share(count, 8, 'r0', 'r1')}
  ${all ? `u8 ready[${tiles}] = {0};` : 'i32 held = -1;'}
  for (i32 i = r0; i < r1; i++) {
    ${checkedRow(`${ctx.read(idx)}[i]`, v)} const i32 n = (i32)r / ${PANEL_ROWS}; ${find}
    ${scales.setup} const float s = *${scales.at}; const i8 *q = (const i8 *)c + (i32)r % ${PANEL_ROWS} * 4; float *o = ${to};
    for (i32 k = 0; k < ${whole}; k += 4) f4_store(o + k, f4_mul(f4_from_i4(i4_extend_lo(h8_load_i8(q + 8 * k))), f4_splat(s)));
    ${d > whole ? `for (i32 k = ${whole}; k < ${d}; k++) ${code('k')}` : ''} ${tail} ${emitRowTail(ctx, fused ? buffer.pointer : 'o', 'i')}
  }`;
  return { helpers: epi, body, macs: 0 };
}

export function emitCast(ctx: KernelContext, l: Lowered): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const from = ctx.type(x).dtype;
  const to = ctx.type(y).dtype;
  const v = `${ctx.read(x)}[i]`;
  const value =
    to === 'bool'
      ? `${v} != 0`
      : from === 'f32' && to !== 'f32' && to !== 'f64'
        ? `(${ctx.cType(y)})${to === 'i64' || to === 'u64' ? '(i64)' : ''}${v}`
        : `(${ctx.cType(y)})${v}`;
  const body = `${share(sizeOf(ctx.type(y).shape), 2048, 'r0', 'r1')}
  for (i32 i = r0; i < r1; i++) ${ctx.write(y)}[i] = ${value};`;
  return { ...NOTHING, body };
}

/** f32 rows to i8 with one scale a row: symmetric, by the row's largest magnitude. */
export function emitDynQuantize(ctx: KernelContext, l: Lowered<KernelOf<'dynquantize'>>): KernelText {
  const x = l.node.inputs[0]!;
  const [q, s] = l.node.outputs as [string, string];
  const shape = ctx.type(x).shape;
  const k = shape[shape.length - 1]!;
  const rows = sizeOf(shape) / k;
  const body = `${share(rows, 1, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) ${ctx.write(s)}[row] = ew_quantize_row(${ctx.read(x)} + row * ${k}, ${ctx.write(q)} + row * ${k}, ${k});`;
  return { ...NOTHING, body };
}

export function emitResize(ctx: KernelContext, l: Lowered<KernelOf<'resize'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const [, h, w, c] = ctx.type(x).shape as [number, number, number, number];
  const [n, oh, ow] = ctx.type(y).shape as [number, number, number, number];
  const { mode, scales } = l.spec;
  const src = `(${ctx.read(x)} + b * ${h * w * c})`;
  const ys = sourceCoordinate(l.spec, 'py', oh, h, scales[0]);
  const xs = sourceCoordinate(l.spec, 'px', ow, w, scales[1]);
  const loop = `${share(n * oh * ow, 16, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow}; (void)px; (void)py; ${ctx.cType(y)} *d = ${ctx.write(y)} + row * ${c};`;
  if (mode === 'nearest') {
    const pick = nearest(l.spec.nearest);
    const body = `${loop}
    i32 iy = ${pick(ys)}, ix = ${pick(xs)};
    iy = iy < 0 ? 0 : iy > ${h - 1} ? ${h - 1} : iy; ix = ix < 0 ? 0 : ix > ${w - 1} ? ${w - 1} : ix;
    ew_copy(d, ${src} + (iy * ${w} + ix) * ${c}, ${c} * sizeof(${ctx.cType(y)}));
  }`;
    return { ...NOTHING, body };
  }
  const body = `${loop}
    float fy = ${ys}, fx = ${xs}; fy = fy < 0.0f ? 0.0f : fy > ${h - 1}.0f ? ${h - 1}.0f : fy; fx = fx < 0.0f ? 0.0f : fx > ${w - 1}.0f ? ${w - 1}.0f : fx;
    const i32 y_0 = (i32)fy, x_0 = (i32)fx, y_1 = y_0 + 1 < ${h} ? y_0 + 1 : y_0, x_1 = x_0 + 1 < ${w} ? x_0 + 1 : x_0;
    const float wy = fy - (float)y_0, wx = fx - (float)x_0;
    const float *p00 = ${src} + (y_0 * ${w} + x_0) * ${c}, *p01 = ${src} + (y_0 * ${w} + x_1) * ${c}, *p10 = ${src} + (y_1 * ${w} + x_0) * ${c}, *p11 = ${src} + (y_1 * ${w} + x_1) * ${c};
    for (i32 k = 0; k < ${c}; k++) { const float top = p00[k] + (p01[k] - p00[k]) * wx, low = p10[k] + (p11[k] - p10[k]) * wx; d[k] = top + (low - top) * wy; }
  }`;
  return { ...NOTHING, body };
}

function sourceCoordinate(spec: KernelOf<'resize'>, p: string, out: number, size: number, scale: number): string {
  const s = f32Literal(scale);
  switch (spec.coordinate) {
    case 'asymmetric':
      return `((float)${p} / ${s})`;
    case 'half_pixel':
      return `(((float)${p} + 0.5f) / ${s} - 0.5f)`;
    case 'pytorch_half_pixel':
      return out > 1 ? `(((float)${p} + 0.5f) / ${s} - 0.5f)` : '0.0f';
    case 'align_corners':
      return out > 1 ? `((float)${p} * ${f32Literal((size - 1) / (out - 1))})` : '0.0f';
    default:
      return spec.coordinate satisfies never;
  }
}

function nearest(mode: KernelOf<'resize'>['nearest']): (v: string) => string {
  switch (mode) {
    case 'floor':
      return (v) => `(i32)__builtin_floorf(${v})`;
    case 'ceil':
      return (v) => `(i32)__builtin_ceilf(${v})`;
    case 'round_prefer_floor':
      return (v) => `(i32)__builtin_ceilf(${v} - 0.5f)`;
    case 'round_prefer_ceil':
      return (v) => `(i32)__builtin_floorf(${v} + 0.5f)`;
    default:
      return mode satisfies never;
  }
}
