import type { KernelOf } from '../../../ir/kernel.ts';
import { DTYPE_BYTES, sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { axesOf, indexOf } from './move.ts';

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
const FAIR = 16;

/** Matrices so many or more are shared out whole. */
const MATRICES_TO_SPLIT = 16;

/**
 * A permutation that turns matrices round, each as large as a square of vectors at least; undefined for any other: axes side by side in
 * memory count as one, and the last two of the result are those of the matrix.
 */
export function emitTranspose(ctx: KernelContext, l: Lowered<KernelOf<'strided'>>): KernelText | undefined {
  const y = l.node.outputs[0]!;
  const type = ctx.type(y);
  const form = FORMS.find((f) => f.size === DTYPE_BYTES[type.dtype]);
  const axes = axesOf(type.shape, l.spec.strides);
  const [lines, along] = axes.slice(-2);
  if (!form || !lines || !along) return undefined;
  const least = VECTOR_BYTES / form.size;
  if (lines.stride !== 1 || along.stride < lines.size || lines.size < least || along.size < least) return undefined;
  const matrices = axes.slice(0, -2);
  const count = sizeOf(matrices.map((a) => a.size));
  // Of what is read.
  const [rows, cols] = [along.size, lines.size];
  const whole = (n: number, v: string): string => `const i32 ${v}0 = 0, ${v}1 = ${n};`;
  // What is over goes to the last part: no part has less than a vector.
  const shared = (n: number, v: string, unit: number): string => {
    const units = Math.max(1, Math.floor(n / unit));
    return `${share(units, 1, 'u0', 'u1')} const i32 ${v}0 = u0 * ${unit}, ${v}1 = u1 == ${units} ? ${n} : u1 * ${unit};`;
  };
  // Rows of what is read are columns of the result, where parts write to pieces of the same lines: whole lines of memory, where there are enough for fair shares.
  const line = LINE_BYTES / form.size;
  const byColumns = cols > rows || Math.min(rows / line, FAIR) < Math.min(cols / least, FAIR);
  const ofOne = byColumns
    ? `${whole(rows, 'r')} ${shared(cols, 'c', least)}`
    : `${shared(rows, 'r', line)} ${whole(cols, 'c')}`;
  const bounds =
    count >= MATRICES_TO_SPLIT
      ? `${share(count, 1, 'm0', 'm1')} ${whole(rows, 'r')} ${whole(cols, 'c')}`
      : `${whole(count, 'm')} ${ofOne}`;
  const source = `(const ${form.type} *)${ctx.read(l.node.inputs[0]!)} + ${l.spec.offset} + ${indexOf(matrices, 'm')}`;
  const body = `${bounds}
  if (r0 < r1 && c0 < c1) for (i32 m = m0; m < m1; m++) ew_transpose${form.size}(${source} + r0 * ${along.stride} + c0, (${form.type} *)${ctx.write(y)} + m * ${rows * cols} + c0 * ${rows} + r0, r1 - r0, c1 - c0, ${along.stride}, ${rows});`;
  return { helpers: '', body, macs: 0 };
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

/**
 * Along the lines of the result: processors fetch ahead what a loop that goes across them would write next, which at the end of a part is
 * another thread's, and takes it from that processor's cache once a block.
 */
function transposeOf({ size, type, zip }: (typeof FORMS)[number]): string {
  const n = VECTOR_BYTES / size;
  const unit = LINE_BYTES / size;
  const list = Array.from({ length: n }, (_, i) => i);
  const { text, last } = turned(zip, n);
  return `EW_SHARED void ew_transpose${size}(const ${type} *x, ${type} *y, i32 rows, i32 cols, i32 from, i32 to) {
  for (i32 col = 0; col < cols; col += ${unit}) for (i32 row = 0; row < rows; row += ${unit}) {
    const i32 re = row + ${unit} < rows ? row + ${unit} : rows, ce = col + ${unit} < cols ? col + ${unit} : cols;
    for (i32 c = col; c < ce; c += ${n}) {
      c = c + ${n} > cols ? cols - ${n} : c;
      for (i32 r = row; r < re; r += ${n}) {
        r = r + ${n} > rows ? rows - ${n} : r;
        const ${type} *s = x + (i64)r * from + c; ${type} *d = y + (i64)c * to + r;
        const b16 ${list.map((i) => `a${i} = b16_load(s + ${i} * (i64)from)`).join(', ')};
        ${text}${list.map((i) => `b16_store(d + ${i} * (i64)to, ${last}${i});`).join(' ')}
      }
    }
  }
}
`;
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
