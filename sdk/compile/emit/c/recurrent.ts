import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText } from './context.ts';
import { realRows } from './conv.ts';
import { type Done, microF32, microI16, NR, panelBytes, unpackI16 } from './gemm.ts';
import { codeBits } from './qconv.ts';

/** Sizes of a recurrent layer: x [t,b,i], d directions, h units, g gates a unit; rows = d*g*h. */
interface Sizes {
  readonly t: number;
  readonly b: number;
  readonly i: number;
  readonly d: number;
  readonly h: number;
  readonly g: number;
  readonly rows: number;
}

function sizesOf(ctx: KernelContext, x: string, hidden: number, direction: string, g: number): Sizes {
  const [t, b, i] = ctx.type(x).shape as [number, number, number];
  const d = direction === 'bidirectional' ? 2 : 1;
  return { t, b, i, d, h: hidden, g, rows: d * g * hidden };
}

/** Rows [b] of hidden state times the recurrent matrix of direction `dir`: results to gates[g*h] of the row, added to what is there. */
interface Recurrent {
  readonly setup: string;
  readonly step: (row: string, gates: string) => string;
}

/** The products of all time steps with the input matrix, into scratch [t*b][rows], then one step after another. */
function recurrence(
  ctx: KernelContext,
  l: Lowered,
  s: Sizes,
  inputProduct: string,
  gx: string,
  rec: Recurrent,
  cell: string,
  initialC: boolean,
): KernelText {
  const [h0, c0] = initialStates(l, initialC);
  const y = l.node.outputs[0] ?? '';
  const yh = l.node.outputs[1] ?? '';
  const yc = initialC ? (l.node.outputs[2] ?? '') : '';
  const state = (v: string, p: string): string =>
    v ? `ew_copy(${p}, ${ctx.read(v)} + (dir * ${s.b} + b) * ${s.h}, ${s.h * 4});` : `ew_fill(${p}, 0, ${s.h * 4});`;
  const hs = `((float *)${ctx.scratch((s.h + 8) * 4)})`;
  const cs = `((float *)${ctx.scratch((s.h + 8) * 4)})`;
  const gates = `((float *)${ctx.scratch((s.g * s.h + 16) * 4)})`;
  const reverse = (l.spec as KernelOf<'lstm'>).direction;
  const time = reverse === 'forward' ? 'k' : reverse === 'reverse' ? `${s.t - 1} - k` : `dir ? ${s.t - 1} - k : k`;
  const body = `if (part != 0) return;
  float *gx = (float *)${gx}; float *hs = ${hs}, *cs = ${cs}, *gates = ${gates}; (void)cs;
  ${inputProduct}
  ${rec.setup}
  for (i32 dir = 0; dir < ${s.d}; dir++) for (i32 b = 0; b < ${s.b}; b++) {
    ${state(h0, 'hs')} ${initialC ? state(c0, 'cs') : ''}
    for (i32 k = 0; k < ${s.t}; k++) {
      const i32 t = ${time};
      const float *in = gx + (t * ${s.b} + b) * ${s.rows} + dir * ${s.g * s.h};
      ${rec.step('dir', 'gates')}
      for (i32 j = 0; j < ${s.h}; j += 4) { ${cell} }
      ${y ? `ew_copy(${ctx.write(y)} + ((t * ${s.d} + dir) * ${s.b} + b) * ${s.h}, hs, ${s.h * 4});` : ''}
    }
    ${yh ? `ew_copy(${ctx.write(yh)} + (dir * ${s.b} + b) * ${s.h}, hs, ${s.h * 4});` : ''}
    ${yc ? `ew_copy(${ctx.write(yc)} + (dir * ${s.b} + b) * ${s.h}, cs, ${s.h * 4});` : ''}
  }`;
  return { helpers: '', body, macs: s.t * s.b * s.rows * (s.i + s.h) };
}

function initialStates(l: Lowered, cell: boolean): [string, string] {
  const at = l.spec.kind === 'qlstm' ? 6 : 5;
  return [l.node.inputs[at] ?? '', cell ? (l.node.inputs[at + 1] ?? '') : ''];
}

/** Gate pre-activations arrive as input part + recurrent part (+ bias); order i o f c. */
function lstmCell(h: number, bias?: (gate: number) => string): string {
  const sum = (g: number): string => {
    const at = g === 0 ? 'j' : `${g * h} + j`;
    const parts = `f4_add(f4_load(in + ${at}), f4_load(gates + ${at}))`;
    return bias ? `f4_add(${parts}, ${bias(g)})` : parts;
  };
  return `
        const f4 gi = ew_sigmoid(${sum(0)}), go = ew_sigmoid(${sum(1)}), gf = ew_sigmoid(${sum(2)}), gc = ew_tanh(${sum(3)});
        const f4 c = f4_add(f4_mul(gf, f4_load(cs + j)), f4_mul(gi, gc));
        f4_store(cs + j, c); f4_store(hs + j, f4_mul(go, ew_tanh(c)));`;
}

/** f32 product of [rows of a] with panels, into gx[m][rows]; `init` is the bias pointer or ''. */
function inputProductF32(s: Sizes, x: string, w: string, init: (n: string) => [string, string]): string {
  const mr = Math.min(4, s.t * s.b);
  const m = s.t * s.b;
  const micro = microF32(
    s.i,
    mr,
    m % mr === 0
      ? { base: `${x} + m * ${s.i}`, pitch: s.i }
      : { pointer: (r) => `${x} + (m + ${r} < ${m} ? m + ${r} : ${m - 1}) * ${s.i}` },
    `${w} + n * ${s.i}`,
    init('n'),
    {
      ...realRows(m, mr, String(m)),
      use: (a, b) =>
        `float *o = gx + (m + r) * ${s.rows} + n; if (nv == 8) { f4_store(o, ${a}); f4_store(o + 4, ${b}); } else { float q[8]; f4_store(q, ${a}); f4_store(q + 4, ${b}); for (i32 z = 0; z < nv; z++) o[z] = q[z]; }`,
    },
  );
  return `for (i32 n = 0; n < ${s.rows}; n += ${NR}) { const i32 nv = ${s.rows} - n < ${NR} ? ${s.rows} - n : ${NR}; for (i32 m = 0; m < ${m}; m += ${mr}) ${micro} }`;
}

export function emitLstm(ctx: KernelContext, l: Lowered<KernelOf<'lstm'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const gx = ctx.scratch(s.t * s.b * s.rows * 4 + 64);
  const pb = bias ? ctx.read(bias) : '';
  const init = (n: string): [string, string] =>
    pb ? [biasSum(pb, s, n, 0), biasSum(pb, s, n, 4)] : ['f4_splat(0.0f)', 'f4_splat(0.0f)'];
  const product = inputProductF32(s, ctx.read(x), ctx.weight(w, { kind: 'panelsF32', rows: s.rows, cols: s.i }), init);
  return recurrence(ctx, l, s, product, gx, recurrentF32(ctx, s, r), lstmCell(s.h), true);
}

/** Bias of row n (over all directions): input plus recurrent part, ONNX layout [d][2*g*h]. Rows past the end read the last ones and are not used. */
function biasSum(pb: string, s: Sizes, n: string, k: number): string {
  const gh = s.g * s.h;
  const lane = (j: number): string => `ew_bias2(${pb}, ${n} + ${k + j}, ${gh}, ${s.rows})`;
  return `f4_make(${[0, 1, 2, 3].map(lane).join(', ')})`;
}

function recurrentF32(ctx: KernelContext, s: Sizes, r: string): Recurrent {
  const gh = s.g * s.h;
  if (gh % NR !== 0 && s.d > 1) {
    const p = ctx.read(r);
    return {
      setup: '',
      step: () =>
        `for (i32 n = 0; n < ${gh}; n++) { const float *q = ${p} + (dir * ${gh} + n) * ${s.h}; float acc = 0.0f; for (i32 k2 = 0; k2 < ${s.h}; k2++) acc = acc + hs[k2] * q[k2]; gates[n] = acc; }`,
    };
  }
  const p = ctx.weight(r, { kind: 'panelsF32', rows: s.rows, cols: s.h });
  const micro = microF32(
    s.h,
    1,
    { base: 'hs', pitch: 0 },
    `${p} + (dir * ${gh} + n) * ${s.h}`,
    ['f4_splat(0.0f)', 'f4_splat(0.0f)'],
    { use: (a, b) => `f4_store(gates + n, ${a}); f4_store(gates + n + 4, ${b});` },
  );
  return { setup: '', step: () => `for (i32 n = 0; n < ${gh}; n += ${NR}) ${micro}` };
}

/** Integer products: x rows by their own scale, h by 1/127. */
export function emitQLstm(ctx: KernelContext, l: Lowered<KernelOf<'qlstm'>>): KernelText {
  const [x, w, ws, r, rs, bias] = l.node.inputs as [string, string, string, string, string, string];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const gh = s.g * s.h;
  const m = s.t * s.b;
  const mr = Math.min(4, m);
  const ip = Math.ceil(s.i / 16) * 16;
  const hp = Math.ceil(s.h / 16) * 16;
  const wBits = codeBits(ctx, w);
  const rBits = codeBits(ctx, r);
  const gx = ctx.scratch(m * s.rows * 4 + 64);
  const xq = `((i16 *)${ctx.scratch((m + 4) * ip * 2)})`;
  const row = `((i8 *)${ctx.scratch(s.i)})`;
  const xs = `((float *)${ctx.scratch((m + 4) * 4)})`;
  const tile = `((i16 *)${ctx.scratch(8 * ip * 2)})`;
  const sums = `((i32 *)${ctx.scratch(32)})`;
  const tiles = Math.ceil(s.rows / NR);
  const rt = `((i16 *)${ctx.scratch(tiles * NR * hp * 2)})`;
  const hq = `((i16 *)${ctx.scratch(hp * 2)})`;
  const wp = ctx.weight(w, { kind: 'panels', rows: s.rows, cols: s.i, bits: wBits });
  const rp = ctx.weight(r, { kind: 'panels', rows: s.rows, cols: s.h, bits: rBits });
  const px = ctx.read(x);
  const unpackW = unpackI16(wBits);
  const unpackR = unpackI16(rBits);
  const [pws, prs, pb] = [ctx.read(ws), ctx.read(rs), ctx.read(bias)];
  const store: Done = {
    ...realRows(m, mr, String(m)),
    use: (a, b) =>
      `const f4 sc = f4_load_splat(${xs} + m + r); float q[8]; f4_store(q, f4_mul(f4_mul(f4_from_i4(${a}), sc), f4_load(${pws} + n))); f4_store(q + 4, f4_mul(f4_mul(f4_from_i4(${b}), sc), f4_load(${pws} + n + 4))); for (i32 z = 0; z < nv; z++) gx[(m + r) * ${s.rows} + n + z] = q[z];`,
  };
  const micro = microI16(ip, mr, { base: `${xq} + m * ${ip}`, pitch: ip }, tile, ['i4_splat(0)', 'i4_splat(0)'], store);
  const product = `for (i32 m = 0; m < ${m}; m++) { ${xs}[m] = ew_quantize_row(${px} + m * ${s.i}, ${row}, ${s.i}); ew_widen(${xq} + m * ${ip}, ${row}, ${s.i}); }
  for (i32 n = 0; n < ${s.rows}; n += ${NR}) { const i32 nv = ${s.rows} - n < ${NR} ? ${s.rows} - n : ${NR};
    ${unpackW.name}((const u8 *)${wp} + n / ${NR} * ${panelBytes(ip, wBits)}, ${tile}, ${sums}, ${ip});
    for (i32 m = 0; m < ${m}; m += ${mr}) ${micro} }`;
  const setup = `for (i32 n = 0; n < ${tiles}; n++) ${unpackR.name}((const u8 *)${rp} + n * ${panelBytes(hp, rBits)}, ${rt} + n * ${NR * hp}, ${sums}, ${hp});`;
  const out = (a: string, k: number): string =>
    `f4_mul(f4_from_i4(${a}), f4_mul(ew_load_row(${prs}, n + ${k}, ${s.rows}), f4_splat(${f32Literal(1 / 127)})))`;
  const gemv = microI16(hp, 1, { base: hq, pitch: 0 }, `${rt} + n * ${hp}`, ['i4_splat(0)', 'i4_splat(0)'], {
    use: (a, b) =>
      `float q[8]; f4_store(q, ${out(a, 0)}); f4_store(q + 4, ${out(b, 4)}); for (i32 z = 0; z < 8; z++) if (n + z >= g0 && n + z < g0 + ${gh}) gates[n + z - g0] = q[z];`,
  });
  // Tiles of eight rows may straddle two directions; rows of the other one are left out.
  const step = (): string =>
    `ew_quantize_h(hs, ${hq}, ${s.h}, ${hp}); const i32 g0 = dir * ${gh}; for (i32 n = g0 / ${NR} * ${NR}; n < g0 + ${gh}; n += ${NR}) ${gemv}`;
  const cell = lstmCell(s.h, (g) => `ew_load_row(${pb}, dir * ${gh} + ${g * s.h} + j, ${s.rows})`);
  const text = recurrence(ctx, l, s, product, gx, { setup, step }, cell, true);
  return { ...text, shared: [unpackW, unpackR] };
}

/** GRU gate order z r h. */
export function emitGru(ctx: KernelContext, l: Lowered<KernelOf<'gru'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 3);
  const { h } = s;
  const gx = ctx.scratch(s.t * s.b * s.rows * 4 + 64);
  const pb = bias ? ctx.read(bias) : '';
  const zero: [string, string] = ['f4_splat(0.0f)', 'f4_splat(0.0f)'];
  const product = inputProductF32(
    s,
    ctx.read(x),
    ctx.weight(w, { kind: 'panelsF32', rows: s.rows, cols: s.i }),
    () => zero,
  );
  const p = ctx.read(r);
  const wb = (k: number): string =>
    pb ? `ew_load_row(${pb}, dir * ${6 * h} + ${k * h} + j, ${s.d * 6 * h})` : 'f4_splat(0.0f)';
  const dot = (from: number, to: number, src: string): string =>
    `for (i32 n = ${from}; n < ${to}; n++) { const float *q = ${p} + (dir * ${3 * h} + n) * ${h}; float acc = 0.0f; for (i32 k2 = 0; k2 < ${h}; k2++) acc = acc + ${src}[k2] * q[k2]; gates[n] = acc; }`;
  const zGate = `ew_sigmoid(f4_add(f4_add(f4_load(in + j), f4_load(gates + j)), f4_add(${wb(0)}, ${wb(3)})))`;
  const rGate = `ew_sigmoid(f4_add(f4_add(f4_load(in + ${h} + j), f4_load(gates + ${h} + j)), f4_add(${wb(1)}, ${wb(4)})))`;
  const before = l.spec.linearBeforeReset;
  const rh = `((float *)${ctx.scratch((h + 8) * 4)})`;
  const step = (): string =>
    before
      ? dot(0, 3 * h, 'hs')
      : `${dot(0, 2 * h, 'hs')} for (i32 j = 0; j < ${h}; j += 4) f4_store(${rh} + j, f4_mul(${rGate}, f4_load(hs + j))); ${dot(2 * h, 3 * h, rh)}`;
  const candidate = before
    ? `f4_add(f4_add(f4_load(in + ${2 * h} + j), ${wb(2)}), f4_mul(${rGate}, f4_add(f4_load(gates + ${2 * h} + j), ${wb(5)})))`
    : `f4_add(f4_add(f4_load(in + ${2 * h} + j), f4_load(gates + ${2 * h} + j)), f4_add(${wb(2)}, ${wb(5)}))`;
  const cell = `const f4 z = ${zGate}, c = ew_tanh(${candidate}); f4_store(hs + j, f4_add(f4_mul(f4_sub(f4_splat(1.0f), z), c), f4_mul(z, f4_load(hs + j))));`;
  return recurrence(ctx, l, s, product, gx, { setup: '', step }, cell, false);
}
