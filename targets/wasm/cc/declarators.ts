import type { Function as Routine, Type } from './ast.ts';
import { parseConstant, parseExpression } from './expressions.ts';
import { BRACE, BRACKET, CLOSE, COMMA, END_BRACE, END_BRACKET, OPEN, type Parser, SEMICOLON, STAR } from './parser.ts';
import { FIRST_NAME, LITERAL, token } from './tokens.ts';
import { DOUBLE, FLOAT, int, pointerTo, recordOf, VOID } from './types.ts';

/** Types as they are written, and what is declared of them. */

export interface Specifiers {
  readonly type: Type;
  readonly isTypedef: boolean;
  readonly isStatic: boolean;
  /** Of what a declarator with a star points to. */
  readonly isConst: boolean;
  readonly inline: Routine['inline'];
}

export interface Parameter {
  readonly name: number;
  readonly type: Type;
  /** `const T *restrict`. */
  readonly isUntouched: boolean;
}

export interface Declarator {
  /** 0 where there is none. */
  readonly name: number;
  /** What a function returns. */
  readonly type: Type;
  /** Of a function. */
  readonly parameters?: readonly Parameter[];
  /** An array whose length is that of what it begins with; `type` is that of an element. */
  readonly isOpen?: boolean;
  readonly isRestrict?: boolean;
}

const CONST = token('const');
const RESTRICT = token('restrict');
const INLINE = token('inline');
const STATIC = token('static');
const TYPEDEF = token('typedef');
const STRUCT = token('struct');
const UNION = token('union');
const TYPEOF = token('__typeof__');
const ATTRIBUTE = token('__attribute__');
const FIRST_WORD = token('void');
const LAST_WORD = token('unsigned');

/** Whether what is next, or so many tokens further, begins a type. */
export function isTypeNext(p: Parser, ahead = 0): boolean {
  const code = p.codes[p.at + ahead] as number;
  if (code >= FIRST_NAME) return code < LITERAL && p.lookup(code)?.kind === 'type';
  return code >= FIRST_WORD && code <= UNION ? true : code === TYPEOF || code === ATTRIBUTE;
}

export function parseSpecifiers(p: Parser): Specifiers {
  const words: string[] = [];
  let type: Type | undefined;
  let isTypedef = false;
  let isStatic = false;
  let isConst = false;
  let inline: Routine['inline'] = 'auto';
  for (;;) {
    const { code } = p;
    if (code >= FIRST_WORD && code <= LAST_WORD) {
      words.push(p.spelling(code));
      p.next();
    } else if (code === ATTRIBUTE) {
      inline = parseAttributes(p) ?? inline;
    } else if (code === STATIC) {
      isStatic = true;
      p.next();
    } else if (code === TYPEDEF) {
      isTypedef = true;
      p.next();
    } else if (code === CONST || code === INLINE || code === RESTRICT) {
      isConst ||= code === CONST;
      p.next();
    } else {
      const other = type || words.length > 0 ? undefined : parseOtherType(p);
      if (!other) break;
      type = other;
    }
  }
  if (type && words.length > 0) throw p.refused(`'${words.join(' ')}' beside another type`);
  return { type: type ?? typeOfWords(p, words), isTypedef, isStatic, isConst, inline };
}

/** A type that is not one of C's words; nothing where none is next. */
function parseOtherType(p: Parser): Type | undefined {
  const { code } = p;
  if (code === STRUCT || code === UNION) return parseRecord(p);
  if (code === TYPEOF) return parseTypeOf(p);
  const binding = code >= FIRST_NAME && code < LITERAL ? p.lookup(code) : undefined;
  if (binding?.kind !== 'type') return undefined;
  p.next();
  return binding.type;
}

/** Bytes of ints by the words that name them, but for their sign. */
const INTS: { readonly [words: string]: 1 | 2 | 4 | 8 } = {
  '': 4,
  int: 4,
  char: 1,
  short: 2,
  'int short': 2,
  long: 4,
  'int long': 4,
  'long long': 8,
  'int long long': 8,
};

function typeOfWords(p: Parser, words: readonly string[]): Type {
  const text = words.join(' ');
  if (text === 'void') return VOID;
  if (text === 'float') return FLOAT;
  if (text === 'double') return DOUBLE;
  const signs = words.filter((w) => w === 'signed' || w === 'unsigned');
  const rest = words.filter((w) => w !== 'signed' && w !== 'unsigned').sort();
  const bytes = INTS[rest.join(' ')];
  if (!bytes || words.length === 0 || signs.length > 1) throw p.unexpected('a type');
  return int(bytes, signs[0] !== 'unsigned');
}

/** Attributes that change what is made; nothing for `weak`, which only says that others may define the same. */
function parseAttributes(p: Parser): Routine['inline'] | undefined {
  p.next();
  p.expect(OPEN);
  p.expect(OPEN);
  let inline: Routine['inline'] | undefined;
  while (p.code !== CLOSE) {
    const name = p.spelling(p.code);
    if (name === 'always_inline') inline = 'always';
    else if (name === 'noinline') inline = 'never';
    else if (name !== 'weak' && name !== 'unused' && name !== ',')
      throw p.refused(`the attribute ${name} is not supported`);
    p.next();
  }
  p.next();
  p.expect(CLOSE);
  return inline;
}

function parseTypeOf(p: Parser): Type {
  p.next();
  p.expect(OPEN);
  const type = isTypeNext(p) ? parseTypeName(p) : parseExpression(p).type;
  p.expect(CLOSE);
  return type;
}

function parseRecord(p: Parser): Type {
  const isUnion = p.code === UNION;
  p.next();
  if (p.code !== BRACE) throw p.refused('a struct or union with a name of its own is not supported');
  p.next();
  const members: { name: string; type: Type }[] = [];
  while (!p.accept(END_BRACE)) {
    const { type } = parseSpecifiers(p);
    do {
      const member = parseDeclarator(p, type);
      if (!member.name || member.parameters || member.isOpen) throw p.refused('a member that is not a variable');
      members.push({ name: p.spelling(member.name), type: member.type });
    } while (p.accept(COMMA));
    p.expect(SEMICOLON);
  }
  return recordOf(members, isUnion);
}

/** The type in a cast. */
export function parseTypeName(p: Parser): Type {
  const { type, isTypedef, isStatic } = parseSpecifiers(p);
  const named = parseDeclarator(p, type);
  if (isTypedef || isStatic || named.name || named.parameters || named.isOpen) throw p.refused('a type was expected');
  return named.type;
}

/** What is declared of a type: `*name[3]`, `name(parameters)`. */
export function parseDeclarator(p: Parser, base: Type): Declarator {
  let type = base;
  let isRestrict = false;
  for (;;) {
    if (p.code === STAR) type = pointerTo(type);
    else if (p.code === RESTRICT) isRestrict = true;
    else if (p.code !== CONST) break;
    p.next();
  }
  const isNamed = p.code >= FIRST_NAME && p.code < LITERAL;
  const name = isNamed ? p.code : 0;
  if (isNamed) p.next();
  if (p.code === OPEN) {
    if (!name) throw p.refused('a declaration in parentheses is not supported');
    return { name, type, parameters: parseParameters(p) };
  }
  if (p.code !== BRACKET) return { name, type, isRestrict };
  return { name, ...parseLengths(p, type) };
}

function parseLengths(p: Parser, of: Type): { type: Type; isOpen: boolean } {
  const lengths: number[] = [];
  let isOpen = false;
  while (p.accept(BRACKET)) {
    if (p.code !== END_BRACKET) lengths.push(parseLength(p));
    else if (lengths.length === 0 && !isOpen) isOpen = true;
    else throw p.refused('an array without a length');
    p.expect(END_BRACKET);
  }
  return { type: lengths.reduceRight<Type>((inner, length) => ({ kind: 'array', of: inner, length }), of), isOpen };
}

function parseLength(p: Parser): number {
  const { at } = p;
  const length = parseConstant(p);
  if (length < 0) throw p.refused(`an array of ${length} values`, at);
  return length;
}

function parseParameters(p: Parser): Parameter[] {
  p.next();
  const list: Parameter[] = [];
  if (p.accept(CLOSE)) return list;
  do {
    const { type, isConst } = parseSpecifiers(p);
    const one = parseDeclarator(p, type);
    if (one.parameters) throw p.refused('a parameter that is a function is not supported');
    list.push({ name: one.name, type: asParameter(one), isUntouched: isConst && one.isRestrict === true });
  } while (p.accept(COMMA));
  p.expect(CLOSE);
  const isNone = list.length === 1 && list[0]?.type === VOID && list[0].name === 0;
  if (!isNone && list.some((one) => one.type === VOID || one.type.kind === 'record')) {
    throw p.refused('a parameter that is neither a number, a vector nor a pointer');
  }
  return isNone ? [] : list;
}

function asParameter({ type, isOpen }: Declarator): Type {
  if (isOpen) return pointerTo(type);
  return type.kind === 'array' ? pointerTo(type.of) : type;
}
