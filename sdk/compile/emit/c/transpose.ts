import type { KernelOf } from '../../../ir/kernel.ts';
import { DTYPE_BYTES, sizeOf, type TensorType } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { codeText } from './epilogue.ts';
import { widened } from './lanes.ts';
import { type Axis, axesOf, indexOf } from './move.ts';
import { stepsRange } from './ranges.ts';

/** Matrices whose rows become columns, in blocks of a cache line each way: what reads along lines writes across them. */

const VECTOR_BYTES = 16;
const LINE_BYTES = 64;

/** Elements that are turned round in registers, by their size in bytes. */
const FORMS = [
  { size: 1, type: 'u8', zip: 'b16_zip' },
  { size: 2, type: 'u16', zip: 'h8_zip' },
  { size: 4, type: 'u32', zip: 'i4_zip' },
] as const;

/** Units that parts share out, for shares to be about equal. */
const FAIR = 8;

/** Matrices so many or more are shared out whole. */
const MATRICES_TO_SPLIT = 16;

interface Matrices {
  readonly form: (typeof FORMS)[number];
  /** Of the result: its lines, and what lies along them. */
  readonly lines: Axis;
  readonly along: Axis;
  readonly matrices: readonly Axis[];
}

function matricesOf(y: TensorType, { strides }: KernelOf<'strided'>): Matrices | undefined {
  const form = FORMS.find((f) => f.size === DTYPE_BYTES[y.dtype]);
  const axes = axesOf(y.shape, strides);
  const [lines, along] = axes.slice(-2);
  if (!form || !lines || !along) return undefined;
  const least = VECTOR_BYTES / form.size;
  if (lines.stride !== 1 || along.stride < lines.size || lines.size < least || along.size < least) return undefined;
  return { form, lines, along, matrices: axes.slice(0, -2) };
}

/** Whether a kernel that turns matrices round can make the codes of one number format that it writes from floats that it reads. */
export function quantizesAsItTurns(y: TensorType, spec: KernelOf<'strided'>): boolean {
  return (y.dtype === 'i8' || y.dtype === 'i16') && matricesOf(y, spec) !== undefined;
}

/**
 * A permutation that turns matrices round, each as large as a square of vectors at least; undefined for any other: axes side by side in
 * memory count as one, and the last two of the result are those of the matrix.
 */
export function emitTranspose(ctx: KernelContext, l: Lowered<KernelOf<'strided'>>): KernelText | undefined {
  const y = l.node.outputs[0]!;
  const turned = matricesOf(ctx.type(y), l.spec);
  if (!turned) return undefined;
  const { form, lines, along, matrices } = turned;
  const least = VECTOR_BYTES / form.size;
  const count = sizeOf(matrices.map((a) => a.size));
  // Of what is read.
  const [rows, cols] = [along.size, lines.size];
  const whole = (n: number, v: string): string => `const i32 ${v}0 = 0, ${v}1 = ${n};`;
  // What is over goes to the last part: no part has less than a vector.
  const shared = (n: number, v: string, unit: number): string => {
    const units = Math.max(1, Math.floor(n / unit));
    return `${share(units, 1, 'u0', 'u1')} const i32 ${v}0 = u0 * ${unit}, ${v}1 = u1 == ${units} ? ${n} : u1 * ${unit};`;
  };
  // Columns of what is read are rows of the result, one behind the other: what a processor fetches ahead of its share of these is hardly ever
  // another's. Else whole lines of memory, where there are enough for fair shares.
  const line = LINE_BYTES / form.size;
  const byColumns = cols / least >= FAIR || rows / line < cols / least;
  const ofOne = byColumns
    ? `${whole(rows, 'r')} ${shared(cols, 'c', least)}`
    : `${shared(rows, 'r', line)} ${whole(cols, 'c')}`;
  const bounds =
    count >= MATRICES_TO_SPLIT
      ? `${share(count, 1, 'm0', 'm1')} ${whole(rows, 'r')} ${whole(cols, 'c')}`
      : `${whole(count, 'm')} ${ofOne}`;
  const { head } = ctx.group;
  const quantized = head ? quantizing(ctx, head, form) : undefined;
  const source = `(const ${head ? 'float' : form.type} *)${ctx.read((head ?? l).node.inputs[0]!)} + ${l.spec.offset} + ${indexOf(matrices, 'm')}`;
  const body = `${bounds}${quantized?.setup ?? ''}
  if (r0 < r1 && c0 < c1) for (i32 m = m0; m < m1; m++) ${quantized?.name ?? `ew_transpose${form.size}`}(${source} + r0 * ${along.stride} + c0, (${form.type} *)${ctx.write(y)} + m * ${rows * cols} + c0 * ${rows} + r0, r1 - r0, c1 - c0, ${along.stride}, ${rows}${quantized?.more ?? ''});`;
  return { helpers: quantized?.helpers ?? '', body, macs: 0 };
}

/** What kernels call of `TRANSPOSE`. */
export const USES_TRANSPOSE = /\bew_t(?:ranspose\d|urn)\(/;

/** Vectors by the names of `zip` of their halves, as often as it takes to turn a square of them round. */
function turned(zip: string, vectors: number): { text: string; last: string } {
  let text = '';
  let from = 'a';
  for (let left = vectors, next = 'b'; left > 1; left /= 2) {
    const pairs = Array.from({ length: vectors / 2 }, (_, i) => {
      const halves = `${from}${i}, ${from}${i + vectors / 2}`;
      return `${next}${2 * i} = ${zip}_lo(${halves}), ${next}${2 * i + 1} = ${zip}_hi(${halves})`;
    });
    text += `const b16 ${pairs.join(', ')};\n        `;
    from = next;
    next = String.fromCharCode(next.charCodeAt(0) + 1);
  }
  return { text, last: from };
}

function transposeOf(form: (typeof FORMS)[number]): string {
  const { size, type } = form;
  return `EW_SHARED void ew_transpose${size}(const ${type} *x, ${type} *y, i32 rows, i32 cols, i32 from, i32 to) {${squares(form, type, (at) => `b16_load(${at})`)}}
`;
}

/**
 * The loops over squares, of vectors that `load` makes of elements of type `from`. They go along the lines of the result: processors fetch ahead
 * what a loop that goes across them would write next, which at the end of a part is another thread's, and take it from that processor's cache once a block.
 */
function squares({ size, type, zip }: (typeof FORMS)[number], from: string, load: (at: string) => string): string {
  const n = VECTOR_BYTES / size;
  const unit = LINE_BYTES / size;
  const list = Array.from({ length: n }, (_, i) => i);
  const { text, last } = turned(zip, n);
  return `
  for (i32 col = 0; col < cols; col += ${unit}) for (i32 row = 0; row < rows; row += ${unit}) {
    const i32 re = row + ${unit} < rows ? row + ${unit} : rows, ce = col + ${unit} < cols ? col + ${unit} : cols;
    for (i32 c = col; c < ce; c += ${n}) {
      c = c + ${n} > cols ? cols - ${n} : c;
      for (i32 r = row; r < re; r += ${n}) {
        r = r + ${n} > rows ? rows - ${n} : r;
        const ${from} *s = x + (i64)r * from + c; ${type} *d = y + (i64)c * to + r;
        const b16 ${list.map((i) => `a${i} = ${load(`s + ${i} * (i64)from`)}`).join(', ')};
        ${text}${list.map((i) => `b16_store(d + ${i} * (i64)to, ${last}${i});`).join(' ')}
      }
    }
  }
`;
}

/** Floats become codes on the way, as those of the Quantize node would: vectors of them, in the widest words that make one. */
function quantizing(ctx: KernelContext, head: Lowered<KernelOf<'quantize'>>, form: (typeof FORMS)[number]) {
  const [x, inv, zp] = head.node.inputs as [string, string, string];
  const range = stepsRange(ctx, x, inv);
  const { size, type } = form;
  const wide = ctx.tuning.wide && ctx.tuning.wide.lanes * size <= VECTOR_BYTES ? ctx.tuning.wide : undefined;
  const inWords = (text: string): string => (wide ? widened(text) : text);
  const code = (i: number): string => codeText(`f4_mul(f4_load(s + ${i}), inv)`, 'zp', range);
  const pair = (i: number): string => `h8_narrow(${code(i)}, ${code(i + 4)})`;
  const narrow = `return ${size === 1 ? `b16_narrow(${pair(0)}, ${pair(8)})` : pair(0)};`;
  const stored = (lanes: number): string => {
    const all = Array.from({ length: VECTOR_BYTES / size / lanes }, (_, i) => i * lanes);
    const stores = all.map((i) => `i4_store_i${8 * size}((i${8 * size} *)&t + ${i}, ${code(i)});`);
    return `b16 t; ${widened(stores.join(' '))} return t;`;
  };
  const parameters = inWords('f4 inv, i4 zp');
  const helpers = `EW_INLINE b16 row_codes(const float *s, ${parameters}) { ${wide ? stored(wide.lanes) : narrow} }
EW_INLINE void turn_codes(const float *x, ${type} *y, i32 rows, i32 cols, i32 from, i32 to, ${parameters}) {${squares(form, 'float', (at) => `row_codes(${at}, inv, zp)`)}}
`;
  const [scale, zero] = [ctx.read(inv), ctx.read(zp)];
  const setup = ` ${inWords(`const f4 inv = f4_load_splat(${scale}); const i4 zp = i4_splat(*${zero});`)}`;
  return { name: 'turn_codes', helpers, setup, more: ', inv, zp' };
}

/**
 * `ew_transpose<bytes>(x, y, rows, cols, from, to)`: y[c][r] = x[r][c], rows of x being `from` elements apart and those of y `to`. Both counts are those
 * of a vector at least; the last square of either begins earlier where it would not be whole.
 */
export const TRANSPOSE = `${FORMS.map(transposeOf).join('')}/* the same of floats, of any size */
EW_INLINE void ew_turn(const float *x, float *y, i32 rows, i32 cols, i32 from, i32 to) {
  if (rows >= 4 && cols >= 4) { ew_transpose4((const u32 *)x, (u32 *)y, rows, cols, from, to); return; }
  for (i32 c = 0; c < cols; c++) for (i32 r = 0; r < rows; r++) y[c * to + r] = x[r * from + c];
}
`;
