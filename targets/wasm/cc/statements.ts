import type { Expression, Statement } from './ast.ts';
import { isTypeNext, parseDeclarator, parseSpecifiers } from './declarators.ts';
import { assign, parseConstant, parseExpression } from './expressions.ts';
import { closedArray, isList, parseData, parseInitial, writeList } from './initializers.ts';
import * as nodes from './nodes.ts';
import { ASSIGN, BRACE, CLOSE, COMMA, END_BRACE, OPEN, type Parser, SEMICOLON } from './parser.ts';
import { END, FIRST_NAME, token } from './tokens.ts';
import { INT, VOID } from './types.ts';

const IF = token('if');
const ELSE = token('else');
const FOR = token('for');
const WHILE = token('while');
const DO = token('do');
const SWITCH = token('switch');
const CASE = token('case');
const DEFAULT = token('default');
const BREAK = token('break');
const CONTINUE = token('continue');
const RETURN = token('return');
const ASM = token('__asm__');
const PRAGMA = token('_Pragma');
const COLON = token(':');

const NOTHING: Statement = { kind: 'block', body: [] };

/** What is between braces; the first one is next. */
export function parseBlock(p: Parser): Statement {
  p.expect(BRACE);
  p.enterScope();
  const body: Statement[] = [];
  while (!p.accept(END_BRACE)) parseInto(p, body);
  p.leaveScope();
  return { kind: 'block', body };
}

/** A statement, or a declaration, which may be several. */
function parseInto(p: Parser, body: Statement[]): void {
  if (isTypeNext(p)) parseDeclaration(p, body);
  else {
    const statement = parseStatement(p);
    if (statement !== NOTHING) body.push(statement);
  }
}

function parseStatement(p: Parser): Statement {
  const { code } = p;
  if (code >= FIRST_NAME) return parsePlain(p);
  switch (code) {
    case BRACE:
      return parseBlock(p);
    case SEMICOLON:
      p.next();
      return NOTHING;
    case IF:
      return parseIf(p);
    case FOR:
      return parseFor(p);
    case WHILE:
      return parseWhile(p);
    case DO:
      return parseDo(p);
    case SWITCH:
      return parseSwitch(p);
    case RETURN:
      return parseReturn(p);
    case BREAK:
    case CONTINUE:
      p.next();
      p.expect(SEMICOLON);
      return { kind: code === BREAK ? 'break' : 'continue' };
    case PRAGMA:
      return parsePragma(p);
    case ASM:
      return parseHidden(p);
    default:
      return parsePlain(p);
  }
}

function parsePlain(p: Parser): Statement {
  const expression = parseExpression(p);
  p.expect(SEMICOLON);
  return { kind: 'expression', expression };
}

/** Of pragmas there is one: the loop after it is not to be unrolled. */
function parsePragma(p: Parser): Statement {
  p.next();
  p.expect(OPEN);
  p.expectString('clang loop unroll(disable)');
  p.expect(CLOSE);
  const loop = parseStatement(p);
  if (loop.kind === 'loop') return { ...loop, rolled: true };
  const last = loop.kind === 'block' ? loop.body.at(-1) : undefined;
  if (loop.kind !== 'block' || last?.kind !== 'loop') throw p.refused('a pragma before something else than a loop');
  return { ...loop, body: [...loop.body.slice(0, -1), { ...last, rolled: true }] };
}

/** `__asm__("" : "+r"(x))`, which hides from a compiler what a value is. There is nothing here that looks at it. */
function parseHidden(p: Parser): Statement {
  p.next();
  p.expect(OPEN);
  p.expectString('');
  p.expect(COLON);
  p.expectString('+r');
  p.expect(OPEN);
  for (let depth = 1; depth > 0; p.next()) {
    if (p.code === OPEN) depth++;
    else if (p.code === CLOSE) depth--;
    else if (p.code === END) throw p.unexpected("')'");
  }
  p.expect(CLOSE);
  p.expect(SEMICOLON);
  return NOTHING;
}

function parseTest(p: Parser): Expression {
  p.expect(OPEN);
  const test = nodes.condition(parseExpression(p));
  p.expect(CLOSE);
  return test;
}

function parseIf(p: Parser): Statement {
  p.next();
  const test = parseTest(p);
  const yes = parseStatement(p);
  if (!p.accept(ELSE)) return { kind: 'if', test, yes };
  return { kind: 'if', test, yes, no: parseStatement(p) };
}

function parseFor(p: Parser): Statement {
  p.next();
  p.expect(OPEN);
  p.enterScope();
  const first: Statement[] = [];
  parseInto(p, first);
  const test = p.code === SEMICOLON ? undefined : nodes.condition(parseExpression(p));
  p.expect(SEMICOLON);
  const step = p.code === CLOSE ? undefined : parseExpression(p);
  p.expect(CLOSE);
  const body = parseStatement(p);
  p.leaveScope();
  const loop: Statement = { kind: 'loop', testFirst: true, body, ...(test && { test }), ...(step && { step }) };
  return first.length > 0 ? { kind: 'block', body: [...first, loop] } : loop;
}

function parseWhile(p: Parser): Statement {
  p.next();
  const test = parseTest(p);
  return { kind: 'loop', test, testFirst: true, body: parseStatement(p) };
}

function parseDo(p: Parser): Statement {
  p.next();
  const body = parseStatement(p);
  p.expect(WHILE);
  const test = parseTest(p);
  p.expect(SEMICOLON);
  return { kind: 'loop', test, testFirst: false, body };
}

function parseSwitch(p: Parser): Statement {
  p.next();
  p.expect(OPEN);
  const value = nodes.operand(parseExpression(p));
  p.expect(CLOSE);
  if (value.type.kind !== 'int' || value.type.bytes !== 4)
    throw p.refused('a switch of something else than an int of 4 bytes');
  p.expect(BRACE);
  p.enterScope();
  const body: Statement[] = [];
  const cases: { value: number; from: number }[] = [];
  let otherwise: number | undefined;
  while (!p.accept(END_BRACE)) {
    if (p.accept(CASE)) {
      cases.push({ value: parseConstant(p) | 0, from: body.length });
      p.expect(COLON);
    } else if (p.accept(DEFAULT)) {
      otherwise = body.length;
      p.expect(COLON);
    } else parseInto(p, body);
  }
  p.leaveScope();
  return { kind: 'switch', value: nodes.cast(value, INT), cases, body, ...(otherwise !== undefined && { otherwise }) };
}

function parseReturn(p: Parser): Statement {
  p.next();
  const result = p.result ?? VOID;
  if (p.accept(SEMICOLON)) {
    if (result !== VOID) throw p.refused('a return without a value');
    return { kind: 'return' };
  }
  const e = parseExpression(p);
  if (result === VOID) throw p.refused('a return with a value');
  const value = nodes.convert(e, result);
  p.expect(SEMICOLON);
  return { kind: 'return', value };
}

function parseDeclaration(p: Parser, body: Statement[]): void {
  const { type: base, isTypedef, isStatic } = parseSpecifiers(p);
  do {
    const declared = parseDeclarator(p, base);
    if (!declared.name || declared.parameters) throw p.refused('a declaration of something else than a variable');
    if (isTypedef) {
      if (declared.isOpen) throw p.refused('a type without a length');
      p.bind(declared.name, { kind: 'type', type: declared.type });
    } else if (isStatic) parseStatic(p, declared);
    else parseLocal(p, declared, body);
  } while (p.accept(COMMA));
  p.expect(SEMICOLON);
}

type Declared = ReturnType<typeof parseDeclarator>;

function parseLocal(p: Parser, { name, type: declared, isOpen }: Declared, body: Statement[]): void {
  const text = p.spelling(name);
  if (!p.accept(ASSIGN)) {
    if (isOpen || declared === VOID) throw p.refused(`'${text}' has no size`);
    const variable = p.newVariable(text, declared, 'local');
    p.bindVariable(name, variable);
    body.push({ kind: 'declare', variable });
    return;
  }
  if (isOpen || declared.kind === 'array' || declared.kind === 'record') {
    parseLocalRecord(p, name, declared, isOpen ?? false, body);
    return;
  }
  // The name holds in what it begins with, too.
  const variable = p.newVariable(text, declared, 'local');
  p.bindVariable(name, variable);
  const initial = parseInitial(p);
  if (isList(initial)) throw p.refused(`a list for '${text}'`);
  body.push({ kind: 'declare', variable, init: nodes.convert(initial, declared) });
}

function parseLocalRecord(
  p: Parser,
  name: number,
  declared: Declared['type'],
  isOpen: boolean,
  body: Statement[],
): void {
  const initial = parseInitial(p);
  const type = isOpen ? closedArray(declared, initial) : declared;
  const variable = p.newVariable(p.spelling(name), type, 'local');
  p.bindVariable(name, variable);
  body.push({ kind: 'declare', variable });
  if (isList(initial)) body.push(...writeList(variable, initial));
  else body.push({ kind: 'expression', expression: assign({ kind: 'variable', variable, type }, initial) });
}

function parseStatic(p: Parser, { name, type: declared, isOpen }: Declared): void {
  const begun = p.accept(ASSIGN) ? parseData(p, declared, isOpen) : undefined;
  if (isOpen && !begun) throw p.refused('an array without a length');
  const variable = p.newVariable(p.spelling(name), begun?.type ?? declared, 'global', false, begun?.data);
  p.statics.push(variable);
  p.bindVariable(name, variable);
}
