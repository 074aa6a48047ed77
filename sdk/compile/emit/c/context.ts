import type { Graph } from '../../../ir/graph.ts';
import { valueNamed } from '../../../ir/graph.ts';
import { largestCodes } from '../../../util/nested.ts';
import { byteLength, type DType, sizeOf, type Tensor, type TensorType } from '../../../util/tensor.ts';
import { residentBytes } from '../../../wire/layout.ts';
import { panelLayout, widestPanels } from '../../../wire/panels.ts';
import { WEIGHT_ALIGN, type WeightLayout } from '../../../wire/program.ts';
import type { Fusion, Group } from '../../fuse.ts';
import type { Lowered } from '../../lower.ts';
import { align } from '../../memory.ts';
import type { WideVectors } from '../../target.ts';
import { expansion, shortForm } from './vectors.ts';

const C_TYPES: Record<DType, string> = {
  f32: 'float',
  f64: 'double',
  i8: 'i8',
  u8: 'u8',
  i16: 'i16',
  u16: 'u16',
  i32: 'i32',
  u32: 'u32',
  i64: 'i64',
  u64: 'i64',
  bool: 'u8',
};

const PARAMETERS = '@PARAMETERS@';
const ARGUMENTS = '@ARGUMENTS@';

/** What a pointer parameter of a kernel refers to. */
export type Operand =
  | { readonly kind: 'value'; readonly value: string; readonly write: boolean }
  | {
      readonly kind: 'weight';
      readonly value: string;
      readonly layout: WeightLayout;
      /** Panels that are multiplied with one row, for which engines may hold them in another form (sdk/wire/row-tiles.ts). */
      readonly oneRow?: boolean;
    };

export interface KernelText {
  /** Functions of the kernel's own, before it. */
  readonly helpers: string;
  readonly body: string;
  readonly macs: number;
  /** Present when parts share out items (pixels, elements) in order and all that an item reads is at it or behind. */
  readonly split?: Split;
}

/** Work in order: `total` items of which parts get whole multiples of `unit` (see `share`). */
export interface Split {
  readonly total: number;
  readonly unit: number;
  /** Runs of the kernel, one after another, that the work may be cut into at little cost. */
  readonly bands: number;
}

/** Bands of a kernel, where each is to have at least `least` units. */
export function splitOf(total: number, unit: number, least: number): Split {
  return { total, unit, bands: Math.max(1, Math.min(MOST_BANDS, Math.floor(total / unit / least))) };
}

/** First item of every band, and the end: where `share` draws the lines. */
export function bandLimits({ total, unit }: Split, bands: number): number[] {
  const units = Math.ceil(total / unit);
  return Array.from({ length: bands + 1 }, (_, b) => Math.min(total, Math.floor((units * b) / bands) * unit));
}

const MOST_BANDS = 16;

/** Facts that kernels are written for. */
export interface Tuning {
  /** Bytes of the activation block that should stay in the nearest big cache. */
  readonly blockBytes: number;
  /** Constants that change between runs: they are held in forms that take any data. */
  readonly mutable: ReadonlySet<string>;
  /** The vocabulary has sums of eight channels (`Vectors.sums`). */
  readonly sums: boolean;
  /** Vectors of 8 or 16 lanes (`Vectors.wide`). */
  readonly wide?: WideVectors | undefined;
}

export interface ContextOptions {
  readonly decoded?: Fusion['decoded'];
  readonly overlapped?: boolean;
}

/** A vector constant as it is in memory: its pointer, and how to make plain elements of it. */
export interface ShortVector {
  readonly pointer: string;
  readonly layout: WeightLayout;
}

/** Vectors longer than this are not expanded for a kernel that reads plain elements, bytes of them. */
const EXPAND_LIMIT = 16384;

/** Collects the operands and the scratch of one kernel while its text is written. */
export class KernelContext {
  readonly graph: Graph;
  readonly group: Group;
  readonly tuning: Tuning;
  readonly operands: Operand[] = [];
  /** Bytes of scratch one part needs. */
  scratchBytes = 0;
  /** The result takes over memory of the input: parts may share out channels only, and inputs are copied before anything is written. */
  readonly overlapped: boolean;
  private readonly alias: (v: string) => string;
  private readonly decodings: Fusion['decoded'];
  private readonly keys = new Map<string, number>();
  private readonly expanded = new Map<string, string>();

  constructor(graph: Graph, group: Group, tuning: Tuning, alias: (v: string) => string, more: ContextOptions = {}) {
    this.graph = graph;
    this.group = group;
    this.tuning = tuning;
    this.alias = alias;
    this.decodings = more.decoded ?? new Map();
    this.overlapped = more.overlapped ?? false;
  }

  /** The Dequantize node of a value that readers decode as they load it. */
  decoded(value: string): Lowered | undefined {
    return this.decodings.get(value);
  }

  type(value: string): TensorType {
    return valueNamed(this.graph, value).type;
  }

  /** What a value always is, where that is known. */
  constant(value: string): Tensor | undefined {
    return this.tuning.mutable.has(value) ? undefined : valueNamed(this.graph, value).data;
  }

  /** Whether a value is always this number. */
  isAll(value: string, number: number): boolean {
    return this.constant(value)?.data.every((v) => Number(v) === number) ?? false;
  }

  /** Constant weight codes for what has to fit whatever they are: a receiver of a part of a bundle has others, some of which are larger. */
  largestCodes(value: string): Int8Array | undefined {
    const codes = this.constant(value)?.data;
    return codes && largestCodes(codes as Int8Array);
  }

  /** The value that owns the bytes of a value: itself, or what it is a view of. */
  owner(value: string): string {
    return this.alias(value);
  }

  /**
   * C expression of the pointer to a value that is read. Short constants are expanded into working memory at the start of the
   * kernel, so that it reads plain elements of them.
   */
  read(value: string): string {
    const { data, type } = valueNamed(this.graph, value);
    if (data === undefined) return this.operand({ kind: 'value', value: this.alias(value), write: false });
    const layout = this.shortLayout(value);
    if (!layout || byteLength(type) > EXPAND_LIMIT) return this.weight(value, { kind: 'plain' });
    const p = this.weight(value, layout);
    if (!this.expanded.has(p)) {
      const to = this.scratch(byteLength(type) + 16);
      const rest = this.tuning.wide && sizeOf(type.shape) % this.tuning.wide.lanes !== 0;
      // Lanes past the end are computed too; what floats lie there decides how fast (emit/c/vectors.ts). Scratch ends 64 bytes later.
      const zeros = rest ? `ew_fill(${to} + ${byteLength(type)}, 0, 64);\n  ` : '';
      this.expanded.set(p, expansion(p, this.cType(value), layout, sizeOf(type.shape), to) + zeros);
    }
    return p;
  }

  /** A vector constant that the kernel makes plain itself, a piece at a time (emit/c/vectors.ts). */
  vector(value: string): ShortVector {
    const layout = this.shortLayout(value) ?? { kind: 'plain' };
    return { pointer: this.weight(value, layout), layout };
  }

  /** Weight codes [rows, cols] as panels; `oneRow`: of which all that happens is a product with one row. */
  panels(
    value: string,
    rows: number,
    cols: number,
    oneRow = false,
  ): { readonly pointer: string; readonly bits: number } {
    const { data } = valueNamed(this.graph, value);
    if (!data) throw new Error(`weights '${value}' are not constant`);
    const layout = this.tuning.mutable.has(value)
      ? widestPanels(rows, cols)
      : panelLayout(data.data as Int8Array, rows, cols);
    const pointer = this.operand({
      kind: 'weight',
      value,
      layout,
      ...(oneRow && !this.tuning.mutable.has(value) ? { oneRow } : {}),
    });
    return { pointer: `(const u8 *)${pointer}`, bits: layout.bits };
  }

  /** What expands the short constants; it comes before the kernel's body. */
  expansions(): string {
    return [...this.expanded.values()].join('');
  }

  write(value: string): string {
    return this.operand({ kind: 'value', value: this.alias(value), write: true });
  }

  weight(value: string, layout: WeightLayout): string {
    return this.operand({ kind: 'weight', value, layout });
  }

  /** Reserves scratch and returns the C expression of its address (64-byte aligned). */
  scratch(bytes: number): string {
    const at = this.scratchBytes;
    this.scratchBytes += Math.ceil(bytes / 64) * 64 + 64;
    return `(S + ${at})`;
  }

  /** What is written in place of a kernel that has been written since `mark` bytes of scratch were taken: one of the two runs. */
  instead<T>(mark: number, write: () => T): T {
    const taken = this.scratchBytes;
    this.scratchBytes = mark;
    const text = write();
    this.scratchBytes = Math.max(taken, this.scratchBytes);
    return text;
  }

  cType(value: string): string {
    return C_TYPES[this.type(value).dtype];
  }

  /** Stands for the parameter list of the kernel and of its helpers, which is known only when all text is written. */
  parameters(): string {
    return PARAMETERS;
  }

  arguments(): string {
    return ARGUMENTS;
  }

  /** Puts the operand lists into finished text. */
  resolve(text: string): string {
    const list = this.operands
      .map((o, i) => {
        const constant = o.kind === 'value' && o.write ? '' : 'const ';
        return `${constant}${C_TYPES[this.type(o.value).dtype]} *${this.isUntouched(o, `p${i}`) ? 'restrict ' : ''}p${i}`;
      })
      .join(', ');
    return text.replaceAll(PARAMETERS, list).replaceAll(ARGUMENTS, this.operands.map((_, i) => `p${i}`).join(', '));
  }

  /** Weights are written by nobody, so that loads of them may leave loops; those that are expanded are read elsewhere. */
  private isUntouched(o: Operand, pointer: string): boolean {
    return o.kind === 'weight' && !this.expanded.has(pointer);
  }

  /** The layout that is smaller than plain, where there is one. */
  private shortLayout(value: string): WeightLayout | undefined {
    const { data, packing, type } = valueNamed(this.graph, value);
    if (!data || this.tuning.mutable.has(value)) return undefined;
    const layout = shortForm(data, packing);
    const held = (bytes: number): number => align(bytes, WEIGHT_ALIGN);
    return layout && held(residentBytes(layout, type.dtype, type.shape)) < held(byteLength(type)) ? layout : undefined;
  }

  private operand(o: Operand): string {
    const key = JSON.stringify([o.kind, o.value, o.kind === 'value' ? o.write : o.layout]);
    let i = this.keys.get(key);
    if (i === undefined) {
      i = this.operands.length;
      this.operands.push(o);
      this.keys.set(key, i);
    }
    return `p${i}`;
  }
}

/** A float as a C literal that reads back as the same f32. */
export function f32Literal(v: number): string {
  const f = Math.fround(v);
  if (Number.isNaN(f)) return '__builtin_nanf("")';
  if (f === Number.POSITIVE_INFINITY) return '__builtin_inff()';
  if (f === Number.NEGATIVE_INFINITY) return '(-__builtin_inff())';
  if (Object.is(f, -0)) return '-0.0f';
  const s = f.toPrecision(9);
  return `${/[.e]/.test(s) ? s : `${s}.0`}f`;
}

/** The loop bounds of one part's share of `total`, in units of `unit`. */
export function share(total: string | number, unit: number, from: string, to: string): string {
  return `i32 ${from} = (i32)((i64)(((${total}) + ${unit - 1}) / ${unit}) * part / parts) * ${unit}, ${to} = (i32)((i64)(((${total}) + ${unit - 1}) / ${unit}) * (part + 1) / parts) * ${unit}; if (${to} > (${total})) ${to} = (${total});`;
}
