import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import type { WideVectors } from '../../target.ts';
import { f32Literal, type KernelContext, type KernelText, share } from './context.ts';
import { chainsOfTiles, type TileChains } from './dot7-chains.ts';
import { emitRowTail } from './epilogue.ts';
import { type Done, MR, microDot7, microF32, microI16, NR } from './gemm.ts';
import { rowForm } from './gemv.ts';
import { widened } from './lanes.ts';
import { DOT7_BITS, DOT7_OFFSET } from './panels.ts';
import { wideLstm } from './wide-lstm.ts';

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

/** The hidden state `hs` of sample `b` times the recurrent matrix of direction `dir`: results to gates[g*h]. */
interface Recurrent {
  /** Once a direction. */
  readonly setup: string;
  readonly step: string;
}

/** Products of the input matrix that are held at a time, bytes. */
const CHUNK_BYTES = 32 * 1024;
/** Up to this size the codes of the input matrix are unpacked once for all chunks. */
const UNPACKED_BYTES = 256 * 1024;

/** Time steps whose input products are computed together, so that weights are unpacked once for all of them. */
interface Chunk {
  readonly steps: number;
  /** Floats from one row of products to the next: the rows of whole tiles that a direction touches. */
  readonly pitch: number;
  /** Rows computed at once, and whether every chunk is a multiple of that. */
  readonly mr: number;
  readonly exact: boolean;
}

function chunkOf(s: Sizes): Chunk {
  const gh = s.g * s.h;
  const pitch = gh % NR === 0 ? gh : Math.ceil(gh / NR) * NR + NR;
  const fit = Math.floor(CHUNK_BYTES / (s.b * pitch * 4));
  const steps = Math.min(s.t, fit >= MR ? Math.floor(fit / MR) * MR : Math.max(1, fit));
  const mr = Math.min(MR, s.t * s.b, steps * s.b);
  return { steps, pitch, mr, exact: (steps * s.b) % mr === 0 && ((s.t % steps) * s.b) % mr === 0 };
}

/** Where the products of a chunk go: row m, channels from n. */
const productAt = (c: Chunk): string => `gx + (m + r) * ${c.pitch} + n - first`;

/** The loop over tiles of eight rows, or over several at a time, of the input matrix that belong to direction `dir`. */
const tilesOfDirection = (gh: number, body: string, step = NR): string =>
  `for (i32 n = first; n < dir * ${gh} + ${gh}; n += ${step}) { ${body} }`;

/**
 * One direction after another (parts share them out), and in each a chunk of time steps after another: the products of the
 * chunk's `mn` rows from row `m0` of x with the input matrix go to gx, then its steps are walked.
 */
function recurrence(
  ctx: KernelContext,
  l: Lowered,
  s: Sizes,
  chunk: Chunk,
  inputProduct: string,
  rec: Recurrent,
  cell: string,
  initialC: boolean,
): KernelText {
  const [h0, c0] = initialStates(l, initialC);
  const y = l.node.outputs[0] ?? '';
  const yh = l.node.outputs[1] ?? '';
  const yc = initialC ? (l.node.outputs[2] ?? '') : '';
  const gh = s.g * s.h;
  const state = (v: string, p: string): string =>
    v ? `ew_copy(${p}, ${ctx.read(v)} + (dir * ${s.b} + b) * ${s.h}, ${s.h * 4});` : `ew_fill(${p}, 0, ${s.h * 4});`;
  const pitch = s.h + 8;
  const hs = ctx.scratch(s.b * pitch * 4);
  const cs = ctx.scratch(s.b * pitch * 4);
  const gates = ctx.scratch((gh + 16) * 4);
  const gx = ctx.scratch(chunk.steps * s.b * chunk.pitch * 4);
  const { direction } = l.spec as KernelOf<'lstm'>;
  const backwards = direction === 'forward' ? '0' : direction === 'reverse' ? '1' : 'dir';
  const local = `float *hs = hidden + b * ${pitch}, *cs = cells + b * ${pitch}; (void)cs;`;
  const row = `((t * ${s.d} + dir) * ${s.b} + b)`;
  const store = ctx.group.stores.includes(y) ? `ew_copy(${ctx.write(y)} + ${row} * ${s.h}, hs, ${s.h * 4});` : '';
  const body = `${share(s.d, 1, 'd0', 'd1')}
  float *gx = (float *)${gx}, *hidden = (float *)${hs}, *cells = (float *)${cs}, *gates = (float *)${gates};
  for (i32 dir = d0; dir < d1; dir++) {
    const i32 first = dir * ${gh} / ${NR} * ${NR};
    ${rec.setup}
    for (i32 b = 0; b < ${s.b}; b++) { ${local} ${state(h0, 'hs')} ${initialC ? state(c0, 'cs') : ''} }
    for (i32 k0 = 0; k0 < ${s.t}; k0 += ${chunk.steps}) {
      const i32 kn = ${s.t} - k0 < ${chunk.steps} ? ${s.t} - k0 : ${chunk.steps};
      const i32 t0 = ${backwards} ? ${s.t} - k0 - kn : k0, m0 = t0 * ${s.b}, mn = kn * ${s.b};
      ${inputProduct}
      for (i32 b = 0; b < ${s.b}; b++) {
        ${local}
        for (i32 k = 0; k < kn; k++) {
          const i32 t = ${backwards} ? t0 + kn - 1 - k : t0 + k; (void)t;
          const float *in = gx + ((t - t0) * ${s.b} + b) * ${chunk.pitch} + dir * ${gh} - first;
          ${rec.step}
          ${cell}
          ${store} ${emitRowTail(ctx, 'hs', row)}
        }
      }
    }
    for (i32 b = 0; b < ${s.b}; b++) {
      ${local}
      ${yh ? `ew_copy(${ctx.write(yh)} + (dir * ${s.b} + b) * ${s.h}, hs, ${s.h * 4});` : ''}
      ${yc ? `ew_copy(${ctx.write(yc)} + (dir * ${s.b} + b) * ${s.h}, cs, ${s.h * 4});` : ''}
    }
  }`;
  return { helpers: '', body, macs: s.t * s.b * s.rows * (s.i + s.h) };
}

function initialStates(l: Lowered, cell: boolean): [string, string] {
  const at = l.spec.kind === 'qlstm' ? 7 : 5;
  return [l.node.inputs[at] ?? '', cell ? (l.node.inputs[at + 1] ?? '') : ''];
}

/**
 * Gate pre-activations arrive as input part + recurrent part (+ bias); order i o f c. Two loops, so that a processor has several steps
 * of each in the works: in one, a step is a chain of two tanh and longer than it looks ahead.
 */
function lstmCell(h: number, bias?: (gate: number) => string, wide?: WideVectors): string {
  const lanes = wide && h % wide.lanes === 0 ? wide.lanes : 4;
  const sum = (g: number): string => {
    const at = g === 0 ? 'j' : `${g * h} + j`;
    const parts = `f4_add(f4_load(in + ${at}), f4_load(gates + ${at}))`;
    return bias ? `f4_add(${parts}, ${bias(g)})` : parts;
  };
  const text = `for (i32 j = 0; j < ${h}; j += ${lanes}) {
        const f4 gi = ew_sigmoid(${sum(0)}), go = ew_sigmoid(${sum(1)}), gf = ew_sigmoid(${sum(2)}), gc = ew_tanh(${sum(3)});
        f4_store(cs + j, f4_add(f4_mul(gf, f4_load(cs + j)), f4_mul(gi, gc))); f4_store(hs + j, go);
      }
      for (i32 j = 0; j < ${h}; j += ${lanes}) f4_store(hs + j, f4_mul(f4_load(hs + j), ew_tanh(f4_load(cs + j))));`;
  return lanes > 4 ? widened(text) : text;
}

/** f32 product of the chunk's rows of x with panels; `init` gives the start values of eight channels. */
function inputProductF32(s: Sizes, chunk: Chunk, x: string, w: string, init: (n: string) => [string, string]): string {
  const { mr, exact } = chunk;
  const micro = microF32(
    s.i,
    mr,
    exact
      ? { base: `${x} + (m0 + m) * ${s.i}`, pitch: s.i }
      : { pointer: (r) => `${x} + (m0 + (m + ${r} < mn ? m + ${r} : mn - 1)) * ${s.i}` },
    `${w} + n * ${s.i}`,
    init('n'),
    {
      ...chunkRows(chunk),
      use: (a, b) => `float *o = ${productAt(chunk)}; f4_store(o, ${a}); f4_store(o + 4, ${b});`,
    },
  );
  return tilesOfDirection(s.g * s.h, `for (i32 m = 0; m < mn; m += ${mr}) ${micro}`);
}

function chunkRows({ exact, mr }: Chunk): { rows?: string } {
  return exact ? {} : { rows: `(mn - m < ${mr} ? mn - m : ${mr})` };
}

export function emitLstm(ctx: KernelContext, l: Lowered<KernelOf<'lstm'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const chunk = chunkOf(s);
  const pb = bias ? ctx.read(bias) : '';
  const init = (n: string): [string, string] =>
    pb ? [biasSum(pb, s, n, 0), biasSum(pb, s, n, 4)] : ['f4_splat(0.0f)', 'f4_splat(0.0f)'];
  const panels = ctx.weight(w, { kind: 'panelsF32', rows: s.rows, cols: s.i });
  const product = inputProductF32(s, chunk, ctx.read(x), panels, init);
  return recurrence(
    ctx,
    l,
    s,
    chunk,
    product,
    recurrentF32(ctx, s, r),
    lstmCell(s.h, undefined, ctx.tuning.wide),
    true,
  );
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
    const step = `for (i32 n = 0; n < ${gh}; n++) { const float *q = ${p} + (dir * ${gh} + n) * ${s.h}; float acc = 0.0f; for (i32 k2 = 0; k2 < ${s.h}; k2++) acc = acc + hs[k2] * q[k2]; gates[n] = acc; }`;
    return { setup: '', step };
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
  return { setup: '', step: `for (i32 n = 0; n < ${gh}; n += ${NR}) ${micro}` };
}

/** Integer products: x by the scales of its rows, if any, h by 1/127. Codes of the recurrent matrix are unpacked once a direction, those of the input matrix where they are not too many; for a single
 * step of one sample a tile at a time. */
export function emitQLstm(ctx: KernelContext, l: Lowered<KernelOf<'qlstm'>>): KernelText {
  const [x, xs, w, ws, r, rs, bias] = l.node.inputs as [string, string, string, string, string, string, string];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 4);
  const gh = s.g * s.h;
  const chunk = chunkOf(s);
  const { mr } = chunk;
  const ip = Math.ceil(s.i / 16) * 16;
  const hp = Math.ceil(s.h / 16) * 16;
  const { pointer: wp, bits: inputBits } = ctx.panels(w, s.rows, s.i);
  const { pointer: rp, bits } = ctx.panels(r, s.rows, s.h);
  const px = ctx.read(x);
  const pxs = xs ? ctx.read(xs) : '';
  const [pws, prs, pb] = [ctx.read(ws), ctx.read(rs), ctx.read(bias)];
  const { wide } = ctx.tuning;
  if (wide && s.h % wide.lanes === 0) {
    const once = s.t > chunk.steps && gh * ip <= UNPACKED_BYTES;
    const { product, ...rec } = wideLstm(ctx, wide, {
      ...{ sizes: s, gates: gh, pitch: chunk.pitch, steps: chunk.steps, x: px, xScale: pxs },
      input: { panels: wp, bits: inputBits, scale: pws, once },
      recurrent: { panels: rp, bits, scale: prs, once: s.t * s.b > 1 },
    });
    const biasOf = (g: number): string => `f4_load(${pb} + dir * ${gh} + ${g * s.h} + j)`;
    return recurrence(ctx, l, s, chunk, product, rec, lstmCell(s.h, biasOf, wide), true);
  }
  const rows = `((i16 *)${ctx.scratch((chunk.steps * s.b + MR) * ip * 2)})`;
  const tile = `((i16 *)${ctx.scratch(8 * Math.max(ip, hp) * 2)})`;
  const listRoom = `(${tile} + ${4 * Math.max(ip, hp)})`;
  const sums = `((i32 *)${ctx.scratch(32)})`;
  const tiles = Math.ceil(gh / NR) + (gh % NR === 0 ? 0 : 1);
  const single = s.t * s.b === 1;
  const hq = `((i16 *)${ctx.scratch(hp * 2)})`;
  const out = `((i32 *)${ctx.scratch(64)})`;
  const form = rowForm('i8', bits, true);
  const row = `((ew_row_${form} *)${ctx.scratch(hp * 2)})`;
  const scaled = (v: string, k: number): string =>
    `f4_mul(${pxs ? `f4_mul(f4_from_i4(${v}), sc)` : `f4_from_i4(${v})`}, f4_load(${pws} + n${k ? ` + ${k}` : ''}))`;
  const store: Done = {
    ...chunkRows(chunk),
    use: (a, b) =>
      `${pxs ? `const f4 sc = f4_load_splat(${pxs} + m0 + m + r); ` : ''}float *o = ${productAt(chunk)}; f4_store(o, ${scaled(a, 0)}); f4_store(o + 4, ${scaled(b, 4)});`,
  };
  const zero: [string, string] = ['i4_splat(0)', 'i4_splat(0)'];
  const once = s.t > chunk.steps && tiles * NR * ip <= UNPACKED_BYTES;
  const inputs = once ? `((i8 *)${ctx.scratch(tiles * NR * ip)})` : '';
  const chains = chainsFor(ctx, w, { rows: s.rows, cols: s.i, columns: ip, name: 'input_chains' });
  const from = chains && room(ctx, once ? tiles : 1);
  const inputTile = once ? `${inputs} + (n - first) * ${ip}` : tile;
  const unpackInput = `ew_panel_i16(${wp}, n / ${NR}, ${s.rows}, ${s.i}, ${tile}, ${sums});`;
  const offset7 = chains ? `ew_chained ? 0 : ${DOT7_OFFSET}` : DOT7_OFFSET;
  const startOf = from ? ifChained(`ew_from_sums((u8 *)${inputTile}, ${ip}, ${from('n')});`) : '';
  const unpackInput7 = `ew_panel(${wp}, n / ${NR}, ${s.rows}, ${s.i}, ${offset7}, (u8 *)${inputTile}, (u8 *)${listRoom});${startOf}`;
  const micro = microI16(
    ctx.tuning.sums,
    ip,
    mr,
    { base: `${rows} + m * ${ip}`, pitch: ip },
    inputTile,
    zero,
    store,
    once ? 'i8' : 'i16',
  );
  const widen =
    s.i === ip
      ? `ew_widen(${rows}, ${px} + m0 * ${ip}, mn * ${ip});`
      : `for (i32 m = 0; m < mn; m++) ew_widen(${rows} + m * ${ip}, ${px} + (m0 + m) * ${s.i}, ${s.i});`;
  const inputForm = rowForm('i8', inputBits, true);
  const inputRow = `((ew_row_${inputForm} *)${rows})`;
  const one = `const i32 m = 0, r = 0, sum = ew_make_row_${inputForm}(${px}, ${s.i}, 0, ${inputRow}); ew_place at = {${wp}, -1};
      ${tilesOfDirection(gh, `ew_gemv_${inputForm}(&at, ${wp}, n / ${NR}, ${s.rows}, ${s.i}, ${inputRow}, sum, (u8 *)${tile}, ${out}); ${store.use(`i4_load(${out})`, `i4_load(${out} + 4)`)}`)}`;
  const many = `${widen}
      ${tilesOfDirection(gh, `${once ? '' : unpackInput} for (i32 m = 0; m < mn; m += ${mr}) ${micro}`)}`;
  const byDot7 = (): string => {
    const rowSums = `((i32 *)${ctx.scratch((chunk.steps * s.b + MR) * 4)})`;
    const inPlace = s.i === ip && chunk.exact;
    const copies = `((i8 *)${rows})`;
    const at = `${px} + m0 * ${ip}`;
    const rows7 = !inPlace ? copies : chains ? 'rows7' : `(${at})`;
    const flip = ifChained(`ew_flip(${copies}, ${inPlace ? at : copies}, mn * ${ip}, b16_splat(-128));`);
    const copy = inPlace
      ? chains
        ? `const i8 *const rows7 = ew_chained ? ${copies} : ${at};${flip}`
        : ''
      : `ew_fill(${rows7}, 0, mn * ${ip}); for (i32 m = 0; m < mn; m++) ew_copy(${rows7} + m * ${ip}, ${px} + (m0 + m) * ${s.i}, ${s.i});${chains ? flip : ''}`;
    const less = (r: number): string => `${rowSums}[m + ${r}]`;
    const signed = chains && { lengths: 'lengths', halves: chains.halves };
    const micro7 = microDot7(
      ctx.tuning.sums,
      ip,
      mr,
      { base: `${rows7} + m * ${ip}`, pitch: ip },
      once ? `(u8 *)${inputTile}` : `(u8 *)${tile}`,
      ['i4_splat(0)', 'i4_splat(0)'],
      less,
      store,
      chains ? { eight: { where: 'ew_chained', start: 'start', chains: signed } } : { chained: !ctx.tuning.sums },
    );
    const how =
      chains && from
        ? ` const u8 *const lengths = ${chains.at('n')}; (void)lengths; const i32 *start = ew_chained ? ${from('n')} : none;`
        : '';
    const rowSum = `ew_row_sums(${rows7}, ${rowSums}, mn, ${ip}, ${ip}, 1, 0, ${DOT7_OFFSET});`;
    return `${copy} ${chains ? `${chains.text} static const i32 none[8] = {0}; if (!ew_chained) ` : ''}${rowSum}
      ${tilesOfDirection(gh, `${once ? '' : unpackInput7}${how} for (i32 m = 0; m < mn; m += ${mr}) ${micro7}`)}`;
  };
  const product = single
    ? `{ ${one} }`
    : inputBits > DOT7_BITS
      ? many
      : `\n#ifdef EW_DOT7\n${byDot7()}\n#else\n${many}\n#endif\n`;
  const scaledOf = (n: string, a: string, k: number): string =>
    `f4_mul(f4_from_i4(${a}), f4_mul(${s.rows % NR === 0 ? `f4_load(${prs} + ${n} + ${k})` : `ew_load_row(${prs}, ${n} + ${k}, ${s.rows})`}, f4_splat(${f32Literal(1 / 127)})))`;
  // Tiles of eight rows may straddle two directions; rows of the other one are left out.
  const own = (n: string, at: string): string => {
    const [a, b] = [scaledOf(n, `i4_load(${at})`, 0), scaledOf(n, `i4_load(${at} + 4)`, 4)];
    return gh % NR === 0
      ? `{ float *o = gates + ${n} - first; f4_store(o, ${a}); f4_store(o + 4, ${b}); }`
      : `{ float q[8]; f4_store(q, ${a}); f4_store(q + 4, ${b}); for (i32 z = 0; z < 8; z++) if (${n} + z >= dir * ${gh} && ${n} + z < dir * ${gh} + ${gh}) gates[${n} + z - dir * ${gh}] = q[z]; }`;
  };
  const hidden = `ew_quantize_h(hs, ${hq}, ${s.h}, ${hp}); const i32 sum = ew_make_row16_${form}(${hq}, ${s.h}, ${row});`;
  const narrowed = `${unpackInput} ew_narrow(${inputTile}, ${tile}, ${NR * ip});`;
  const unpackOnce =
    inputBits > DOT7_BITS ? narrowed : `\n#ifdef EW_DOT7\n${unpackInput7}\n#else\n${narrowed}\n#endif\n`;
  const cell = lstmCell(s.h, (g) =>
    s.h % 4 === 0
      ? `f4_load(${pb} + dir * ${gh} + ${g * s.h} + j)`
      : `ew_load_row(${pb}, dir * ${gh} + ${g * s.h} + j, ${s.rows})`,
  );
  const withProducts = (setup: string, products: string): KernelText =>
    recurrence(ctx, l, s, chunk, product, { setup, step: `${hidden} ${products}` }, cell, true);
  if (single) {
    const gemv = `ew_gemv_${form}(&at, ${rp}, n / ${NR}, ${s.rows}, ${s.h}, ${row}, sum, (u8 *)${tile}, ${out});`;
    return withProducts('', `ew_place at = {${rp}, -1}; ${tilesOfDirection(gh, `${gemv} ${own('n', out)}`)}`);
  }
  const unpacked = ctx.scratch(tiles * NR * hp);
  const tileAt = (n: string): string => `(u8 *)${unpacked} + (${n} - first) * ${hp}`;
  const offset = `EW_OFFSET_${form.toUpperCase()}`;
  const unpack = (more: string): string =>
    `ew_panel(${rp}, n / ${NR}, ${s.rows}, ${s.h}, ${more}, ${tileAt('n')}, (u8 *)${tile});`;
  // Two tiles at a time; the last one of an odd number is its own neighbour.
  const pair = (product: string): string =>
    `const i32 other = n + ${NR} < dir * ${gh} + ${gh} ? n + ${NR} : n; ${product} ${own('n', out)} ${own('other', `${out} + ${NR}`)}`;
  const plain = pair(`ew_pair_${form}(${tileAt('n')}, ${tileAt('other')}, ${hp}, ${row}, sum, ${out});`);
  const pairChains =
    form === 'u7' && gh % (2 * NR) === 0
      ? chainsFor(ctx, r, { rows: s.rows, cols: s.h, tiles: 2, name: 'hidden_chains' })
      : undefined;
  const products = (text: string): string => tilesOfDirection(gh, text, 2 * NR);
  const others = once ? unpackOnce : '';
  if (!pairChains || pairChains.halves)
    return withProducts(tilesOfDirection(gh, `${unpack(offset)}${others}`), products(plain));
  const fromOf = room(ctx, tiles);
  const setup = `${unpack(`ew_chained ? 0 : ${offset}`)}${ifChained(`ew_from_sums(${tileAt('n')}, ${hp}, ${fromOf('n')});`)}`;
  const inChains = pair(
    `ew_pair_chained(${tileAt('n')}, ${tileAt('other')}, ${Math.ceil(s.h / 4) * 4}, ${row}, ${pairChains.at('n')}, ${fromOf('n')}, ${fromOf('other')}, ${out});`,
  );
  const flipped = ifChained(
    `${pairChains.text} ew_flip(${row}, ${row}, ${hp}, b16_splat(-128)); ${products(inChains)}`,
  );
  return withProducts(tilesOfDirection(gh, `${setup}${others}`), `${flipped} if (!ew_chained) ${products(plain)}`);
}

/** Text for engines that sum in 16 bits first. */
const ifChained = (text: string): string => `\n#ifdef h8_dot7\nif (ew_chained) { ${text} }\n#endif\n`;

/** Chains of constant codes, where they pay. */
function chainsFor(
  ctx: KernelContext,
  w: string,
  { rows, cols, ...how }: { rows: number; cols: number; columns?: number; tiles?: number; name: string },
): TileChains | undefined {
  const codes = ctx.largestCodes(w);
  if (!codes || ctx.tuning.sums || ctx.tuning.wide) return undefined;
  return chainsOfTiles({ data: codes, rows, cols, segments: 1 }, how);
}

/** Room for eight integers of each tile: the address of those of the tile at row n. */
function room(ctx: KernelContext, tiles: number): (n: string) => string {
  const at = ctx.scratch(tiles * 32);
  return (n) => (tiles === 1 ? `((i32 *)${at})` : `((i32 *)${at} + (${n} - first))`);
}

/** GRU gate order z r h. */
export function emitGru(ctx: KernelContext, l: Lowered<KernelOf<'gru'>>): KernelText {
  const [x, w, r, bias] = l.node.inputs as [string, string, string, string?];
  const s = sizesOf(ctx, x, l.spec.hidden, l.spec.direction, 3);
  const { h } = s;
  const chunk = chunkOf(s);
  const pb = bias ? ctx.read(bias) : '';
  const zero: [string, string] = ['f4_splat(0.0f)', 'f4_splat(0.0f)'];
  const product = inputProductF32(
    s,
    chunk,
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
  const step = before
    ? dot(0, 3 * h, 'hs')
    : `${dot(0, 2 * h, 'hs')} for (i32 j = 0; j < ${h}; j += 4) f4_store(${rh} + j, f4_mul(${rGate}, f4_load(hs + j))); ${dot(2 * h, 3 * h, rh)}`;
  const candidate = before
    ? `f4_add(f4_add(f4_load(in + ${2 * h} + j), ${wb(2)}), f4_mul(${rGate}, f4_add(f4_load(gates + ${2 * h} + j), ${wb(5)})))`
    : `f4_add(f4_add(f4_load(in + ${2 * h} + j), f4_load(gates + ${2 * h} + j)), f4_add(${wb(2)}, ${wb(5)}))`;
  const cell = `for (i32 j = 0; j < ${h}; j += 4) { const f4 z = ${zGate}, c = ew_tanh(${candidate}); f4_store(hs + j, f4_add(f4_mul(f4_sub(f4_splat(1.0f), z), c), f4_mul(z, f4_load(hs + j)))); }`;
  return recurrence(ctx, l, s, chunk, product, { setup: '', step }, cell, false);
}
