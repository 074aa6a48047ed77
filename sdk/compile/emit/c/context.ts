import type { Graph } from '../../../ir/graph.ts';
import { valueNamed } from '../../../ir/graph.ts';
import type { DType, TensorType } from '../../../util/tensor.ts';
import type { WeightLayout } from '../../../wire/program.ts';
import type { Fusion, Group } from '../../fuse.ts';
import type { Lowered } from '../../lower.ts';

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
  | { readonly kind: 'weight'; readonly value: string; readonly layout: WeightLayout };

export interface KernelText {
  /** Functions of the kernel's own, before it. */
  readonly helpers: string;
  /** Functions that other kernels may use as well, by name. */
  readonly shared?: readonly { readonly name: string; readonly text: string }[];
  readonly body: string;
  readonly macs: number;
}

/** Facts of the machine that shape loops; derived from the board's profile. */
export interface Tuning {
  /** Bytes of the activation block that should stay in the nearest big cache. */
  readonly blockBytes: number;
}

export interface ContextOptions {
  readonly decoded?: Fusion['decoded'];
  readonly overlapped?: boolean;
}

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

  /** The value that owns the bytes of a value: itself, or what it is a view of. */
  owner(value: string): string {
    return this.alias(value);
  }

  /** C expression of the pointer to a value that is read; constants are laid out plainly. */
  read(value: string): string {
    if (valueNamed(this.graph, value).data !== undefined) return this.weight(value, { kind: 'plain' });
    return this.operand({ kind: 'value', value: this.alias(value), write: false });
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
      .map((o, i) => `${o.kind === 'value' && o.write ? '' : 'const '}${C_TYPES[this.type(o.value).dtype]} *p${i}`)
      .join(', ');
    return text.replaceAll(PARAMETERS, list).replaceAll(ARGUMENTS, this.operands.map((_, i) => `p${i}`).join(', '));
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
