import { isKind, type Lowered } from '../../lower.ts';
import type { KernelContext } from './context.ts';
import { type Lanes, NARROW } from './lanes.ts';

/** How a kernel reads an f32 value that may be stored as integer codes: eight lanes at a time, decoded in registers. */
export interface FloatSource {
  /** C type of the stored elements. */
  readonly type: string;
  /** Pointer to the first stored element. */
  readonly pointer: string;
  /** Declares `<id>a` and `<id>b`: the eight values at `at`, which is channel `channel` of its row. With wide lanes: a block, `<id>a`. */
  pair(id: string, at: string, channel: string): string;
  /** Declares `<id>a` and `<id>b`: the one value at `at` in all lanes. */
  splat(id: string, at: string): string;
}

/** Where values are stored as codes: sums of them are integers, exact in any order. */
export interface CodeSource extends FloatSource {
  /** C expression of the codes at `at`: eight of 16 bits, with wide lanes a block of integers. */
  codes(at: string): string;
  /** C expression of four sums of `count` values, or a block of them, from those of their codes; the first one is of channel `channel` + k. */
  sum(codes: string, count: number, channel: string, k: number): string;
}

export function floatSource(ctx: KernelContext, value: string, lanes: Lanes = NARROW): FloatSource {
  const coded = ctx.decoded(value);
  if (coded) return codedSource(ctx, coded, lanes);
  return {
    type: 'float',
    pointer: ctx.read(value),
    pair: (id, at) =>
      lanes.wide ? `f4 ${id}a = f4_load(${at});` : `f4 ${id}a = f4_load(${at}), ${id}b = f4_load(${at} + 4);`,
    splat: (id, at) => `f4 ${id}a = f4_load_splat(${at})${lanes.wide ? '' : `, ${id}b = ${id}a`};`,
  };
}

/** What is to be divided by the inverse of a step for `ew_decode_lo` and `_hi`: 2^-16. */
const UPPER = '0.0000152587890625f';
/** Of larger inverses that would lose bits. */
const LARGEST = 2 ** 100;

/** The input of a Dequantize node, decoded. */
export function codedSource(ctx: KernelContext, l: Lowered, lanes: Lanes = NARROW): CodeSource {
  if (!isKind(l, 'dequantize')) throw new Error(`node '${l.node.name}' (${l.spec.kind}) does not decode anything`);
  const [x, inv, zp] = l.node.inputs as [string, string, string];
  const i = ctx.read(inv);
  const z = ctx.read(zp);
  const type = ctx.cType(x);
  const each = (value: string): boolean => ctx.type(value).shape.some((d) => d > 1);
  const scale = (channel: string, k: number, one = '1.0f'): string =>
    `f4_div(f4_splat(${one}), ${each(inv) ? `f4_load(${i} + ${channel} + ${k})` : `f4_load_splat(${i})`})`;
  const zero = (channel: string, k: number): string =>
    each(zp) ? `i4_load(${z} + ${channel} + ${k})` : `i4_splat(*${z})`;
  const sum = (codes: string, count: number, channel: string, k: number): string => {
    const zeros = each(zp) ? `i4_mul(${zero(channel, k)}, i4_splat(${count}))` : `i4_splat(*${z} * ${count})`;
    return decoded(codes, zeros, channel, k);
  };
  const whole = ctx.isAll(inv, 1);
  const none = ctx.isAll(zp, 0);
  const decoded = (codes: string, zeros: string, channel: string, k: number): string =>
    whole ? `f4_from_i4(i4_sub(${codes}, ${zeros}))` : `ew_decode(${codes}, ${zeros}, ${scale(channel, k)})`;
  const upper =
    (type === 'i8' || none) && (ctx.constant(inv)?.data.every((v) => Math.abs(Number(v)) < LARGEST) ?? false);
  const decode = (id: string, codes: string, channel: string): string => {
    // Less their zero point, codes of 16 bits may have 17.
    if (!upper)
      return `const h8 ${id}h = ${codes}; f4 ${id}a = ${decoded(`i4_extend_lo(${id}h)`, zero(channel, 0), channel, 0)}, ${id}b = ${decoded(`i4_extend_hi(${id}h)`, zero(channel, 4), channel, 4)};`;
    const zeros = each(zp) ? `h8_narrow(${zero(channel, 0)}, ${zero(channel, 4)})` : `h8_splat((i16)*${z})`;
    const h = none ? codes : `h8_sub(${codes}, ${zeros})`;
    if (whole)
      return `const h8 ${id}h = ${h}; f4 ${id}a = f4_from_i4(i4_extend_lo(${id}h)), ${id}b = f4_from_i4(i4_extend_hi(${id}h));`;
    return `const h8 ${id}h = ${h}; f4 ${id}a = ew_decode_lo(${id}h, ${scale(channel, 0, UPPER)}), ${id}b = ew_decode_hi(${id}h, ${scale(channel, 4, UPPER)});`;
  };
  if (lanes.wide) {
    const wide = (id: string, codes: string, channel: string): string =>
      `f4 ${id}a = ${decoded(codes, zero(channel, 0), channel, 0)};`;
    const codes = (at: string): string => `${type === 'i8' ? 'i4_load_i8' : 'i4_load_i16'}(${at})`;
    return {
      type,
      pointer: ctx.read(x),
      codes,
      sum,
      pair: (id, at, channel) => wide(id, codes(at), channel),
      splat: (id, at) => wide(id, `i4_splat(*(${at}))`, '0'),
    };
  }
  const codes = (at: string): string => `${type === 'i8' ? 'h8_load_i8' : 'h8_load'}(${at})`;
  return {
    type,
    pointer: ctx.read(x),
    codes,
    sum,
    pair: (id, at, channel) => decode(id, codes(at), channel),
    splat: (id, at) => decode(id, `h8_splat((i16)*(${at}))`, '0'),
  };
}
