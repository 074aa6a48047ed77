import { refused } from './refuse.ts';

/**
 * Tokens are numbers: operators and keywords have fixed ones, each other name gets one of its own, and numbers and strings as they are
 * written get theirs above `LITERAL`.
 */

export const END = 0;

const OPERATORS =
  '( ) [ ] { } ; , : ? ~ ! . -> ++ -- = + - * / % & | ^ << >> < > <= >= == != && || += -= *= /= %= &= |= ^= <<= >>= # ...';
const KEYWORDS =
  'void char short int long float double signed unsigned const restrict volatile static inline typedef extern struct union enum sizeof ' +
  '__typeof__ __attribute__ __asm__ _Pragma if else for while do switch case default break continue return goto';

const FIRST_OPERATOR = 1;
const operators = OPERATORS.split(' ');
const spellings = ['', ...operators, ...KEYWORDS.split(' ')];
const FIRST_KEYWORD = FIRST_OPERATOR + operators.length;

/** The first token of a name that is not a keyword. */
export const FIRST_NAME = spellings.length;
/** Above it are numbers and strings: `token - LITERAL` tells which. */
export const LITERAL = 1 << 24;

/** The token of an operator or a keyword. */
export function token(spelling: string): number {
  const found = spellings.indexOf(spelling);
  if (found < 0) throw new Error(`no token ${spelling}`);
  return found;
}

/** Tokens, and where each begins in the text; for those of a macro, where it is used. */
export class Tokens {
  codes: Int32Array;
  starts: Int32Array;
  length = 0;

  constructor(capacity: number) {
    this.codes = new Int32Array(capacity);
    this.starts = new Int32Array(capacity);
  }

  push(code: number, start: number): void {
    const { length } = this;
    if (length === this.codes.length) this.grow();
    this.codes[length] = code;
    this.starts[length] = start;
    this.length = length + 1;
  }

  /** Adds tokens `from` to `to` of others. */
  copy(others: Tokens, from: number, to: number): void {
    while (this.codes.length < this.length + to - from) this.grow();
    const { codes, starts } = this;
    const { codes: fromCodes, starts: fromStarts } = others;
    let { length } = this;
    for (let at = from; at < to; at++) {
      codes[length] = fromCodes[at] as number;
      starts[length++] = fromStarts[at] as number;
    }
    this.length = length;
  }

  private grow(): void {
    const { codes, starts } = this;
    this.codes = new Int32Array(2 * codes.length + 16);
    this.starts = new Int32Array(2 * codes.length + 16);
    this.codes.set(codes);
    this.starts.set(starts);
  }
}

/** Names, numbers and strings that were met, by token. */
export class Spellings {
  private readonly texts = [...spellings];
  private readonly tokens = new Map(spellings.slice(FIRST_KEYWORD).map((s, i) => [s, FIRST_KEYWORD + i]));
  private readonly literalTexts: string[] = [];
  private readonly literalTokens = new Map<string, number>();
  /** Of numbers of up to three digits, by value. */
  private readonly shortTokens = new Int32Array(1000);

  /** How many tokens there are below that of the next new name, and of numbers and strings. */
  get names(): number {
    return this.texts.length;
  }

  get literals(): number {
    return this.literalTexts.length;
  }

  name(text: string): number {
    const known = this.tokens.get(text);
    if (known !== undefined) return known;
    this.tokens.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }

  literal(text: string): number {
    const known = this.literalTokens.get(text);
    if (known !== undefined) return known;
    const code = LITERAL + this.literalTexts.push(text) - 1;
    this.literalTokens.set(text, code);
    return code;
  }

  /** Of a number below 1000 without zeros before it. */
  short(value: number): number {
    const known = this.shortTokens[value] as number;
    if (known > 0) return known;
    const code = this.literal(String(value));
    this.shortTokens[value] = code;
    return code;
  }

  of(code: number): string {
    if (code === END) return 'the end';
    return (code >= LITERAL ? this.literalTexts[code - LITERAL] : this.texts[code]) ?? '';
  }
}

/** A list of so many holes, which is not made sparse where it is filled in any order. */
export function empty<T>(length: number): (T | undefined)[] {
  return new Array<T | undefined>(length).fill(undefined);
}

const BLANK = 1;
const SPLICE = 2;
const LETTER = 3;
const DIGIT = 4;

/** What begins with each character of ASCII. */
const classes = new Uint8Array(128);
for (const c of ' \t\r\n\f\v') classes[c.charCodeAt(0)] = BLANK;
classes[92] = SPLICE;
for (let c = 0; c < 128; c++) {
  if (/[a-z_]/i.test(String.fromCharCode(c))) classes[c] = LETTER;
  else if (/[0-9]/.test(String.fromCharCode(c))) classes[c] = DIGIT;
}

/** Operators by their characters, the first one lowest. */
const byCharacters = new Map<number, number>();
for (const [i, text] of operators.entries()) {
  byCharacters.set(
    [...text].reduceRight((key, c) => key * 128 + c.charCodeAt(0), 0),
    FIRST_OPERATOR + i,
  );
}
/** Operators of one character, and those of them that begin no longer one. */
const single = new Uint8Array(128);
const alone = new Uint8Array(128);
for (let c = 0; c < 128; c++) single[c] = byCharacters.get(c) ?? 0;
for (const text of '()[]{};,:?~') alone[text.charCodeAt(0)] = single[text.charCodeAt(0)] as number;

/** Adds the tokens of `text` from `from` to `to`, where no token and no comment may be cut. `lineOf` tells the line of a place. */
export function lex(
  text: string,
  from: number,
  to: number,
  spellings: Spellings,
  out: Tokens,
  lineOf: (at: number) => number,
): void {
  let at = from;
  while (at < to) {
    const c = text.charCodeAt(at);
    const kind = c < 128 ? classes[c] : 0;
    if (kind === BLANK) {
      at++;
      continue;
    }
    const start = at;
    let code: number;
    if (kind === LETTER) {
      at = endOfWord(text, at, to);
      code = spellings.name(text.slice(start, at));
    } else if (kind === DIGIT || (c === 46 && classes[text.charCodeAt(at + 1)] === DIGIT)) {
      at = endOfNumber(text, at, to);
      code = shortToken(text, start, at, spellings) || spellings.literal(text.slice(start, at));
    } else if (c === 47 && isComment(text.charCodeAt(at + 1))) {
      at = endOfComment(text, at, to, lineOf);
      continue;
    } else if (c === 34) {
      at = endOfString(text, at, to, lineOf);
      code = spellings.literal(text.slice(start, at));
    } else if (kind === SPLICE) {
      at = endOfSplice(text, at, lineOf);
      continue;
    } else {
      const length = operatorAt(text, at);
      if (length === 0) throw refused(lineOf(at), `'${text[at]}' is not expected`);
      at += length;
      code = operator;
    }
    out.push(code, start);
  }
}

/** The operator that `operatorAt` found. */
let operator = 0;

/** Characters of the longest operator at a place, 0 where there is none. */
function operatorAt(text: string, at: number): number {
  const c = text.charCodeAt(at);
  if (c > 127) return 0;
  operator = alone[c] as number;
  if (operator !== 0) return 1;
  const next = text.charCodeAt(at + 1);
  if (classes[next] || alone[next]) {
    // No operator goes on with these.
    operator = single[c] as number;
    return operator === 0 ? 0 : 1;
  }
  const two = c + next * 128;
  const three = byCharacters.get(two + text.charCodeAt(at + 2) * 16384);
  const found = three ?? byCharacters.get(two) ?? byCharacters.get(c);
  operator = found ?? 0;
  if (found === undefined) return 0;
  return three !== undefined ? 3 : byCharacters.has(two) ? 2 : 1;
}

function endOfWord(text: string, from: number, to: number): number {
  let at = from + 1;
  while (at < to) {
    const c = text.charCodeAt(at);
    if (c > 127 || (classes[c] as number) < LETTER) break;
    at++;
  }
  return at;
}

/** Digits, letters and dots, and the sign of an exponent of ten. */
function endOfNumber(text: string, from: number, to: number): number {
  const isHex = (text.charCodeAt(from + 1) | 32) === 120;
  let at = from + 1;
  while (at < to) {
    const c = text.charCodeAt(at);
    const isSign = (c === 43 || c === 45) && !isHex && (text.charCodeAt(at - 1) | 32) === 101;
    if (!isSign && c !== 46 && (c > 127 || (classes[c] as number) < LETTER)) break;
    at++;
  }
  return at;
}

/** Of a number of up to three digits; 0 for others. Tables are made of them. */
function shortToken(text: string, from: number, to: number, spellings: Spellings): number {
  const first = text.charCodeAt(from);
  if (to - from > 3 || (first === 48 && to - from > 1)) return 0;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
  }
  return spellings.short(value);
}

/** A backslash at the end of a line. It stands between tokens here, where C would also join those that touch it on both sides. */
function endOfSplice(text: string, from: number, lineOf: (at: number) => number): number {
  const end = text.charCodeAt(from + 1) === 13 ? from + 2 : from + 1;
  if (text.charCodeAt(end) !== 10) throw refused(lineOf(from), "'\\' is not expected");
  if (!isBlank(text.charCodeAt(from - 1)) && !isBlank(text.charCodeAt(end + 1))) {
    throw refused(lineOf(from), "'\\' with no blank on either side");
  }
  return end + 1;
}

function isBlank(c: number): boolean {
  return classes[c] === BLANK;
}

function isComment(next: number): boolean {
  return next === 42 || next === 47;
}

function endOfComment(text: string, from: number, to: number, lineOf: (at: number) => number): number {
  const isLine = text.charCodeAt(from + 1) === 47;
  const end = text.indexOf(isLine ? '\n' : '*/', from + 2);
  if (isLine) {
    if (text[end - 1] === '\\') throw refused(lineOf(from), 'a comment that goes on after a backslash');
    return end < 0 || end > to ? to : end;
  }
  if (end < 0 || end + 2 > to) throw refused(lineOf(from), 'a comment that does not end before the next directive');
  return end + 2;
}

function endOfString(text: string, from: number, to: number, lineOf: (at: number) => number): number {
  const end = text.indexOf('"', from + 1);
  if (end < 0 || end >= to || text.slice(from, end).includes('\\')) {
    throw refused(lineOf(from), 'a string with escapes or without an end');
  }
  return end + 1;
}
