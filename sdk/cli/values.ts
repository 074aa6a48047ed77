import { resolve } from 'node:path';
import { EigenError } from '../util/errors.ts';

/** Readers of flag values. Each throws EW1001_USAGE with the flag and the text it got. */

function bad(name: string, text: string, expected: string): EigenError {
  return new EigenError('EW1001_USAGE', `${name} ${text}: expected ${expected}`);
}

export function readText(text: string): string {
  return text;
}

const WHOLE = /^[1-9]\d*$/;

/** A positive integer. */
export function readCount(text: string, name: string): number {
  if (!WHOLE.test(text)) throw bad(name, text, 'a positive whole number');
  return Number(text);
}

/** A number in (0, 1]. */
export function readShare(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw bad(name, text, 'a number above 0 and up to 1, e.g. 0.985');
  return value;
}

/** 0 to 65535. */
export function readPort(text: string, name: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw bad(name, text, 'a port, 0 to 65535');
  return Number(text);
}

/** Above 0. */
export function readHours(text: string, name: string): number {
  const hours = Number(text);
  if (!(hours > 0)) throw bad(name, text, 'hours, above 0');
  return hours;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Bytes: `350000`, `350kB`, `1.2MB`, `64KiB`. kB, MB, GB are powers of 1000, KiB, MiB, GiB powers of 1024. */
export function readBytes(text: string, name: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = m ? UNIT_BYTES[m[2]!.toLowerCase()] : undefined;
  const bytes = unit === undefined ? 0 : Math.floor(Number(m![1]) * unit);
  if (bytes < 1) throw bad(name, text, 'a size such as 350000, 350kB or 1.2MB');
  return bytes;
}

/** A time: `50ms`, `0.2s`, `800us`; a bare number is milliseconds. */
export function readMilliseconds(text: string, name: string): number {
  const m = /^(\d+(?:\.\d+)?)\s*(us|ms|s)?$/.exec(text);
  const ms = m ? Number(m[1]) * { us: 1e-3, ms: 1, s: 1e3 }[(m[2] ?? 'ms') as 'us' | 'ms' | 's'] : 0;
  if (!(ms > 0)) throw bad(name, text, 'a time such as 50ms or 0.2s');
  return ms;
}

/** A size limit for weights: as a factor of the original's fp32 bytes, or absolute. */
export type Budget = { readonly factor: number } | { readonly bytes: number };

/** A size without a unit below this is taken for a factor whose x was forgotten. */
const FEW_BYTES = 1000;

/** `8x` or a size. */
export function readBudget(text: string, name: string): Budget {
  const m = /^(\d+(?:\.\d+)?)x$/i.exec(text);
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) < FEW_BYTES)
    throw bad(name, text, `a factor, ${text}x, or a size with its unit, such as 350kB`);
  if (!m) return { bytes: readBytes(text, name) };
  const factor = Number(m[1]);
  if (!(factor >= 1)) throw bad(name, text, 'a factor of at least 1, e.g. 8x');
  return { factor };
}

/** `LOW,HIGH`. */
export function readRange(text: string, name: string): { readonly low: number; readonly high: number } {
  const [low, high, ...rest] = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (rest.length > 0 || !Number.isFinite(low) || !Number.isFinite(high) || !(low! < high!))
    throw bad(name, text, 'two numbers, the smaller first, e.g. 0,255');
  return { low: low!, high: high! };
}

/** Splits `name=value` at the last `=`: tensor names may contain one. */
function pair(text: string, name: string, example: string): [string, string] {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1) throw bad(name, text, `the form ${example}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `--dim batch=1 --dim width=320`. */
export function readDims(texts: readonly string[], name: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const text of texts) {
    const [dim, value] = pair(text, name, 'width=320');
    if (!WHOLE.test(value)) throw bad(name, text, 'a positive whole number after =');
    out[dim] = Number(value);
  }
  return out;
}

/** `--set sr=16000`: input name to number, every element of that input. */
export function readSettings(texts: readonly string[], name: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const text of texts) {
    const [input, value] = pair(text, name, 'sr=16000');
    if (!Number.isFinite(Number(value))) throw bad(name, text, 'a number after =');
    out[input] = Number(value);
  }
  return out;
}

/** `--tag site=lab --tag floor=2`: name to text; the name has no `=`. */
export function readTags(texts: readonly string[], name: string): Record<string, string> {
  const pairs = texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw bad(name, text, 'the form site=lab');
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

/** A time of any length, milliseconds: `90s`, `10m`, `2h`, `1d`. */
export function readDuration(text: string, name: string): number {
  const m = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text);
  if (!m) throw bad(name, text, 'a time such as 90s, 10m, 2h or 1d');
  return Math.round(Number(m[1]) * { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 }[m[2] as 's' | 'm' | 'h' | 'd']);
}

/** So many devices, `5`, or a share of them, `25%`. */
export function readCohort(text: string, name: string): { count: number } | { share: number } {
  const m = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = m ? Number(m[1]) : 0;
  if (m?.[2] && value > 0 && value <= 100) return { share: value / 100 };
  if (m && !m[2] && Number.isSafeInteger(value) && value > 0) return { count: value };
  throw bad(name, text, 'a number of devices or a share, such as 5 or 25%');
}

/** Cohorts with commas between them. */
export function readCohorts(text: string, name: string): ({ count: number } | { share: number })[] {
  return text.split(',').map((part) => readCohort(part.trim(), name));
}

/** One word of a closed set. */
export function readChoice<const T extends string>(choices: readonly T[]): (text: string, name: string) => T {
  return (text, name) => {
    const found = choices.find((c) => c === text);
    if (found === undefined) throw bad(name, text, choices.join(' or '));
    return found;
  };
}

/** A path given on the command line, resolved against the working folder. */
export function pathIn(cwd: string, path: string): string {
  return resolve(cwd, path);
}
