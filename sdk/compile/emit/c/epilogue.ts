import { roundEven } from '../../../ir/math.ts';
import type { Lowered } from '../../lower.ts';
import { isKind } from '../../lower.ts';
import { f32Literal, type KernelContext } from './context.ts';
import { isLanewise, renderExpr } from './expr.ts';
import { type Lanes, NARROW, widened } from './lanes.ts';
import { codedSource, floatSource } from './load.ts';
import { type Range, stepsRange } from './ranges.ts';
import type { Turn } from './turn.ts';

/**
 * The tail of a group as one inline function over a block of eight channels of one row:
 * `epi(operands, row, n, nv, a, b)` gets channels n..n+3 in `a` and n+4..n+7 in `b`, of which the first `nv` are real,
 * applies the fused operators in order and writes every value the group stores.
 */
export interface Space {
  /** Full shape of the group's results; the last axis is the channel axis. */
  readonly shape: readonly number[];
  readonly rows: number;
  readonly cols: number;
  /** Every block has eight real channels, so that stores need no tail. */
  readonly whole: boolean;
  /** Trailing axes of the tensors that the channel axis stands for (1 unless they were merged). */
  readonly merged?: number;
  /** Where rows of a value are collected that are wanted as columns. */
  readonly turn?: Turn | undefined;
}

export function spaceOf(shape: readonly number[]): Space {
  const cols = shape.length === 0 ? 1 : shape[shape.length - 1]!;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { shape, rows, cols, whole: cols % 8 === 0 };
}

/** C expression of an operand's element offset for a given row, and whether it varies along the channels. */
export function rowOffset(shape: readonly number[], space: Space): { offset: string; perChannel: boolean } {
  const rank = space.shape.length;
  const merged = space.merged ?? 1;
  const aligned = [...new Array<number>(Math.max(0, rank + merged - 1 - shape.length)).fill(1), ...shape];
  const cut = Math.max(0, aligned.length - merged);
  const padded = [...aligned.slice(0, cut), aligned.slice(cut).reduce((a, b) => a * b, 1)];
  const last = rank === 0 ? 1 : padded[rank - 1]!;
  const perChannel = last > 1;
  const terms: string[] = [];
  let stride = last;
  let below = 1;
  // Adjacent axes that are both whole merge into one term row / below % span * stride.
  let run: { below: number; span: number; stride: number } | undefined;
  const flush = (): void => {
    if (!run) return;
    const div = run.below === 1 ? 'row' : `row / ${run.below}`;
    const mod = run.below * run.span === space.rows ? div : `(${div}) % ${run.span}`;
    terms.push(run.stride === 1 ? `(${mod})` : `(${mod}) * ${run.stride}`);
    run = undefined;
  };
  for (let d = rank - 2; d >= 0; d--) {
    const full = space.shape[d]!;
    if (padded[d]! > 1) {
      if (run) run.span *= full;
      else run = { below, span: full, stride };
      stride *= padded[d]!;
    } else if (full > 1) flush();
    below *= full;
  }
  flush();
  return { offset: terms.length === 0 ? '0' : terms.join(' + '), perChannel };
}

/**
 * Emits the epilogue function and returns its text; `rootValue` is the value that arrives in a and b. In a group with a row tail
 * the function has a last parameter more: where the row is collected that the tail reads (see rowBuffer).
 */
export function emitEpilogue(
  ctx: KernelContext,
  name: string,
  space: Space,
  rootValue: string | undefined,
  lanes: Lanes = NARROW,
): string {
  const { parameters, fixed, rest } = epilogueText(ctx, space, rootValue, lanes);
  const text = `EW_INLINE void ${name}(${parameters}) {\n  ${[...fixed.map((f) => f.text), ...rest].join('\n  ')}\n}\n`;
  return lanes.wide ? widened(text) : text;
}

/** An epilogue that gets what is the same for all rows: compilers would load it for every one. */
export interface RowEpilogue {
  readonly text: string;
  /** Declares it, where `n` is the first channel of the block; in the words of four lanes. */
  setup(n: string): string;
  /** What of that is the same for all channels, and the rest; where several blocks have theirs at once, under names of its own. */
  readonly once: string;
  each(n: string, own?: string): string;
  /** Arguments at the end of a call. */
  readonly more: string;
  moreOf(own: string): string;
  /**
   * Where all that is written is codes of 8 bits: the same function that gives them as they are before they are cut off (i4), and where
   * those of channel `n` of a row belong.
   */
  readonly codes?: { readonly name: string; at(row: string, n: string): string };
}

/** `kept`: so are numbers of its text, where registers are free for them. */
export function emitRowEpilogue(
  ctx: KernelContext,
  name: string,
  space: Space,
  rootValue: string | undefined,
  lanes: Lanes,
  kept = false,
): RowEpilogue {
  const out = lanes.wide ? onlyCodes(ctx) : undefined;
  const codes = `${name}_codes`;
  const form = { givesCodes: out !== undefined, kept: kept && !lanes.wide };
  const { parameters, fixed, rest } = epilogueText(ctx, space, rootValue, lanes, form);
  const declared = (list: readonly Fixed[], n: string): string =>
    list.map((f) => f.text.replace(/\bn\b/g, `(${n})`)).join(' ');
  const [each, once] = [true, false].map((is) => fixed.filter((f) => f.each === is)) as [Fixed[], Fixed[]];
  const names = fixed.flatMap((f) => f.names);
  const owned = (text: string, own: string): string =>
    each.flatMap((f) => f.names).reduce((t, id) => t.replace(new RegExp(`\\b${id}\\b`, 'g'), `${id}${own}`), text);
  const more = `${names.map((n) => `, ${n}`).join('')}${space.turn ? `, ${space.turn.block}, origin` : ''}`;
  const all = `(${parameters}${names.map((n) => `, f4 ${n}`).join('')}${space.turn ? ', float *T, i32 origin' : ''})`;
  const at = (row: string, n: string): string => `${ctx.write(out!)} + (i32)(${row}) * ${space.cols} + ${n}`;
  const plain =
    out === undefined
      ? rest
      : [storeCodes('i8', at('row', 'n'), `${codes}(${ctx.arguments()}, row, n, nv, a${more})`, space, lanes)];
  const given = out === undefined ? '' : `EW_INLINE i4 ${codes}${all} {\n  ${rest.join('\n  ')}\n}\n`;
  const text = `${given}EW_INLINE void ${name}${all} {\n  ${plain.join('\n  ')}\n}\n`;
  return {
    text: lanes.wide ? widened(text) : text,
    setup: (n) => declared(fixed, n),
    once: declared(once, '0'),
    each: (n, own = '') => owned(declared(each, n), own),
    more,
    moreOf: (own) => owned(more, own),
    ...(out === undefined ? {} : { codes: { name: codes, at } }),
  };
}

/** The codes of 8 bits that are all that a group's tail leaves. */
export function onlyCodes(ctx: KernelContext): string | undefined {
  const { group } = ctx;
  const last = group.tail.at(-1);
  if (!last || !isKind(last, 'quantize') || group.rowTail || group.turned) return undefined;
  const out = last.node.outputs[0]!;
  const others = group.tail.some((l) => l !== last && isKind(l, 'quantize')) || group.stores.some((v) => v !== out);
  return others || ctx.type(out).dtype !== 'i8' ? undefined : out;
}

/** Declarations that are the same for all rows, of vectors whose types are all one (emit/c/gnu.ts). */
interface Fixed {
  readonly text: string;
  readonly names: readonly string[];
  /** Whether they differ from channel to channel. */
  readonly each: boolean;
}

/**
 * The function's parameters and its lines, of which the last one gives back codes where it is to (`onlyCodes`). Where they are `kept`, numbers
 * of the text are among what is the same for all rows.
 */
function epilogueText(
  ctx: KernelContext,
  space: Space,
  rootValue: string | undefined,
  lanes: Lanes,
  { givesCodes = false, kept = false } = {},
): { parameters: string; fixed: readonly Fixed[]; rest: readonly string[] } {
  const { pieces } = lanes;
  const named = (id: string): string[] => pieces.map((p) => `${id}${p}`);
  const declare = (id: string, values: readonly string[]): string =>
    `f4 ${named(id)
      .map((v, i) => `${v} = ${values[i]}`)
      .join(', ')};`;
  const known = new Map<string, readonly string[]>();
  if (rootValue !== undefined) known.set(rootValue, pieces);
  // Loads come first: a result may be written over an operand that is read for the last time here.
  const loads: string[] = [];
  const fixed: Fixed[] = [];
  const lines: string[] = [];
  const channels = (at: string): string =>
    lanes.rows === 1
      ? `f4_load_part(${at} + n, nv)`
      : lanes.rows === 2
        ? `f4_load_twice(${at})`
        : `f4_load_splat(${at} + n)`;
  const add = (id: string, offset: string, each: boolean, text: string): void => {
    if (offset === '0') fixed.push({ text, names: named(id), each });
    else loads.push(text);
  };
  // Engines of WebAssembly would make them anew wherever they are used.
  const numbers = new Map<string, string>();
  const number = (v: number): string => {
    const c = f32Literal(v);
    if (!kept) return `f4_splat(${c})`;
    let id = numbers.get(c);
    if (id === undefined) {
      id = `v${numbers.size}`;
      numbers.set(c, id);
      fixed.push({ text: `f4 ${id} = f4_splat(${c}); EW_KEEP(${id});`, names: [id], each: false });
    }
    return id;
  };
  const load = (value: string): readonly string[] => {
    const hit = known.get(value);
    if (hit) return hit;
    const t = ctx.type(value);
    const { offset, perChannel } = rowOffset(t.shape, space);
    const id = `x${known.size}`;
    if (t.dtype === 'bool') {
      const p = `${ctx.read(value)} + ${offset}`;
      add(
        id,
        offset,
        perChannel,
        perChannel
          ? declare(
              id,
              pieces.map((_, i) => `f4_load_bool(${p} + n${i ? ` + ${4 * i}` : ''})`),
            )
          : declare(id, [`f4_splat((float)*(${p}))`, `${id}a`]),
      );
    } else if (t.dtype === 'f32') {
      const source = floatSource(ctx, value, lanes);
      const at = `${source.pointer} + ${offset}`;
      // What lies past the last channel may be a denormal float, which would make the whole vector many times slower.
      const ends = lanes.wide && perChannel && offset === '0' && source.type === 'float' && !isWhole(space, lanes);
      if (ends || (lanes.rows !== 1 && perChannel && offset === '0'))
        add(id, offset, true, `f4 ${id}a = ${channels(at)};`);
      else add(id, offset, perChannel, perChannel ? source.pair(id, `${at} + n`, 'n') : source.splat(id, at));
    } else throw new Error(`elementwise kernel on ${t.dtype} value '${value}' is not emitted; cast it to f32 first`);
    const made = named(id);
    known.set(value, made);
    return made;
  };

  const held = heldRow(ctx);
  if (rootValue !== undefined && held === rootValue) lines.push(storeAll('R + n', pieces));
  const placeOf = (value: string): string => `${ctx.write(value)} + (i32)row * ${space.cols} + n`;
  const turned = (value: string): string[] =>
    space.turn?.value === value
      ? [storeF32(`T + (i32)row * ${space.turn.pitch} + n - origin`, space, known.get(value)!, lanes)]
      : [];
  if (rootValue !== undefined) lines.push(...turned(rootValue));
  if (rootValue !== undefined && ctx.group.stores.includes(rootValue))
    lines.push(storeF32(placeOf(rootValue), space, pieces, lanes));
  ctx.group.tail.forEach((l, k) => {
    const out = l.node.outputs[0]!;
    if (isKind(l, 'map')) {
      const ins = l.node.inputs.map((v) => (v === '' ? [] : load(v)));
      const expr = l.spec.expr;
      lines.push(
        declare(
          `t${k}`,
          pieces.map((_, i) =>
            renderExpr(
              expr,
              ins.map((x) => x[i] ?? ''),
              number,
            ),
          ),
        ),
      );
      const made = named(`t${k}`);
      known.set(out, made);
      if (held === out) lines.push(storeAll('R + n', made));
      lines.push(...turned(out));
      if (ctx.group.stores.includes(out)) {
        const at = placeOf(out);
        lines.push(ctx.type(out).dtype === 'bool' ? storeBool(at, made, lanes) : storeF32(at, space, made, lanes));
      }
    } else if (isKind(l, 'dequantize')) {
      const { offset } = rowOffset(ctx.type(out).shape, space);
      loads.push(codedSource(ctx, l, lanes).pair(`t${k}`, `${ctx.read(l.node.inputs[0]!)} + ${offset} + n`, 'n'));
      known.set(out, named(`t${k}`));
      lines.push(...turned(out));
      if (ctx.group.stores.includes(out)) lines.push(storeF32(placeOf(out), space, named(`t${k}`), lanes));
    } else if (isKind(l, 'quantize')) {
      const zero = (values: readonly string[], each: boolean): readonly string[] => {
        // By number: kernels are shared by steps whose text is the same.
        const id = `z${fixed.length}`;
        fixed.push({ text: declare(id, values).replace(/^f4/, 'i4'), names: named(id), each });
        return named(id);
      };
      const text: QuantizeText = { load, fixed: zero, lanes, ...(kept ? { number } : {}) };
      lines.push(givesCodes ? `return ${codesOf(ctx, l, text)[0]};` : storeQuantized(ctx, l, space, text));
    } else throw new Error(`node '${l.node.name}' (${l.spec.kind}) cannot be fused`);
  });
  const parameters = `${ctx.parameters()}, i32 row, i32 n, i32 nv, ${pieces.map((p) => `f4 ${p}`).join(', ')}${ctx.group.rowTail ? ', float *R' : ''}`;
  return { parameters, fixed, rest: [...loads, ...lines] };
}

function storeAll(at: string, values: readonly string[]): string {
  return values.map((v, i) => `f4_store(${at}${i ? ` + ${4 * i}` : ''}, ${v});`).join(' ');
}

/** Whether the tail of a group can be written for wide vectors: powers are computed a lane at a time. */
export function hasLanewiseTail(ctx: KernelContext): boolean {
  return ctx.group.tail.every((l) => !isKind(l, 'map') || isLanewise(l.spec.expr));
}

/**
 * Whether the tail of a group with such results can be written for neighbouring rows in a vector: what it reads is there once for all
 * rows, or, where two whole rows fill a vector, lies as the results do.
 */
export function hasTailOfRows(ctx: KernelContext, shape: readonly number[], whole = true): boolean {
  const { root, tail, rowTail } = ctx.group;
  const made = new Set([root, ...tail].flatMap((l) => l?.node.outputs ?? []));
  const suits = (value: string): boolean => {
    const t = ctx.type(value);
    if (ctx.decoded(value) || t.dtype === 'bool') return false;
    const [cols = 1, ...before] = [...t.shape].reverse();
    const once = before.every((d) => d === 1) && (cols === 1 || cols === shape.at(-1));
    return once || (whole && t.shape.length === shape.length && t.shape.every((d, i) => d === shape[i]));
  };
  return (
    !rowTail &&
    hasLanewiseTail(ctx) &&
    tail.every((l) => !isKind(l, 'dequantize') && l.node.inputs.every((v) => v === '' || made.has(v) || suits(v)))
  );
}

/** The value that the group's row tail reads and that is not in memory. */
function heldRow(ctx: KernelContext): string | undefined {
  const source = ctx.group.rowTail && ctx.owner(ctx.group.rowTail.node.inputs[0]!);
  return source !== undefined && !ctx.group.stores.includes(source) ? source : undefined;
}

/** Scratch for one row of the group's results, and the argument that hands it to the epilogue. Without a row tail: none. */
export function rowBuffer(ctx: KernelContext, cols: number): { pointer: string; argument: string } {
  if (!ctx.group.rowTail) return { pointer: '', argument: '' };
  const pointer = `((float *)${ctx.scratch((cols + 16) * 4)})`;
  return { pointer, argument: `, ${pointer}` };
}

/** What becomes of a finished row (C expression of its index): its codes and its scale, from `held` where it is not in memory. */
export function emitRowTail(ctx: KernelContext, held: string, row: string): string {
  const l = ctx.group.rowTail;
  if (!l) return '';
  const source = ctx.owner(l.node.inputs[0]!);
  const k = ctx.type(source).shape.at(-1)!;
  const [q, s] = l.node.outputs as [string, string];
  const from = heldRow(ctx) ? held : `${ctx.write(source)} + ${row} * ${k}`;
  return `${ctx.write(s)}[${row}] = ew_quantize_row(${from}, ${ctx.write(q)} + ${row} * ${k}, ${k});`;
}

function storeF32(at: string, space: Space, values: readonly string[], lanes: Lanes): string {
  const { block } = lanes;
  const full = `float *o = ${at}; ${storeAll('o', values)}`;
  if (isWhole(space, lanes)) return `{ ${full} }`;
  return `{ if (nv == ${block}) { ${full} } else { float t[${block}]; ${storeAll('t', values)} float *o = ${at}; for (i32 j = 0; j < nv; j++) o[j] = t[j]; } }`;
}

function storeBool(at: string, values: readonly string[], { block }: Lanes): string {
  return `{ float t[${block}]; ${storeAll('t', values)} u8 *o = ${at}; for (i32 j = 0; j < nv; j++) o[j] = t[j] != 0.0f; }`;
}

/** Whether every block has as many real channels as a vector. */
function isWhole(space: Space, { block, rows }: Lanes): boolean {
  return rows !== 1 || (space.whole && (block === 8 || space.cols % block === 0));
}

/** Half of what the magic-number rounding takes: ranges leave out the rounding of what they bound. */
const LEAST = -(2 ** 21);
/** What it adds. */
const MAGIC = 1.5 * 2 ** 23;

/**
 * What a Quantize node may read instead of its input: where that was cut off at a bound whose code is the last one anyway, what it was
 * before. Codes rise with values, so that saturation does the same.
 */
function unclipped(ctx: KernelContext, l: Lowered): string {
  const [x, inv, zp] = l.node.inputs as [string, string, string];
  const [step, zero] = [inv, zp].map((v) => ctx.constant(v)?.data);
  const producer = ctx.group.tail.find((t) => t.node.outputs[0] === x);
  if (!step || !zero || !producer || !isKind(producer, 'map')) return x;
  const [least, most] = ctx.type(l.node.outputs[0]!).dtype === 'i8' ? [-128, 127] : [-32768, 32767];
  const steps = Array.from(step, Number);
  if (!steps.every((s) => s > 0)) return x;
  const codes = (bound: number): number[] =>
    Array.from({ length: Math.max(steps.length, zero.length) }, (_, c) => {
      const rounded = roundEven(Math.fround(bound * steps[c % steps.length]!));
      return rounded + Number(zero[c % zero.length]);
    });
  let e = producer.spec.expr;
  while (
    e.k === 'bin' &&
    e.b.k === 'const' &&
    ((e.f === 'max' && codes(e.b.v).every((q) => q <= least)) ||
      (e.f === 'min' && codes(e.b.v).every((q) => q >= most)))
  )
    e = e.a;
  return e.k === 'in' ? producer.node.inputs[e.i]! : x;
}

/**
 * What a vector of scaled values may be as long as it becomes codes, which are cut off: the bits of x + 1.5 * 2^23 rise with x from -1.5 * 2^23 on,
 * so what is too large for the magic number stays above all codes, but what is too small has to be cut off before.
 */
const cutOff = (scaled: string, { lo }: Range, number: (v: number) => string): string =>
  lo > LEAST ? scaled : `f4_max(${scaled}, ${number(LEAST)})`;

/** C expression of the codes of a vector of scaled values in such a range, not cut off yet. */
export function codeText(scaled: string, zero: string, range: Range): string {
  return `ew_round_add(${cutOff(scaled, range, (v) => `f4_splat(${f32Literal(v)})`)}, ${zero})`;
}

/** How the text of a Quantize node names what it reads. */
interface QuantizeText {
  readonly load: (value: string) => readonly string[];
  /** Declares vectors of integers that are the same for all rows. */
  readonly fixed: (values: readonly string[], each: boolean) => readonly string[];
  readonly lanes: Lanes;
  /** A number that is kept in a vector, where numbers are. */
  readonly number?: (v: number) => string;
}

/** round(x * inv) + zp of every vector, to be cut off to codes: the magic-number rounding is exact to nearest even for |x * inv| < 2^22. */
function codesOf(ctx: KernelContext, l: Lowered, { load, fixed, lanes, number }: QuantizeText): readonly string[] {
  const [, inv, zp] = l.node.inputs as [string, string, string];
  const x = unclipped(ctx, l);
  const range = stepsRange(ctx, x, inv);
  const values = load(x);
  const steps = ctx.isAll(inv, 1) ? undefined : load(inv);
  const z = ctx.read(zp);
  const perChannel = ctx.type(zp).shape.some((d) => d > 1);
  const channels = (i: number): string =>
    lanes.rows === 1
      ? `i4_load(${z} + n + ${4 * i})`
      : lanes.rows === 2
        ? `i4_load_twice(${z})`
        : `i4_splat(*(${z} + n))`;
  const zeros = lanes.pieces.map((_, i) => (perChannel ? channels(i) : `i4_splat(*${z})`));
  return fixed(number ? zeros.map((v) => `ew_round_base(${v})`) : zeros, perChannel).map((zero, i) => {
    const scaled = steps ? `f4_mul(${values[i]}, ${steps[i]})` : values[i]!;
    if (!number) return codeText(scaled, zero, range);
    return `i4_sub(f4_add(${cutOff(scaled, range, number)}, ${number(MAGIC)}), ${zero})`;
  });
}

/** C text that stores a vector of codes, cut off. */
function storeCodes(type: string, at: string, codes: string, space: Space, lanes: Lanes): string {
  const all = isWhole(space, lanes);
  return `i4_store_${type}${all ? '' : '_part'}(${at}, ${codes}${all ? '' : ', nv'});`;
}

/** What `codesOf` makes, saturated. */
function storeQuantized(ctx: KernelContext, l: Lowered, space: Space, text: QuantizeText): string {
  const { lanes } = text;
  const out = l.node.outputs[0]!;
  const codes = codesOf(ctx, l, text);
  const dtype = ctx.type(out).dtype;
  const p = `${ctx.write(out)} + (i32)row * ${space.cols} + n`;
  if (lanes.wide) return storeCodes(dtype, p, codes[0]!, space, lanes);
  const narrow = `h8_narrow(${codes[0]}, ${codes[1]})`;
  if (dtype === 'i16') {
    const full = `h8_store(${p}, h);`;
    return space.whole
      ? `{ h8 h = ${narrow}; ${full} }`
      : `{ h8 h = ${narrow}; if (nv == 8) { ${full} } else { i16 t[8]; h8_store(t, h); i16 *o = ${p}; for (i32 j = 0; j < nv; j++) o[j] = t[j]; } }`;
  }
  const full = `b16_store_lo8(${p}, h);`;
  return space.whole
    ? `{ h8 h = ${narrow}; h = b16_narrow(h, h); ${full} }`
    : `{ h8 h = ${narrow}; h = b16_narrow(h, h); if (nv == 8) { ${full} } else { i8 t[16]; b16_store(t, h); i8 *o = ${p}; for (i32 j = 0; j < nv; j++) o[j] = t[j]; } }`;
}
