import { type Constant, constant } from './constants.ts';
import { DOUBLE, FLOAT, INT, type Int, int } from './types.ts';

/** Numbers as C writes them. */

const INTEGER = /^(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)(u?l{0,2}|l{1,2}u)$/i;
const REAL = /^([0-9]*)(?:\.([0-9]*))?(?:e([+-]?[0-9]+))?(f?)$/i;

/** What most numbers are: decimal, and surely an int. */
const SHORT = /^(0|[1-9][0-9]{0,8})$/;

/** The constant of a number's text; nothing for what is not a number. */
export function parseNumber(text: string): Constant | undefined {
  if (SHORT.test(text)) return constant(INT, Number(text));
  const integer = INTEGER.exec(text);
  if (integer) return parseInteger(integer[1] as string, (integer[2] as string).toLowerCase());
  const real = REAL.exec(text);
  if (!real) return undefined;
  const [, whole = '', fraction, exponent, suffix] = real;
  const digits = whole + (fraction ?? '');
  if (digits === '' || (fraction === undefined && exponent === undefined)) return undefined;
  const value = Number(suffix ? text.slice(0, -1) : text);
  if (!suffix) return constant(DOUBLE, value);
  return constant(FLOAT, nearestFloat(value, BigInt(digits), Number(exponent ?? 0) - (fraction ?? '').length));
}

/** The first type that holds the value: decimal numbers are signed unless they say otherwise. */
function parseInteger(digits: string, suffix: string): Constant {
  const value = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const isUnsigned = suffix.includes('u');
  const mayBeUnsigned = isUnsigned || digits.startsWith('0');
  const isWide = suffix.includes('ll');
  const types: Int[] = [];
  for (const bytes of isWide ? ([8] as const) : ([4, 8] as const)) {
    if (!isUnsigned) types.push(int(bytes, true));
    if (mayBeUnsigned) types.push(int(bytes, false));
  }
  const type = types.find((t) => value < 2n ** BigInt(t.bytes * 8 - (t.signed ? 1 : 0))) ?? int(8, false);
  return constant(type, type.bytes === 8 ? BigInt.asUintN(64, value) : Number(value));
}

/**
 * The float nearest to digits * 10^exponent, of which `value` is the nearest double. It is that double's nearest float, unless the double
 * lies halfway between two floats and the number does not.
 */
export function nearestFloat(value: number, digits: bigint, exponent: number): number {
  const near = Math.fround(value);
  if (near === value || !Number.isFinite(near)) return near;
  const other = neighbour(near, near < value);
  if ((near + other) / 2 !== value) return near;
  const side = compare(digits, exponent, value);
  if (side === 0) return near;
  return side > 0 ? Math.max(near, other) : Math.min(near, other);
}

/** The next float above or below a positive one. */
function neighbour(float: number, above: boolean): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, float);
  view.setInt32(0, view.getInt32(0) + (above ? 1 : -1));
  return view.getFloat32(0);
}

/** The sign of digits * 10^exponent less a positive double. */
function compare(digits: bigint, exponent: number, value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const raised = Number(bits >> 52n);
  const mantissa = (bits & 0xfffffffffffffn) + (raised ? 2n ** 52n : 0n);
  const power = Math.max(raised, 1) - 1075;
  const left = digits * 10n ** BigInt(Math.max(exponent, 0)) * 2n ** BigInt(Math.max(-power, 0));
  const right = mantissa * 10n ** BigInt(Math.max(-exponent, 0)) * 2n ** BigInt(Math.max(power, 0));
  return left < right ? -1 : left > right ? 1 : 0;
}
