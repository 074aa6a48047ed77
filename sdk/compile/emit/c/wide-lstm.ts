import type { WideVectors } from '../../target.ts';
import { f32Literal, type KernelContext } from './context.ts';
import { NR } from './gemm.ts';
import { widened } from './lanes.ts';
import { reachOf } from './wide-product.ts';
import { evenly } from './wide-rows.ts';

/** An integer LSTM as its kernel sees it: sizes, pointers to what has been read, and how much is done at a time. */
export interface WideLstm {
  readonly sizes: {
    readonly t: number;
    readonly b: number;
    readonly i: number;
    readonly h: number;
    readonly rows: number;
  };
  /** Gates of all units: rows of a matrix in one direction. */
  readonly gates: number;
  /** Floats from one row of input products to the next. */
  readonly pitch: number;
  /** Time steps in a chunk. */
  readonly steps: number;
  readonly x: string;
  /** Pointer to one scale a row of x, or ''. */
  readonly xScale: string;
  readonly input: Matrix;
  readonly recurrent: Matrix;
}

interface Matrix {
  readonly panels: string;
  readonly bits: number;
  readonly scale: string;
  /** Codes stay unpacked from one use to the next. */
  readonly once: boolean;
}

/** A matrix in use: C text that unpacks block `b`, and multiplies with it. */
interface Blocks {
  readonly setup: string;
  readonly before: string;
  dot(rows: string, apart: string, count: string, acc: string): string;
}

/** Products of bytes, those of the input matrix for a chunk, and of the recurrent one for a step, on wide vectors. */
export function wideLstm(
  ctx: KernelContext,
  wide: WideVectors,
  v: WideLstm,
): { product: string; setup: string; step: string } {
  const { sizes: s, gates, pitch } = v;
  const { lanes, columns, rows } = wide;
  const width = lanes * columns;
  const count = Math.ceil(gates / width);
  const padded = (n: number): number => Math.ceil(n / 16) * 16;
  const tile = `((u8 *)${ctx.scratch(2 * NR * padded(Math.max(s.i, s.h)))})`;
  const blocks = ({ panels, bits, once }: Matrix, cols: number): Blocks => {
    const kp = padded(cols);
    const codes = `((i8 *)${ctx.scratch((once ? count : 1) * width * kp)})`;
    const start = `((i32 *)${ctx.scratch(count * width * 4)})`;
    const reach = once ? `((i32 *)${ctx.scratch(count * 4)})` : '';
    const at = once ? `${codes} + b * ${width * kp}` : codes;
    const unpack = `for (i32 i = b * ${width / NR}; i < (b + 1) * ${width / NR} && i < ${gates / NR}; i++) {
          ew_panel(${panels}, dir * ${gates / NR} + i, ${s.rows}, ${cols}, 0, ${tile}, ${tile} + ${NR * kp});
          ew_place_tile(${tile}, ${at} + (i - b * ${width / NR}) * ${4 * NR}, ${4 * width}, ${kp / 4}, ${start} + ${NR} * i);
        }
        for (i32 i = b * ${width}; i < (b + 1) * ${width}; i++) ${start}[i] *= -128;`;
    return {
      setup: once
        ? `for (i32 b = 0; b < ${count}; b++) { ${unpack} ${reach}[b] = ew_reach(${at}, ${width / NR}, 1, ${kp / 4}); }`
        : '',
      before: once ? '' : unpack,
      dot: (a, apart, n, acc) =>
        `ew_dot8(EW_CHAINS(${once ? `${reach}[b]` : reachOf(bits)}), ${a}, ${apart}, ${n}, ${at}, ${columns}, 1, 0, ${kp / 4}, ${start} + b * ${width}, ${acc});`,
    };
  };
  const input = blocks(v.input, s.i);
  const recurrent = blocks(v.recurrent, s.h);
  const rowsOfX = `((u8 *)${ctx.scratch(v.steps * s.b * s.i + 16)})`;
  const sums = `((i32 *)${ctx.scratch(rows * width * 4)})`;
  const hidden = `((i16 *)${ctx.scratch(padded(s.h) * 2)})`;
  const row = `((u8 *)${ctx.scratch(padded(s.h))})`;
  const all = `((i32 *)${ctx.scratch(count * width * 4)})`;
  const value = `f4_from_i4(i4_load(${sums} + r * ${width} + j))`;
  const scaled = `f4_mul(${v.xScale ? `f4_mul(${value}, sc)` : value}, f4_load(${v.input.scale} + dir * ${gates} + n))`;
  const product = `static const i32 apart[] = ${evenly(s.i, rows)}; ew_flip(${rowsOfX}, ${v.x} + m0 * ${s.i}, mn * ${s.i});
      for (i32 b = 0; b < ${count}; b++) {
        ${input.before}
        for (i32 m = 0, rows; m < mn; m += rows) {
          rows = mn - m < ${rows} ? mn - m : ${rows};
          ${input.dot(`${rowsOfX} + m * ${s.i}`, 'apart', 'rows', sums)}
          for (i32 r = 0; r < rows; r++) {
            ${v.xScale ? `const f4 sc = f4_load_splat(${v.xScale} + m0 + m + r);` : ''}
            for (i32 j = 0; j < ${width} && b * ${width} + j < ${gates}; j += ${lanes}) { const i32 n = b * ${width} + j; f4_store(gx + (m + r) * ${pitch} + n, ${scaled}); }
          }
        }
      }`;
  // Back and forth, so that each step begins with what the last one has left in the first cache.
  const inTurn = v.recurrent.once ? `k & 1 ? ${count - 1} - i : i` : 'i';
  const gate = `f4_mul(f4_from_i4(i4_load(${all} + j)), f4_mul(f4_load(${v.recurrent.scale} + dir * ${gates} + j), f4_splat(${f32Literal(1 / 127)})))`;
  const step = `static const i32 alone[] = {0}; ew_quantize_h(hs, ${hidden}, ${s.h}, ${padded(s.h)}); ew_narrow((i8 *)${row}, ${hidden}, ${padded(s.h)}); ew_flip(${row}, (const i8 *)${row}, ${padded(s.h)});
          for (i32 i = 0; i < ${count}; i++) { const i32 b = ${inTurn}; ${recurrent.before} ${recurrent.dot(row, 'alone', '1', `${all} + b * ${width}`)} }
          for (i32 j = 0; j < ${gates}; j += ${lanes}) f4_store(gates + j, ${gate});`;
  return { product: widened(product), setup: `${recurrent.setup} ${input.setup}`, step: widened(step) };
}
