import { EigenError } from '../../../util/errors.ts';

export interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'sign' | 'end';
  /** A word or sign as it stands, a text without its quotes. */
  readonly text: string;
  /** Of a number, with its unit taken in: milliseconds or bytes. */
  readonly value?: number;
  /** Characters before it. */
  readonly at: number;
}

/** Milliseconds and bytes. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  us: 1e-3,
  ms: 1,
  s: 1e3,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

const TOKEN =
  /\s*(?:(?<word>[A-Za-z_*?][\w.*?-]*)|(?<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?<unit>[A-Za-z]*)|(?<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<sign>[<>!]=|!~|[=<>~(),]))/uy;

/** Longer questions are none. */
const MOST_CHARACTERS = 4096;

/** @throws EigenError EW1011_QUERY_INVALID. */
export function tokensOf(query: string): Token[] {
  if (query.length > MOST_CHARACTERS)
    throw queryInvalid(query, MOST_CHARACTERS, `it has more than ${MOST_CHARACTERS} characters`);
  const tokens: Token[] = [];
  let at = 0;
  const end = query.trimEnd().length;
  while (at < end) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(query);
    if (!match) throw unreadable(query, at);
    tokens.push(tokenOf(query, match));
    at = TOKEN.lastIndex;
  }
  return [...tokens, { kind: 'end', text: '', at: end }];
}

function tokenOf(query: string, match: RegExpExecArray): Token {
  const { word, number, unit = '', text, sign } = match.groups!;
  const body = word ?? text ?? sign ?? `${number}${unit}`;
  const at = match.index + match[0].length - body.length;
  if (word !== undefined) return { kind: 'word', text: word, at };
  if (sign !== undefined) return { kind: 'sign', text: sign, at };
  if (text !== undefined) {
    const inner = text.slice(1, -1).replaceAll(text[0]!.repeat(2), text[0]!);
    // A database stores neither.
    if (inner.includes('\0') || !isWellFormed(inner)) throw queryInvalid(query, at, 'this text is not Unicode');
    return { kind: 'text', text: inner, at };
  }
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit]! : undefined;
  const value = Number(number) * (factor ?? Number.NaN);
  if (factor === undefined) throw queryInvalid(query, at, `'${unit}' is no unit; quote it if it is a text`);
  if (!Number.isFinite(value)) throw queryInvalid(query, at, `${number} is too large`);
  return { kind: 'number', text: body, value, at };
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function unreadable(query: string, from: number): EigenError {
  const at = from + query.slice(from).search(/\S/);
  const quote = query[at] === "'" || query[at] === '"';
  return queryInvalid(query, at, quote ? 'this text does not end' : `'${query[at]}' has no meaning here`);
}

/** What is wrong with a query and where, its first character being 1. */
export function queryInvalid(query: string, at: number, problem: string): EigenError {
  const shown = query.length > 200 ? '' : `\n  ${query.replaceAll(/\s/g, ' ')}\n  ${' '.repeat(at)}^`;
  return new EigenError('EW1011_QUERY_INVALID', `query, character ${at + 1}: ${problem}${shown}`, {
    hint: "Write it as in: board ~ 'raspberry-pi-*' and tag.site = berlin and online",
    details: { position: at + 1 },
  });
}
