import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText } from '../c/context.ts';
import { NR } from '../c/gemm.ts';
import { emitRowTail, scratchOf } from './epilogue.ts';

/** Products of the input matrix that exist at a time, bytes: the matrix is unpacked once for all steps of a chunk. */
const CHUNK_BYTES = 8 * 1024;
/** Up to this size the codes of the recurrent matrix are unpacked once for all steps, bytes. */
const HELD_BYTES = 16 * 1024;

/** Sizes of a recurrent layer: x [t,b,i], d directions, h units, g gates a unit. */
interface Sizes {
  readonly t: number;
  readonly b: number;
  readonly i: number;
  readonly d: number;
  readonly h: number;
  readonly gh: number;
  readonly rows: number;
  /** Steps whose input products are made together. */
  readonly chunk: number;
}

function sizesOf(ctx: KernelContext, x: string, h: number, direction: string, gates: number): Sizes {
  const [t, b, i] = ctx.type(x).shape as [number, number, number];
  const d = direction === 'bidirectional' ? 2 : 1;
  const gh = gates * h;
  return { t, b, i, d, h, gh, rows: d * gh, chunk: Math.max(1, Math.min(t, Math.floor(CHUNK_BYTES / (gh * 4)))) };
}

interface Layer {
  readonly s: Sizes;
  /** Once a direction. */
  readonly setup: string;
  /** Products of the rows t0 .. t0 + kn - 1 of sample b with the input matrix, to `gx[step][gate row]`. */
  readonly inputs: string;
  /** Before the first step and after every one, with the state `hs`. */
  readonly state: string;
  /** Products of the state with the recurrent matrix, to `gates`; then the cell for unit j, with the input products in `in`. */
  readonly recurrent: string;
  readonly cell: string;
  readonly hasCells: boolean;
}

/** One direction after another, one sample after another, and for each a chunk of steps after another. */
function recurrence(ctx: KernelContext, l: Lowered, layer: Layer): KernelText {
  const { s, hasCells } = layer;
  const at = l.spec.kind === 'qlstm' ? 7 : 5;
  const [h0, c0] = [l.node.inputs[at] ?? '', hasCells ? (l.node.inputs[at + 1] ?? '') : ''];
  const [y, yh, yc] = [l.node.outputs[0] ?? '', l.node.outputs[1] ?? '', hasCells ? (l.node.outputs[2] ?? '') : ''];
  const { direction } = l.spec as KernelOf<'lstm'>;
  const backwards = direction === 'forward' ? '0' : direction === 'reverse' ? '1' : 'dir';
  const bytes = `${s.h} * sizeof(float)`;
  const begin = (v: string, p: string): string =>
    v ? `memcpy(${p}, ${ctx.read(v)} + (dir * ${s.b} + b) * ${s.h}, ${bytes});` : `memset(${p}, 0, ${bytes});`;
  const end = (v: string, p: string): string =>
    v ? `memcpy(${ctx.write(v)} + (dir * ${s.b} + b) * ${s.h}, ${p}, ${bytes});` : '';
  const row = `(t * ${s.d} + dir) * ${s.b} + b`;
  const store = ctx.group.stores.includes(y) ? `memcpy(${ctx.write(y)} + (${row}) * ${s.h}, hs, ${bytes});` : '';
  const body = `float *gx = ${scratchOf(ctx, 'float', s.chunk * s.gh)}, *gates = ${scratchOf(ctx, 'float', s.gh)}, *hs = ${scratchOf(ctx, 'float', s.h)};
  ${hasCells ? `float *cs = ${scratchOf(ctx, 'float', s.h)};` : ''}
  for (i32 dir = 0; dir < ${s.d}; dir++) {
    const i32 first = dir * ${s.gh} / ${NR} * ${NR}; (void)first;
    ${layer.setup}
    for (i32 b = 0; b < ${s.b}; b++) {
      ${begin(h0, 'hs')} ${hasCells ? begin(c0, 'cs') : ''}
      ${layer.state}
      for (i32 k0 = 0; k0 < ${s.t}; k0 += ${s.chunk}) {
        const i32 kn = ${s.t} - k0 < ${s.chunk} ? ${s.t} - k0 : ${s.chunk};
        const i32 t0 = ${backwards} ? ${s.t} - k0 - kn : k0;
        ${layer.inputs}
        for (i32 k = 0; k < kn; k++) {
          const i32 t = ${backwards} ? t0 + kn - 1 - k : t0 + k;
          const float *in = gx + (t - t0) * ${s.gh};
          ${layer.recurrent}
          for (i32 j = 0; j < ${s.h}; j++) { ${layer.cell} }
          ${layer.state}
          ${store} ${emitRowTail(ctx, 'hs', row)}
        }
      }
      ${end(yh, 'hs')} ${end(yc, 'cs')}
    }
  }`;
  return { helpers: '', body, macs: s.t * s.b * s.rows * (s.i + s.h) };
}

/** The loop over tiles of eight rows that belong to direction `dir`; tiles may straddle two directions. */
const tilesOfDirection = (s: Sizes, body: string): string =>
  `for (i32 n = first; n < dir * ${s.gh} + ${s.gh}; n += ${NR}) { ${body} }`;

/** What becomes of the sums of tile n: those of this direction go to row r of `to`. */
const ownRows = (s: Sizes, to: string, v: string): string =>
  `for (i32 j = 0; j < ${NR}; j++) { const i32 r = n + j - dir * ${s.gh}; if (r >= 0 && r < ${s.gh}) f4_store(${to} + r, ${v}); }`;

/** Gates arrive as input part + recurrent part (+ bias); order i o f c. */
function lstmCell(h: number, bias?: (gate: number) => string): string {
  const sum = (g: number): string => {
    const parts = `f4_add(f4_load(in + ${g * h} + j), f4_load(gates + ${g * h} + j))`;
    return bias ? `f4_add(${parts}, ${bias(g)})` : parts;
  };
  return `const f4 gi = ew_sigmoid(${sum(0)}), go = ew_sigmoid(${sum(1)}), gf = ew_sigmoid(${sum(2)}), gc = ew_tanh(${sum(3)});
            const f4 c = f4_add(f4_mul(gf, f4_load(cs + j)), f4_mul(gi, gc));
            f4_store(cs + j, c); f4_store(hs + j, f4_mul(go, ew_tanh(c)));`;
}

/** f32 products of the chunk's rows of x, started at the C expression `start` of row n + j. */
function floatInputs(ctx: KernelContext, s: Sizes, x: string, w: string, start: string): string {
  const panels = ctx.weight(w, { kind: 'panelsF32', rows: s.rows, cols: s.i });
  return tilesOfDirection(
    s,
    `for (i32 k = 0; k < kn; k++) {
          float acc[${NR}]; for (i32 j = 0; j < ${NR}; j++) acc[j] = ${start};
          ew_dot8_f32(${ctx.read(x)} + ((t0 + k) * ${s.b} + b) * ${s.i}, ${panels} + n * ${s.i}, ${s.i}, acc);
          ${ownRows(s, `gx + k * ${s.gh}`, 'f4_load(acc + j)')}
        }`,
  );
}

export function emitLstm(ctx: KernelContext, l: Lowered<KernelOf<'lstm'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const start = bias ? `ew_bias2(${ctx.read(bias)}, n + j, ${s.gh}, ${s.rows})` : '0.0f';
  const panels = ctx.weight(r, { kind: 'panelsF32', rows: s.rows, cols: s.h });
  const recurrent = tilesOfDirection(
    s,
    `float acc[${NR}] = {0.0f}; ew_dot8_f32(hs, ${panels} + n * ${s.h}, ${s.h}, acc); ${ownRows(s, 'gates', 'f4_load(acc + j)')}`,
  );
  const inputs = floatInputs(ctx, s, x, w, start);
  return recurrence(ctx, l, { s, setup: '', inputs, state: '', recurrent, cell: lstmCell(s.h), hasCells: true });
}

/** Integer products: x by the scales of its rows, if any, the state as codes of 1/127. */
export function emitQLstm(ctx: KernelContext, l: Lowered<KernelOf<'qlstm'>>): KernelText {
  const [x, xs, w, ws, r, rs, bias] = l.node.inputs as [string, string, string, string, string, string, string];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const padded = (n: number): number => Math.ceil(n / 16) * 16;
  const codes = scratchOf(ctx, 'i8', padded(s.h));
  const tile = scratchOf(ctx, 'i8', NR * padded(Math.max(s.i, s.h)));
  const { pointer: wp } = ctx.panels(w, s.rows, s.i);
  const { pointer: rp } = ctx.panels(r, s.rows, s.h);
  const tiles = Math.ceil(s.gh / NR) + (s.gh % NR === 0 ? 0 : 1);
  const held = s.t > 1 && tiles * NR * padded(s.h) <= HELD_BYTES;
  const recurrentTile = held
    ? `${scratchOf(ctx, 'i8', tiles * NR * padded(s.h))} + (n - first) * ${padded(s.h)}`
    : tile;
  const unpack = `ew_panel(${rp}, n / ${NR}, ${s.rows}, ${s.h}, ${recurrentTile});`;
  const last = (p: string): string => `${p}[n + j]`;
  const sum = 'f4_from_i4(i4_splat(acc[j]))';
  const row = `(t0 + k) * ${s.b} + b`;
  const scaled = xs ? `f4_mul(${sum}, f4_load(${ctx.read(xs)} + ${row}))` : sum;
  const inputs = tilesOfDirection(
    s,
    `ew_panel(${wp}, n / ${NR}, ${s.rows}, ${s.i}, ${tile});
        for (i32 k = 0; k < kn; k++) {
          i32 acc[${NR}]; ew_dot8_i8(${ctx.read(x)} + (${row}) * ${s.i}, ${tile}, EW_PITCH(${s.i}), ${s.i}, ew_none, acc);
          ${ownRows(s, `gx + k * ${s.gh}`, `f4_mul(${scaled}, f4_splat(${last(ctx.read(ws))}))`)}
        }`,
  );
  const recurrent = tilesOfDirection(
    s,
    `${held ? '' : unpack} i32 acc[${NR}]; ew_dot8_i8(${codes}, ${recurrentTile}, EW_PITCH(${s.h}), ${s.h}, ew_none, acc);
          ${ownRows(s, 'gates', `f4_mul(${sum}, f4_mul(f4_splat(${last(ctx.read(rs))}), f4_splat(${f32Literal(1 / 127)})))`)}`,
  );
  const pb = ctx.read(bias);
  return recurrence(ctx, l, {
    s,
    setup: held ? tilesOfDirection(s, unpack) : '',
    inputs,
    state: `ew_quantize_h(hs, ${codes}, ${s.h});`,
    recurrent,
    cell: lstmCell(s.h, (g) => `f4_load(${pb} + dir * ${s.gh} + ${g * s.h} + j)`),
    hasCells: true,
  });
}

/** GRU gate order z r h. */
export function emitGru(ctx: KernelContext, l: Lowered<KernelOf<'gru'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 3);
  const { h } = s;
  const pb = bias ? ctx.read(bias) : '';
  const p = ctx.read(r);
  const wb = (k: number): string => (pb ? `f4_load(${pb} + dir * ${6 * h} + ${k * h} + j)` : 'f4_splat(0.0f)');
  const dot = (from: number, to: number, src: string): string =>
    `for (i32 n = ${from}; n < ${to}; n++) { const float *q = ${p} + (dir * ${3 * h} + n) * ${h}; float acc = 0.0f; for (i32 e = 0; e < ${h}; e++) acc = acc + ${src}[e] * q[e]; gates[n] = acc; }`;
  const [in_, gate] = [(k: number) => `f4_load(in + ${k * h} + j)`, (k: number) => `f4_load(gates + ${k * h} + j)`];
  const sigmoid = (k: number): string =>
    `ew_sigmoid(f4_add(f4_add(${in_(k)}, ${gate(k)}), f4_add(${wb(k)}, ${wb(k + 3)})))`;
  const before = l.spec.linearBeforeReset;
  const rh = before ? '' : scratchOf(ctx, 'float', h);
  const recurrent = before
    ? dot(0, 3 * h, 'hs')
    : `${dot(0, 2 * h, 'hs')} for (i32 j = 0; j < ${h}; j++) f4_store(${rh} + j, f4_mul(${sigmoid(1)}, f4_load(hs + j))); ${dot(2 * h, 3 * h, rh)}`;
  const candidate = before
    ? `f4_add(f4_add(${in_(2)}, ${wb(2)}), f4_mul(${sigmoid(1)}, f4_add(${gate(2)}, ${wb(5)})))`
    : `f4_add(f4_add(${in_(2)}, ${gate(2)}), f4_add(${wb(2)}, ${wb(5)}))`;
  const cell = `const f4 z = ${sigmoid(0)}, c = ew_tanh(${candidate}); f4_store(hs + j, f4_add(f4_mul(f4_sub(f4_splat(1.0f), z), c), f4_mul(z, f4_load(hs + j))));`;
  const inputs = floatInputs(ctx, s, x, w, '0.0f');
  return recurrence(ctx, l, { s, setup: '', inputs, state: '', recurrent, cell, hasCells: false });
}
