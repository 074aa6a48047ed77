import { valueNamed } from '../../../ir/graph.ts';
import { isKind, type Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext } from '../c/context.ts';
import { rowOffset, type Space } from '../c/epilogue.ts';
import { renderExpr } from '../c/expr.ts';

/**
 * The tail of a group as a function of one element: `epi(operands, row, n, a)` gets channel n of a row as `a`, applies the fused
 * operators in order and writes every value that the group stores. In a group with a row tail it has a last parameter more: where the
 * row is collected that the tail reads.
 */
export function emitEpilogue(ctx: KernelContext, space: Space, rootValue: string | undefined): string {
  const known = new Map<string, string>();
  if (rootValue !== undefined) known.set(rootValue, 'a');
  // Loads come first: a result may be written over an operand that is read for the last time here.
  const loads: string[] = [];
  const lines: string[] = [];
  const load = (value: string): string => {
    const hit = known.get(value);
    if (hit) return hit;
    const id = `x${loads.length}`;
    loads.push(`const f4 ${id} = ${element(ctx, value, space)};`);
    known.set(value, id);
    return id;
  };
  const held = heldRow(ctx);
  const keep = (value: string, v: string): void => {
    known.set(value, v);
    if (held === value) lines.push(`f4_store(R + n, ${v});`);
    if (!ctx.group.stores.includes(value)) return;
    const at = `${ctx.write(value)}[row * ${space.cols} + n]`;
    lines.push(ctx.type(value).dtype === 'bool' ? `${at} = ew_float(${v}) != 0.0f;` : `${at} = ew_float(${v});`);
  };
  if (rootValue !== undefined) keep(rootValue, 'a');
  ctx.group.tail.forEach((l, k) => {
    const out = l.node.outputs[0]!;
    if (isKind(l, 'map')) {
      const ins = l.node.inputs.map((v) => (v === '' ? '' : load(v)));
      lines.push(`const f4 t${k} = ${renderExpr(l.spec.expr, ins)};`);
      keep(out, `t${k}`);
    } else if (isKind(l, 'dequantize')) {
      const { offset } = rowOffset(ctx.type(out).shape, space);
      loads.push(`const f4 t${k} = ${decode(ctx, l, `${ctx.read(l.node.inputs[0]!)}[${offset} + n]`, 'n')};`);
      keep(out, `t${k}`);
    } else if (isKind(l, 'quantize')) {
      lines.push(quantize(ctx, l, space, load(l.node.inputs[0]!)));
    } else throw new Error(`node '${l.node.name}' (${l.spec.kind}) cannot be fused`);
  });
  const row = ctx.group.rowTail ? ', float *R' : '';
  return `static void epi(${ctx.parameters()}, i32 row, i32 n, f4 a${row}) {\n  ${['(void)row; (void)n; (void)a;', ...loads, ...lines].join('\n  ')}\n}\n`;
}

/** One element of an operand: of channel n in a row, or the one that all channels share. */
function element(ctx: KernelContext, value: string, space: Space): string {
  const { dtype, shape } = ctx.type(value);
  const { offset, perChannel } = rowOffset(shape, space);
  const index = perChannel ? `${offset} + n` : offset;
  const coded = ctx.decoded(value);
  if (coded) return decode(ctx, coded, `${ctx.read(coded.node.inputs[0]!)}[${index}]`, perChannel ? 'n' : '0');
  if (dtype === 'bool') return `f4_splat((float)${ctx.read(value)}[${index}])`;
  if (dtype !== 'f32')
    throw new Error(`elementwise kernel on ${dtype} value '${value}' is not emitted; cast it to f32 first`);
  return numberOf(ctx, value) ?? `f4_load(${ctx.read(value)} + ${index})`;
}

/** How a kernel reads elements of a value that may be stored as codes: their type, their pointer, and one of them as a float. */
export interface Source {
  readonly type: string;
  readonly pointer: string;
  /** The element at a pointer expression, which belongs to a channel. */
  at(pointer: string, channel: string): string;
}

export function sourceOf(ctx: KernelContext, value: string): Source {
  const coded = ctx.decoded(value);
  if (!coded) return { type: 'float', pointer: ctx.read(value), at: (p) => `f4_load(${p})` };
  return codesOf(ctx, coded);
}

/** Codes that a Dequantize node reads; `sum` is the sum of `count` values from that of their codes. */
export function codesOf(
  ctx: KernelContext,
  coded: Lowered,
): Source & { sum(codes: string, count: number, channel: string): string } {
  const x = coded.node.inputs[0]!;
  return {
    type: ctx.cType(x),
    pointer: ctx.read(x),
    at: (p, channel) => decode(ctx, coded, `*(${p})`, channel),
    sum: (codes, count, channel) => decode(ctx, coded, codes, channel, count),
  };
}

/** The value of a code: less its zero point, times the step, which is one over `inv`; or that of the sum of `count` codes. */
function decode(ctx: KernelContext, l: Lowered, code: string, channel: string, count = 1): string {
  const [, inv, zp] = l.node.inputs as [string, string, string];
  const one = constantOf(ctx, inv);
  const step =
    one === undefined
      ? `f4_div(f4_splat(1.0f), f4_load(${ctx.read(inv)} + ${each(ctx, inv) ? channel : '0'}))`
      : `f4_splat(${f32Literal(Math.fround(1 / Math.fround(one)))})`;
  const zero = `${zeroOf(ctx, zp, channel)}${count === 1 ? '' : ` * ${count}`}`;
  return `ew_decode(i4_splat(${code}), i4_splat(${zero}), ${step})`;
}

/** round(x * inv) + zp, saturated. */
function quantize(ctx: KernelContext, l: Lowered, space: Space, x: string): string {
  const [, inv, zp] = l.node.inputs as [string, string, string];
  const out = l.node.outputs[0]!;
  const step = numberOf(ctx, inv) ?? `f4_load(${ctx.read(inv)} + ${each(ctx, inv) ? 'n' : '0'})`;
  const narrow = ctx.type(out).dtype === 'i16' ? 'ew_narrow16' : 'ew_narrow8';
  const code = `i4_add(ew_round(f4_mul(${x}, ${step})), i4_splat(${zeroOf(ctx, zp, 'n')}))`;
  return `${ctx.write(out)}[row * ${space.cols} + n] = ${narrow}(${code});`;
}

const each = (ctx: KernelContext, value: string): boolean => ctx.type(value).shape.some((d) => d > 1);

/** C expression of a zero point. */
export function zeroOf(ctx: KernelContext, zp: string, channel: string): string {
  const one = constantOf(ctx, zp);
  return one === undefined ? `${ctx.read(zp)}[${each(ctx, zp) ? channel : '0'}]` : String(one);
}

function numberOf(ctx: KernelContext, value: string): string | undefined {
  const one = constantOf(ctx, value);
  return one === undefined ? undefined : `f4_splat(${f32Literal(one)})`;
}

/** A constant of one element: it stands in the code and takes no weight. */
export function constantOf(ctx: KernelContext, value: string): number | undefined {
  const { data } = valueNamed(ctx.graph, value);
  return data?.data.length === 1 && data.dtype !== 'bool' ? Number(data.data[0]) : undefined;
}

/** The value that the group's row tail reads and that is not in memory. */
function heldRow(ctx: KernelContext): string | undefined {
  const source = ctx.group.rowTail && ctx.owner(ctx.group.rowTail.node.inputs[0]!);
  return source !== undefined && !ctx.group.stores.includes(source) ? source : undefined;
}

/** Scratch for one row of the group's results, and the argument that hands it to the epilogue. Without a row tail: none. */
export function rowBuffer(ctx: KernelContext, cols: number): { readonly pointer: string; readonly argument: string } {
  if (!ctx.group.rowTail) return { pointer: '', argument: '' };
  const pointer = heldRow(ctx) ? scratchOf(ctx, 'float', cols) : '(float *)0';
  return { pointer, argument: `, ${pointer}` };
}

const BYTES = { i8: 1, i16: 2, i32: 4, float: 4 } as const;

/** Scratch for n elements: C expression of its address. */
export function scratchOf(ctx: KernelContext, type: keyof typeof BYTES, n: number): string {
  return `((${type} *)${ctx.scratch(n * BYTES[type])})`;
}

/** What becomes of a finished row: its codes and its scale, from `held` where it is not in memory. */
export function emitRowTail(ctx: KernelContext, held: string, row: string): string {
  const l = ctx.group.rowTail;
  if (!l) return '';
  const source = ctx.owner(l.node.inputs[0]!);
  const k = ctx.type(source).shape.at(-1)!;
  const [q, s] = l.node.outputs as [string, string];
  const from = heldRow(ctx) ? held : `${ctx.write(source)} + (${row}) * ${k}`;
  return `${ctx.write(s)}[${row}] = ew_quantize_row(${from}, ${ctx.write(q)} + (${row}) * ${k}, ${k});`;
}

/** The epilogue on all elements of a row: `v` is the C expression of element n. */
export function overRow(ctx: KernelContext, cols: number, row: string, v: string, more = ''): string {
  return `for (i32 n = 0; n < ${cols}; n++) epi(${ctx.arguments()}, ${row}, n, ${v}${more});`;
}
