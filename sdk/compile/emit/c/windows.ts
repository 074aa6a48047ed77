import { type Sharing, sharedOut } from './conv.ts';
import { MR, NR } from './gemm.ts';
import { copying, type Gather, type Geometry } from './geometry.ts';
import type { Turn } from './turn.ts';

/**
 * Convolutions that read their windows in copied lines of the image: a window is a piece of `kh` lines, and that of the next output lies
 * `step` elements behind. Nothing is copied once for every output that reads it.
 */
export interface Windows {
  /** Elements of a line of a window, from one window to the next, and from one line to the next. */
  readonly segment: number;
  readonly step: number;
  readonly apart: number;
  /** Rows of the output in a block. */
  readonly rows: number;
  /** Elements of the lines of a block, and what tiles read beyond them. */
  readonly elements: number;
}

/** Shorter pieces are not worth a loop of their own. */
const LEAST_SEGMENT = 32;

/** Gathering a window takes as long as multiplying it with this many channels. */
const GATHERING = 3.5;

/** Whether tiles that end with a line of outputs compute more that nobody wants than it costs to gather windows, which lie in one line. */
function wastesRows({ m, ow, o }: Geometry): boolean {
  const tiled = (rows: number): number => (Math.ceil(rows / MR) * MR) / rows;
  return tiled(ow) - tiled(m) > GATHERING / o;
}

/** Undefined where gathering is no slower, where lines do not fit into `bytes`, elements having two and outputs four, or pieces are no multiple of `unit` columns. */
export function windowsOf(geo: Geometry, unit: number, bytes: number): Windows | undefined {
  const [sh, sw] = geo.strides;
  const [dh, dw] = geo.dilations;
  const segment = geo.kw * geo.c;
  const padded = geo.pads.some((n) => n < 0);
  if (geo.pointwise || geo.groups !== 1 || dw !== 1 || padded || segment % unit !== 0 || segment < LEAST_SEGMENT)
    return undefined;
  const apart = Math.max((geo.ow - 1) * sw + geo.kw, geo.pads[1] + geo.w) * geo.c;
  const step = sw * geo.c;
  const elements = (rows: number): number => ((rows - 1) * sh + (geo.kh - 1) * dh + 1) * apart + 3 * step + 16;
  if (wastesRows(geo)) return undefined;
  let rows = geo.oh;
  while (rows > 0 && elements(rows) * 2 + (rows * geo.ow + 4) * 4 > bytes) rows--;
  return rows === 0 ? undefined : { segment, step, apart, rows, elements: elements(rows) };
}

/** Function `gather(x, d, y, n, zp)`: lines y .. y+n-1 of an image with what is beside it, outside it `zp`. */
export function emitLines(geo: Geometry, { apart }: Pick<Windows, 'apart'>, gather: Omit<Gather, 'pitch'>): string {
  const { from, to } = gather;
  const { copy, fill: outside } = copying(gather);
  const left = geo.pads[1] * geo.c;
  const line = geo.w * geo.c;
  const fill = (d: string, n: number): string => (n === 0 ? '' : `${outside(d, n)};`);
  return `static void gather(const ${from} *x, ${to} *d, i32 y, i32 n, i32 zp) {
  (void)zp;
  for (; n > 0; n--, y++, d += ${apart}) {
    if (y < 0 || y >= ${geo.h}) { ${fill('d', apart)} continue; }
    const ${from} *s = x + y * ${line};
    ${fill('d', left)} ${copy(`d + ${left}`, 's', line)}; ${fill(`d + ${left + line}`, apart - left - line)}
  }
}
`;
}

/** The loop nest of products over windows: `block` is done once a block, `tile` once a channel tile, `micro` has `rows` rows from m on. */
export function windowLoops(geo: Geometry, w: Windows, text: WindowText): string {
  const [sh] = geo.strides;
  const reach = (geo.kh - 1) * geo.dilations[0] + 1;
  return `${sharedOut(geo, text.sharing)}
  if (m0 >= m1 || n0 >= n1) return;
  const i32 G = 0;
  for (i32 mb = m0, me; mb < m1; mb = me) {
    const i32 row = mb / ${geo.ow}, image = row / ${geo.oh}, py = row % ${geo.oh}, most = ${geo.oh} - py < ${w.rows} ? ${geo.oh} - py : ${w.rows};
    me = (row + most) * ${geo.ow} < m1 ? (row + most) * ${geo.ow} : m1;
    gather(${text.src} + image * ${geo.h * geo.w * geo.c}, (${text.type} *)${text.lines}, py * ${sh} - ${geo.pads[0]}, ((me - 1) / ${geo.ow} - row) * ${sh} + ${reach}, zp);
    ${text.block}
    for (i32 n = n0; n < n1; n += ${NR}) {
      const i32 nv = ${geo.o} - n < ${NR} ? ${geo.o} - n : ${NR}; (void)nv;
      ${text.tile} ${text.turn?.begin('mb') ?? ''}
      for (i32 m = mb, rows; m < me; m += rows) { ${rowsFrom(geo, MR)} ${text.micro} }
      ${text.turn?.end('mb', 'me', 'nv') ?? ''}
    }
  }`;
}

export interface WindowText {
  readonly src: string;
  readonly type: 'i8' | 'i16';
  /** Pointer to the lines of a block. */
  readonly lines: string;
  readonly block: string;
  readonly tile: string;
  readonly micro: string;
  readonly sharing: Sharing;
  readonly turn: Turn | undefined;
}

/** Sets `rows`: how many there are from row m on in its line of outputs and in the block, `most` at most. */
function rowsFrom(geo: Geometry, most: number): string {
  if (geo.ow % most === 0) return `rows = ${most};`;
  return `const i32 left = ${geo.ow} - m % ${geo.ow} < me - m ? ${geo.ow} - m % ${geo.ow} : me - m; rows = left < ${most} ? left : ${most};`;
}

/** Rows of a tile that exist, for a micro-kernel. */
export function windowRows(geo: Geometry): { rows?: string } {
  return geo.ow % MR === 0 ? {} : { rows: 'rows' };
}

/** Pointer to the window of row `m` in the lines of a block. */
export function windowAt(geo: Geometry, w: Windows, type: string, lines: string): string {
  return `(${type} *)${lines} + (m / ${geo.ow} - row) * ${geo.strides[0] * w.apart} + m % ${geo.ow} * ${w.step}`;
}

/** Sums of the activations of windows as rs[m - mb], for all rows of a block. */
export function windowSums(geo: Geometry, w: Windows, lines: string, rs: string, offset: string): string {
  return `for (i32 m = mb; m < me;) {
      const i32 left = ${geo.ow} - m % ${geo.ow} < me - m ? ${geo.ow} - m % ${geo.ow} : me - m;
      ew_row_sums(${windowAt(geo, w, 'i8', lines)}, ${rs} + (m - mb), left, ${w.segment}, ${w.step}, ${geo.kh}, ${geo.dilations[0] * w.apart}, ${offset});
      m += left;
    }`;
}
