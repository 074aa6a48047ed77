import type { Tensor } from '../../../util/tensor.ts';
import type { WideVectors } from '../../target.ts';
import type { KernelContext, KernelText } from './context.ts';
import { depthwiseShare } from './conv.ts';
import { emitRowEpilogue, hasLanewiseTail, hasTailOfRows, spaceOf } from './epilogue.ts';
import { NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { wideLanes, widened } from './lanes.ts';

/** Operands of a depthwise convolution, all read already. */
export interface WideDepthwise {
  readonly src: string;
  readonly from: 'i8' | 'i16';
  readonly filter: string;
  /** The codes, where they are known. */
  readonly codes: Tensor['data'] | undefined;
  readonly zero: string;
  readonly zeroPerChannel: boolean;
  readonly multiplier: string;
  readonly bias: string;
  readonly y: string;
}

/** Rows of results at a time, as registers allow: lines of the image are copied once for all of them. */
const ROWS = { 8: 4, 16: 8 } as const;
/** Bytes of copied lines at most, beside what else is in the first cache. */
const LINE_BYTES = 16 * 1024;
/** Vectors of filter taps that registers hold beside the rest. */
const MOST_TAPS = 10;

/** What products of bytes are added up in without VNNI, as codes allow: see targets/host/depthwise.ts. */
function formOf(codes: Tensor['data'] | undefined, { kh, kw }: Geometry): 'sums' | 'pairs' | 'u8' {
  if (!codes) return 'u8';
  let form: 'sums' | 'pairs' = 'sums';
  for (let filter = 0; filter < codes.length; filter += kh * kw) {
    // Positive and negative codes of even pairs of taps, and of odd ones.
    const all = [0, 0, 0, 0];
    for (let line = 0; line < kh; line++)
      for (let x = 0; x < kw; x += 2) {
        const pair = [
          Number(codes[filter + line * kw + x]),
          x + 1 < kw ? Number(codes[filter + line * kw + x + 1]) : 0,
        ];
        const [up, down] = [Math.max(...pair, 0, pair[0]! + pair[1]!), Math.min(...pair, 0, pair[0]! + pair[1]!)];
        if (up > FITS || down < -FITS) return 'u8';
        for (const q of pair) all[(x & 2) + (q < 0 ? 1 : 0)]! += Math.abs(q);
      }
    if (all.some((sum) => sum > FITS)) form = 'pairs';
  }
  return form;
}

/** 255 times codes of one sign that add up to no more fit 16 bits. */
const FITS = 128;

/** Rows so that few are computed in vain; a pass takes as long as two rows more. */
function rowsAtOnce(oh: number, most: number): number {
  const cost = (r: number): number => Math.ceil(oh / r) * (r + 2);
  let best = Math.min(most, oh);
  for (let r = best - 1; r > 0; r--) if (cost(r) < cost(best)) best = r;
  return best;
}

/**
 * Whether lines outside the image are left out: what they add to a row's sums is the same for all its pixels. Where few are outside, asking for
 * every line costs more.
 */
function skipsLines({ oh, h, strides, pads }: Geometry, rows: number, lineCount: number): boolean {
  let [outside, all] = [0, 0];
  for (let y = 0; y < oh; y += rows)
    for (let line = 0; line < lineCount; line++) {
      const at = y * strides[0] - pads[0] + line;
      if (at < 0 || at >= h) outside++;
      all++;
    }
  return outside >= all * LEAST_SKIPPED;
}

const LEAST_SKIPPED = 0.2;

/** Pixels of a copied line, as far as taps that are read four at a time reach. */
const pixelsOf = ({ kw, ow, strides }: Geometry): number => (ow - 1) * strides[1] + 4 * Math.ceil(kw / 4);

/** Whether the kernel takes it: filters without gaps that fit registers, and lines that the image begins in. */
export function suitsWideDepthwise(ctx: KernelContext, geo: Geometry): boolean {
  return (
    hasLanewiseTail(ctx) &&
    geo.dilations.every((d) => d === 1) &&
    geo.pads.every((p) => p >= 0) &&
    geo.pads[1] <= pixelsOf(geo) &&
    geo.kh * Math.ceil(geo.kw / 4) <= MOST_TAPS
  );
}

/** Bytes that one instruction takes taps from. */
const TAPS_FROM = 64;

/**
 * Whether two neighbouring pixels share a vector: all channels of one are a tile of codes, which fills half of it, and the taps of both lie so
 * near to each other that one instruction finds them.
 */
function pairsPixels(ctx: KernelContext, lanes: number, geo: Geometry, v: WideDepthwise): boolean {
  return (
    2 * NR === lanes &&
    geo.c === NR &&
    geo.ow % 2 === 0 &&
    v.from === 'i8' &&
    !v.zeroPerChannel &&
    (geo.strides[1] + 4) * geo.c <= TAPS_FROM &&
    hasTailOfRows(ctx, ctx.type(v.y).shape)
  );
}

/** Lines up to this length are copied pixel by pixel without a loop. */
const SHORT_LINE = 16;

/** Where lines are copied to, and from. */
interface Lines {
  readonly type: 'u8' | 'i16';
  readonly src: string;
  readonly lines: string;
  /** Bytes or 16-bit elements from one pixel to the next. */
  readonly pitch: number;
  /** What is beside the image is there already. */
  readonly padded: boolean;
  /** Pixels have these channels only, and lie side by side in the image as well: C expression of what is beside it. */
  readonly whole: string | undefined;
}

/** C text that copies line `line` of the image with its padding to place i of the copied lines. */
function copyLine(
  { h, w, c, pads }: Geometry,
  pixels: number,
  { type, src, lines, pitch, padded, whole }: Lines,
): string {
  const left = pads[1];
  const to = `${lines} + i * ${pixels * pitch}`;
  const from = `${src} + ((i64)image * ${h} + (outside ? 0 : line)) * ${w * c} + n`;
  if (whole) {
    const inside = Math.min(w, pixels - left);
    return `ew_line_${type}(${to}, outside ? 0 : ${from}, ${left * c}, ${inside * c}, ${pixels * c}, ${whole});`;
  }
  if (pixels > SHORT_LINE) return `dw_line_${type}(${to}, ${from}, ${c}, ${left}, ${w}, ${pixels}, outside, pad);`;
  const copy =
    type === 'u8'
      ? (at: string, s: string) => `dw_copy_i8(${at}, ${s}, 0x80);`
      : (at: string, s: string) => `dw_copy_i16(${at}, ${s});`;
  const places = Array.from({ length: pixels }, (_, x) => ({ x: x - left, at: `d + ${x * pitch}` }));
  const isInside = ({ x }: { x: number }): boolean => x >= 0 && x < w;
  const written = padded ? places.filter(isInside) : places;
  const all = written.map(({ at }) => padPixel(type, at)).join(' ');
  const inside = written.map((p) => (isInside(p) ? copy(p.at, `s + ${p.x * c}`) : padPixel(type, p.at))).join(' ');
  return `${type} *const d = ${to}; const __typeof__(*${src}) *const s = ${from};
        if (outside) { ${all} } else { ${inside} }`;
}

const padPixel = (type: 'u8' | 'i16', at: string): string =>
  type === 'u8' ? `dw_copy_i8(${at}, pad, 0);` : `dw_copy_i16(${at}, pad);`;

/** C text that writes what is beside the image in `count` copied lines. */
function padLines({ w, pads }: Geometry, pixels: number, { type, lines, pitch }: Lines, count: number): string {
  const places = Array.from({ length: pixels }, (_, x) => x).filter((x) => x < pads[1] || x >= pads[1] + w);
  if (places.length === 0) return '';
  return `for (i32 i = 0; i < ${count}; i++) { ${type} *const d = ${lines} + i * ${pixels * pitch}; ${places.map((x) => padPixel(type, `d + ${x * pitch}`)).join(' ')} }`;
}

/** Passes of which the lines are copied at once: neighbouring ones share some. */
function bandOf(passes: number, bytes: (passes: number) => number): number {
  let n = passes;
  while (n > 1 && bytes(n) > LINE_BYTES) n--;
  return n;
}

/**
 * Integer depthwise convolution on wide vectors. The lines of the image that a band of rows of results needs are copied a vector of channels at
 * a time, with their padding, so that neighbouring pixels lie side by side; four of them are turned into four taps a channel and multiplied
 * with the taps of every row of filters that they meet. Bytes are made unsigned by 128 more.
 */
export function wideDepthwise(
  ctx: KernelContext,
  { lanes, vnni }: WideVectors,
  geo: Geometry,
  v: WideDepthwise,
): Omit<KernelText, 'macs'> {
  const [sh, sw] = geo.strides;
  const top = geo.pads[0];
  const rows = rowsAtOnce(geo.oh, ROWS[lanes]);
  const quads = Math.ceil(geo.kw / 4);
  const pixels = pixelsOf(geo);
  const lineCount = (rows - 1) * sh + geo.kh;
  const blocks = Math.ceil(geo.c / lanes);
  const pairs = pairsPixels(ctx, lanes, geo, v);
  const pitch = pairs ? geo.c : lanes;
  const taps = geo.kh * geo.kw;
  const filterBytes = geo.kh * quads * lanes * 4;
  const [type, bytes, turned] = v.from === 'i8' ? (['u8', 1, 128] as const) : (['i16', 2, 0] as const);
  const form = v.from === 'i16' || vnni ? type : formOf(v.codes, geo);
  const line = pixels * pitch;
  const whole = geo.c === pitch && !v.zeroPerChannel ? `*${v.zero}` : undefined;
  // Short lines have the same beside them for all channels, where that is one value, and it is written once.
  const padded = pixels <= SHORT_LINE && !v.zeroPerChannel && !whole;
  const band = rows * bandOf(Math.ceil(geo.oh / rows), (n) => ((n * rows - 1) * sh + geo.kh) * line * bytes);
  const copied = (band - 1) * sh + geo.kh;
  const lines = `((${type} *)${ctx.scratch(copied * line * bytes)})`;
  // Lines that the band before took too, where its results are written over them.
  const kept = ctx.overlapped && band < geo.oh ? Math.max(0, geo.kh - sh) : 0;
  const keptLines =
    kept > 0 ? `((${type} *)${ctx.scratch(blocks * kept * line * bytes)}) + at / ${lanes} * ${kept * line}` : '';
  const copies: Lines = { type, src: v.src, lines, pitch, padded, whole };
  const filters = `((i8 *)${ctx.scratch(blocks * filterBytes)})`;
  const start = `((i32 *)${ctx.scratch(blocks * lanes * 4)})`;
  const tile = `((u8 *)${ctx.scratch(16 * (Math.ceil(taps / 16) * 16 + 2))})`;
  const acc = `((i32 *)${ctx.scratch(rows * lanes * 4)})`;
  const epi = emitRowEpilogue(ctx, 'epi', spaceOf(ctx.type(v.y).shape), v.y, wideLanes(lanes, pairs ? 2 : 1));
  const zeroOf = (c: string): string => (v.zeroPerChannel ? `${v.zero}[${c}]` : `*${v.zero}`);
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
  const tapsOf = range(geo.kh).flatMap((ky) => range(quads).map((q) => ({ ky, q, name: `w${ky}_${q}` })));
  // Of four taps in pairs, the last one of a line of 5 is alone in the first pair.
  const alone = geo.kw % 4 === 1 && (form === 'i16' || (form === 'u8' && !vnni));
  /** What taps of a line add to the sums that meet it. */
  const dots = (line: number, q: number, sums: string): string =>
    range(rows)
      .filter((r) => line - r * sh >= 0 && line - r * sh < geo.kh)
      .map((r) => {
        const dot = alone && q === quads - 1 ? 'dw_dot_one' : `dw_dot_${form}`;
        return `${sums}${r} = ${dot}(${sums}${r}, t, w${line - r * sh}_${q});`;
      })
      .join(' ');
  const skips = skipsLines(geo, rows, lineCount);
  const first = form === 'sums' ? 'i4_splat(0)' : 'first';
  const tapsAt = (at: string): string => (pairs ? `dw_taps_twice(${at}, ${sw * pitch})` : `dw_taps_${form}(${at})`);
  const starts = `const dw_${form} t = ${tapsAt('pad')}; i4 ${range(rows)
    .map((r) => `s${r} = ${first}`)
    .join(', ')};
        ${range(lineCount)
          .map((line) => {
            const y = `py * ${sh} + ${line - top}`;
            const of = range(quads).map((q) => dots(line, q, 's'));
            return `const i32 in${line} = ${y} >= 0 && ${y} < ${geo.h}; if (!in${line}) { ${of.join(' ')} }`;
          })
          .join('\n        ')}`;
  const products = range(lineCount).map((line) => {
    const taps = range(quads).map((q) => {
      const of = dots(line, q, 'c');
      return of && `{ const dw_${form} t = ${tapsAt(`p + ${(line * pixels + 4 * q) * pitch}`)}; ${of} }`;
    });
    return skips ? `if (in${line}) { ${taps.join(' ')} }` : taps.join('\n          ');
  });
  const finish = (r: string, c: string): string =>
    `epi(${ctx.arguments()}, (row0 + ${r}) * ${geo.ow} + px, n, nv, f4_add(f4_mul(f4_from_i4(${c}), m), b)${epi.more});`;
  const [twice, together] = pairs ? (['_twice', 2] as const) : (['', 1] as const);
  const block = `const i4 first = i4_mul(i4_load${twice}(${start} + at), i4_sub(i4_splat(-${turned}), ${v.zeroPerChannel ? `i4_load(${v.zero} + n)` : `i4_splat(*${v.zero})`}));
        const i8 *f = ${filters} + at / ${lanes} * ${filterBytes};
        const dw_${form} ${tapsOf.map(({ name }, i) => `${name} = dw_filter_${pairs ? 'twice' : form}(f + ${i * lanes * 4})`).join(', ')};
        const f4 m = f4_load${twice}(${v.multiplier} + n), b = f4_load${twice}(${v.bias} + n); ${epi.setup('n')}
        for (i32 row0 = band0, rows; row0 < band0 + band; row0 += rows) {
        const i32 py = top + row0 - band0; (void)py;
        rows = band0 + band - row0 < ${rows} ? band0 + band - row0 : ${rows};
        ${skips ? starts : ''}
        const ${type} *p = ${lines} + (row0 - band0) * ${sh * line};
        for (i32 px = 0; px < ${geo.ow}; px += ${together}, p += ${together * sw * pitch}) {
          i4 ${range(rows)
            .map((r) => `c${r} = ${skips ? `s${r}` : first}`)
            .join(', ')};
          ${products.join('\n          ')}
          ${
            form === 'sums'
              ? range(rows)
                  .map((r) => `c${r} = dw_total_sums(first, c${r});`)
                  .join(' ')
              : ''
          }
          if (rows == ${rows}) {
            ${range(rows)
              .map((r) => finish(String(r), `c${r}`))
              .join('\n            ')}
          } else {
            ${range(rows)
              .map((r) => `i4_store(${acc} + ${r * lanes}, c${r});`)
              .join(' ')}
            for (i32 r = 0; r < rows; r++) ${finish('r', `i4_load(${acc} + r * ${lanes})`)}
          }
        }
        }`;
  const padSize = skips ? 4 * lanes : lanes;
  const pad = (c: string): string =>
    `${type} pad[${padSize}]; for (i32 j = 0; j < ${padSize}; j++) pad[j] = (${type})(${zeroOf(skips ? c.replaceAll('j', `j % ${lanes}`) : c)} + ${turned});`;
  const body = `${depthwiseShare(ctx, geo, lanes)}
  ew_filters(${v.filter}, n0 / ${NR}, (n1 - n0 + ${NR - 1}) / ${NR}, ${geo.c}, ${geo.kh}, ${geo.kw}, ${filters}, ${tile}, ${start});
  ${padded ? `${pad('0')} ${padLines(geo, pixels, copies, copied)}` : ''}
  for (i32 band0 = r0, band; band0 < r1; band0 += band) {
    const i32 top = band0 % ${geo.oh}, image = band0 / ${geo.oh};
    band = r1 - band0 < ${geo.oh} - top ? r1 - band0 : ${geo.oh} - top;
    if (band > ${band}) band = ${band};
    for (i32 at = 0; n0 + at < n1; at += ${lanes}) {
      const i32 n = n0 + at, nv = n1 - n < ${lanes} ? n1 - n : ${lanes}; (void)nv;
      ${padded || (whole && !skips) ? '' : pad('(n + j < n1 ? n + j : n)')}
      ${kept > 0 ? `if (top > 0) ew_copy(${lines}, ${keptLines}, ${kept * line * bytes});` : ''}
      for (i32 i = ${kept > 0 ? `top > 0 ? ${kept} : 0` : 0}; i < (band - 1) * ${sh} + ${geo.kh}; i++) {
        const i32 line = top * ${sh} - ${top} + i, outside = line < 0 || line >= ${geo.h};
        ${skips ? 'if (outside) continue;' : ''}
        ${copyLine(geo, pixels, copies)}
      }
      ${kept > 0 ? `ew_copy(${keptLines}, ${lines} + band * ${sh * line}, ${kept * line * bytes});` : ''}
      {
        ${widened(block)}
      }
    }
  }`;
  return { helpers: epi.text, body };
}
