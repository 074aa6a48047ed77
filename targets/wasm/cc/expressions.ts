import type { BinaryOperator, Expression, Place, Type } from './ast.ts';
import { parseCall } from './calls.ts';
import { constant } from './constants.ts';
import { isTypeNext, parseTypeName } from './declarators.ts';
import * as nodes from './nodes.ts';
import {
  ASSIGN,
  BRACE,
  BRACKET,
  CLOSE,
  COMMA,
  END_BRACE,
  END_BRACKET,
  OPEN,
  type Parser,
  SEMICOLON,
  STAR,
} from './parser.ts';
import { FIRST_NAME, LITERAL, token } from './tokens.ts';
import { common, describe, INT, isNumber, isSame, sizeOf, UNSIGNED } from './types.ts';

/** Binary operators by token: how closely they bind, and what they are. */
const PRECEDENCE = new Uint8Array(FIRST_NAME);
const OPERATOR: (BinaryOperator | 'and also' | 'or else')[] = [];
const LEVELS: readonly (readonly [string, BinaryOperator | 'and also' | 'or else'])[][] = [
  [['||', 'or else']],
  [['&&', 'and also']],
  [['|', 'or']],
  [['^', 'xor']],
  [['&', 'and']],
  [
    ['==', 'eq'],
    ['!=', 'ne'],
  ],
  [
    ['<', 'lt'],
    ['<=', 'le'],
    ['>', 'gt'],
    ['>=', 'ge'],
  ],
  [
    ['<<', 'shl'],
    ['>>', 'shr'],
  ],
  [
    ['+', 'add'],
    ['-', 'sub'],
  ],
  [
    ['*', 'mul'],
    ['/', 'div'],
    ['%', 'rem'],
  ],
];
/** What `+=` and the like do. */
const MODIFIERS: (BinaryOperator | undefined)[] = [];
for (const [level, row] of LEVELS.entries()) {
  for (const [text, operator] of row) {
    PRECEDENCE[token(text)] = level + 1;
    OPERATOR[token(text)] = operator;
    if (level > 1 && (level < 5 || level > 6)) MODIFIERS[token(`${text}=`)] = operator as BinaryOperator;
  }
}

const PLUS = token('+');
const MINUS = token('-');
const NOT = token('!');
const COMPLEMENT = token('~');
const AMPERSAND = token('&');
const INCREMENT = token('++');
const DECREMENT = token('--');
const SIZEOF = token('sizeof');
const QUESTION = token('?');
const COLON = token(':');
const DOT = token('.');
const ARROW = token('->');

/** One with commas. */
export function parseExpression(p: Parser): Expression {
  let first = parseAssignment(p);
  while (p.accept(COMMA)) {
    const second = nodes.value(parseAssignment(p));
    first = { kind: 'comma', type: second.type, first, second };
  }
  return first;
}

export function parseAssignment(p: Parser): Expression {
  const alone = parseAlone(p);
  if (alone) return alone;
  const at = p.at;
  const left = parseConditional(p);
  const { code } = p;
  if (code === ASSIGN) {
    p.next();
    const right = parseAssignment(p);
    return assign(placeOf(p, left, at), right);
  }
  const operator = MODIFIERS[code];
  if (operator === undefined) return left;
  p.next();
  const right = parseAssignment(p);
  return modify(p, placeOf(p, left, at), (old) => combine(operator, old, right), 'new');
}

/** A number or a variable with nothing before and after it, as most arguments are: what the rules below come to. */
function parseAlone(p: Parser): Expression | undefined {
  const { code } = p;
  if (code < FIRST_NAME) return undefined;
  const after = p.codes[p.at + 1];
  if (after !== COMMA && after !== CLOSE && after !== SEMICOLON && after !== END_BRACKET && after !== END_BRACE)
    return undefined;
  const binding = code < LITERAL ? p.lookup(code) : undefined;
  if (code < LITERAL && binding?.kind !== 'variable') return undefined;
  p.next();
  return binding?.kind === 'variable' ? binding.read : p.number(code);
}

/** `place = value`, of a record too. */
export function assign(place: Place, right: Expression): Expression {
  const { type } = place;
  if (type.kind === 'record') {
    if (right.kind !== 'read' || right.type !== type) throw new nodes.Refusal('a record of something else than one');
    return { kind: 'assign', type, place, value: right };
  }
  return { kind: 'assign', type, place, value: nodes.convert(right, type) };
}

function modify(p: Parser, place: Place, next: (old: Expression) => Expression, result: 'old' | 'new'): Expression {
  const { type } = place;
  const old = p.newVariable('', type, 'local');
  const read: Expression = { kind: 'read', type, place: { kind: 'variable', variable: old, type } };
  return { kind: 'modify', type, place, old, value: nodes.convert(next(read), type), result };
}

function placeOf(p: Parser, e: Expression, at: number): Place {
  if (e.kind !== 'read' || e.type.kind === 'array' || e.type.kind === 'void')
    throw p.refused('a value that cannot be written to', at);
  return e.place;
}

/** Without assignments and commas. */
export function parseConditional(p: Parser): Expression {
  const test = parseBinary(p, 1);
  if (!p.accept(QUESTION)) return test;
  const yes = nodes.value(parseExpression(p));
  p.expect(COLON);
  const no = nodes.value(parseConditional(p));
  const type = typeOfEither(yes, no);
  return conditional(nodes.condition(test), type, nodes.convert(yes, type), nodes.convert(no, type));
}

function conditional(test: Expression, type: Type, yes: Expression, no: Expression): Expression {
  if (test.kind === 'constant') return test.value ? yes : no;
  return { kind: 'conditional', type, test, yes, no };
}

function typeOfEither(yes: Expression, no: Expression): Type {
  if (isNumber(yes.type) && isNumber(no.type)) return common(yes.type, no.type);
  if (yes.type.kind === 'pointer' && no.type.kind === 'pointer' && !isSame(yes.type.to, no.type.to)) {
    throw new nodes.Refusal(`a choice of ${describe(yes.type)} and ${describe(no.type)}`);
  }
  const type = yes.type.kind === 'pointer' ? yes.type : no.type;
  if (type.kind === 'record') throw new nodes.Refusal('a choice of records');
  return type;
}

function parseBinary(p: Parser, least: number): Expression {
  let left = parseUnary(p);
  for (;;) {
    const { code } = p;
    const precedence = code < FIRST_NAME ? (PRECEDENCE[code] as number) : 0;
    if (precedence < least) return left;
    p.next();
    const right = parseBinary(p, precedence + 1);
    const operator = OPERATOR[code] as (typeof OPERATOR)[number];
    if (operator === 'and also') left = logical('and', left, right);
    else if (operator === 'or else') left = logical('or', left, right);
    else left = combine(operator, left, right);
  }
}

function logical(operator: 'and' | 'or', first: Expression, second: Expression): Expression {
  const left = nodes.condition(first);
  const right = nodes.condition(second);
  if (left.kind === 'constant') {
    if (!left.value === (operator === 'and')) return constant(INT, operator === 'and' ? 0 : 1);
    if (right.kind === 'constant') return constant(INT, right.value ? 1 : 0);
  }
  return { kind: 'logical', operator, type: INT, left, right };
}

/** Two operands as they were written. */
function combine(operator: BinaryOperator, first: Expression, second: Expression): Expression {
  const left = nodes.operand(first);
  const right = nodes.operand(second);
  if (isNumber(left.type) && isNumber(right.type)) return combineNumbers(operator, left, right);
  if (left.type.kind === 'pointer' || right.type.kind === 'pointer') {
    const result = combinePointers(operator, left, right);
    if (result) return result;
  }
  throw new nodes.Refusal(`${operator} of ${describe(left.type)} and ${describe(right.type)}`);
}

function combineNumbers(operator: BinaryOperator, left: Expression, right: Expression): Expression {
  if (!isNumber(left.type) || !isNumber(right.type)) return left;
  const isOfInts = left.type.kind === 'int' && right.type.kind === 'int';
  if (!isOfInts && FOR_INTS.has(operator))
    throw new nodes.Refusal(`${operator} of ${describe(left.type)} and ${describe(right.type)}`);
  const isShift = operator === 'shl' || operator === 'shr';
  const type = isShift ? left.type : common(left.type, right.type);
  return nodes.binary(operator, nodes.cast(left, type), nodes.cast(right, type));
}

const FOR_INTS: ReadonlySet<BinaryOperator> = new Set(['rem', 'and', 'or', 'xor', 'shl', 'shr']);

function combinePointers(operator: BinaryOperator, left: Expression, right: Expression): Expression | undefined {
  const isLeft = left.type.kind === 'pointer';
  const isRight = right.type.kind === 'pointer';
  if (nodes.isComparison(operator)) {
    return nodes.binary(
      operator,
      nodes.convert(left, isLeft ? left.type : right.type),
      nodes.convert(right, isLeft ? left.type : right.type),
    );
  }
  if (operator === 'add' && isLeft !== isRight) return isLeft ? nodes.offset(left, right) : nodes.offset(right, left);
  if (operator === 'sub' && isLeft) return isRight ? nodes.distance(left, right) : nodes.offset(left, right, true);
  return undefined;
}

function parseUnary(p: Parser): Expression {
  const { code } = p;
  switch (code) {
    case OPEN:
      return parseParenthesis(p);
    case MINUS:
      p.next();
      return nodes.unary('negate', parseUnary(p));
    case PLUS:
      p.next();
      return nodes.operand(parseUnary(p));
    case NOT:
      p.next();
      return nodes.unary('not', parseUnary(p));
    case COMPLEMENT:
      p.next();
      return nodes.unary('complement', parseUnary(p));
    case STAR:
      p.next();
      return nodes.target(parseUnary(p));
    case AMPERSAND:
      return parseAddress(p);
    case INCREMENT:
    case DECREMENT: {
      p.next();
      const at = p.at;
      return step(p, placeOf(p, parseUnary(p), at), code, 'new');
    }
    case SIZEOF:
      return parseSize(p);
    default:
      return parsePostfix(p, parsePrimary(p));
  }
}

/** `(type)x` or `(x)`. */
function parseParenthesis(p: Parser): Expression {
  p.next();
  if (!isTypeNext(p)) {
    const inner = parseExpression(p);
    p.expect(CLOSE);
    return parsePostfix(p, inner);
  }
  const type = parseTypeName(p);
  p.expect(CLOSE);
  if (p.code === BRACE) throw p.refused('a value of a list is not supported');
  return nodes.cast(parseUnary(p), type);
}

function parseAddress(p: Parser): Expression {
  p.next();
  const at = p.at;
  const e = parseUnary(p);
  if (e.kind !== 'read') throw p.refused('an address of what is not in memory', at);
  return nodes.addressOf(e.place);
}

function parseSize(p: Parser): Expression {
  p.next();
  let type: Type;
  if (p.code === OPEN && isTypeNext(p, 1)) {
    p.next();
    type = parseTypeName(p);
    p.expect(CLOSE);
  } else {
    type = parseUnary(p).type;
  }
  return constant(UNSIGNED, sizeOf(type));
}

function step(p: Parser, place: Place, code: number, result: 'old' | 'new'): Expression {
  const operator = code === INCREMENT ? 'add' : 'sub';
  return modify(p, place, (old) => combine(operator, old, constant(INT, 1)), result);
}

function parsePrimary(p: Parser): Expression {
  const { code } = p;
  if (code >= LITERAL) {
    p.next();
    return p.number(code);
  }
  if (code < FIRST_NAME) throw p.unexpected('an expression');
  const binding = p.lookup(code);
  if (p.codes[p.at + 1] === OPEN && binding?.kind !== 'variable') return parseCall(p, binding);
  if (binding?.kind === 'variable') {
    p.next();
    return binding.read;
  }
  if (binding?.kind !== 'global') throw p.refused(`'${p.spelling(code)}' is not declared`);
  p.next();
  return binding.use();
}

function parsePostfix(p: Parser, from: Expression): Expression {
  let e = from;
  for (;;) {
    const { code } = p;
    switch (code) {
      case BRACKET: {
        p.next();
        const index = parseExpression(p);
        p.expect(END_BRACKET);
        e = nodes.target(nodes.offset(nodes.value(e), index));
        break;
      }
      case DOT:
        e = parseMember(p, e);
        break;
      case ARROW:
        e = parseMember(p, nodes.target(e));
        break;
      case INCREMENT:
      case DECREMENT:
        e = step(p, placeOf(p, e, p.at), code, 'old');
        p.next();
        break;
      case OPEN:
        throw p.refused('a call of a value is not supported');
      default:
        return e;
    }
  }
}

function parseMember(p: Parser, record: Expression): Expression {
  p.next();
  const name = p.spelling(p.code);
  const member = record.type.kind === 'record' ? record.type.members.find((m) => m.name === name) : undefined;
  if (!member || record.kind !== 'read') throw p.refused(`'${name}' of ${describe(record.type)}`);
  p.next();
  return nodes.part(record.place, member.type, member.offset);
}

/** A constant of an int: sizes, cases. */
export function parseConstant(p: Parser): number {
  const at = p.at;
  const e = parseConditional(p);
  if (e.kind !== 'constant' || e.type.kind !== 'int') throw p.refused('a constant was expected', at);
  return Number(e.value);
}
