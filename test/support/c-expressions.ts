import fc from 'fast-check';

/** Random expressions of C, and what they come to: written without the compiler that is tested with them. */

export const TYPES = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'float'] as const;
export type TypeName = (typeof TYPES)[number];

export type Node =
  | { readonly kind: 'variable'; readonly index: number }
  | { readonly kind: 'unary'; readonly operator: '-' | '~' | '!'; readonly operand: Node }
  | { readonly kind: 'cast'; readonly type: TypeName; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Node; readonly right: Node }
  | { readonly kind: 'choice'; readonly test: Node; readonly yes: Node; readonly no: Node };

/** A value of C: ints are exact, floats are of 4 bytes. */
export type Value =
  | { readonly type: Exclude<TypeName, 'float'>; readonly value: bigint }
  | { readonly type: 'float'; readonly value: number };

const bitsOf = (type: TypeName): number => Number(type.slice(1));
const isSigned = (type: TypeName): boolean => type.startsWith('i');

export function asType(type: TypeName, value: bigint | number): Value {
  if (type === 'float') return { type, value: typeof value === 'bigint' ? nearestFloat(value) : Math.fround(value) };
  const exact = typeof value === 'bigint' ? value : truncated(type, value);
  return { type, value: isSigned(type) ? BigInt.asIntN(bitsOf(type), exact) : BigInt.asUintN(bitsOf(type), exact) };
}

/** Rounded once: what is below the 40 first bits only says on which side of a tie it lies. */
function nearestFloat(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  const below = BigInt(Math.max(magnitude.toString(2).length - 40, 0));
  const rest = magnitude & ((1n << below) - 1n);
  const kept = Number(((magnitude >> below) << 1n) + (rest > 0n ? 1n : 0n));
  return Math.sign(Number(value)) * Math.fround(kept) * 2 ** (Number(below) - 1);
}

/** Of a float: limited to what the type holds, to that of an int for those of fewer than 4 bytes. */
function truncated(type: TypeName, value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  const wide = bitsOf(type) < 32 ? 'i32' : type;
  const bits = BigInt(bitsOf(wide));
  const most = isSigned(wide) ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  const least = isSigned(wide) ? -(1n << (bits - 1n)) : 0n;
  if (value >= 2 ** 64) return most;
  if (value <= -(2 ** 64)) return least;
  const whole = BigInt(Math.trunc(value));
  return whole > most ? most : whole < least ? least : whole;
}

const promoted = (type: TypeName): TypeName => (type !== 'float' && bitsOf(type) < 32 ? 'i32' : type);

function common(a: TypeName, b: TypeName): TypeName {
  if (a === 'float' || b === 'float') return 'float';
  const [x, y] = [promoted(a), promoted(b)];
  if (bitsOf(x) !== bitsOf(y)) return bitsOf(x) > bitsOf(y) ? x : y;
  return isSigned(x) ? y : x;
}

/** Ints only, so that floats become ints before them. */
const OF_INTS = ['%', '&', '|', '^', '<<', '>>'];
const COMPARISONS = ['<', '<=', '>', '>=', '==', '!='];
const OPERATORS = ['+', '-', '*', '/', '&&', '||', ...OF_INTS, ...COMPARISONS];

export function nodes(variables: number): fc.Arbitrary<Node> {
  const variable = fc.record({ kind: fc.constant('variable' as const), index: fc.nat(variables - 1) });
  return fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, depthSize: 'medium' },
      variable,
      fc.record({
        kind: fc.constant('unary' as const),
        operator: fc.constantFrom('-', '~', '!'),
        operand: tie('node'),
      }),
      fc.record({ kind: fc.constant('cast' as const), type: fc.constantFrom(...TYPES), operand: tie('node') }),
      fc.record({
        kind: fc.constant('binary' as const),
        operator: fc.constantFrom(...OPERATORS),
        left: tie('node'),
        right: tie('node'),
      }),
      fc.record({ kind: fc.constant('choice' as const), test: tie('node'), yes: tie('node'), no: tie('node') }),
    ),
  })).node;
}

export interface Text {
  readonly text: string;
  readonly type: TypeName;
}

/** C of the expression with these names for its variables, whose types are given: what C leaves open is kept out of it. */
export function write(node: Node, names: readonly string[], types: readonly TypeName[]): Text {
  const inner = (n: Node): Text => write(n, names, types);
  switch (node.kind) {
    case 'variable':
      return { text: names[node.index] as string, type: types[node.index] as TypeName };
    case 'cast':
      return { text: `(${node.type})${bracket(inner(node.operand))}`, type: node.type };
    case 'unary': {
      const operand = node.operator === '~' ? asInt(inner(node.operand)) : inner(node.operand);
      return {
        text: `${node.operator}${bracket(operand)}`,
        type: node.operator === '!' ? 'i32' : promoted(operand.type),
      };
    }
    case 'choice': {
      const [yes, no] = [inner(node.yes), inner(node.no)];
      return {
        text: `${bracket(inner(node.test))} ? ${bracket(yes)} : ${bracket(no)}`,
        type: common(yes.type, no.type),
      };
    }
    case 'binary':
      return binaryText(node.operator, inner(node.left), inner(node.right));
  }
}

const bracket = (t: Text): string => `(${t.text})`;
const asInt = (t: Text): Text => (t.type === 'float' ? { text: `(i32)(${t.text})`, type: 'i32' } : t);

function binaryText(operator: string, first: Text, second: Text): Text {
  const ofInts = OF_INTS.includes(operator);
  const left = ofInts ? asInt(first) : first;
  const right = ofInts ? asInt(second) : second;
  const plain = (type: TypeName, r = bracket(right)): Text => ({ text: `${bracket(left)} ${operator} ${r}`, type });
  if (operator === '<<' || operator === '>>') return plain(promoted(left.type), `((${right.text}) & 31)`);
  const type = common(left.type, right.type);
  // Neither 0 nor -1.
  if ((operator === '/' && type !== 'float') || operator === '%') {
    const safe = asInt(right);
    return plain(common(left.type, safe.type), `(((${safe.text}) & 15) + 1)`);
  }
  return plain(COMPARISONS.includes(operator) || operator === '&&' || operator === '||' ? 'i32' : type);
}

/** What `write` wrote comes to. */
export function evaluate(node: Node, values: readonly Value[]): Value {
  const inner = (n: Node): Value => evaluate(n, values);
  switch (node.kind) {
    case 'variable':
      return values[node.index] as Value;
    case 'cast':
      return asType(node.type, inner(node.operand).value);
    case 'unary':
      return evaluateUnary(node.operator, inner(node.operand));
    case 'choice': {
      const [yes, no] = [inner(node.yes), inner(node.no)];
      return asType(common(yes.type, no.type), (isTrue(inner(node.test)) ? yes : no).value);
    }
    case 'binary':
      return evaluateBinary(node.operator, inner(node.left), inner(node.right));
  }
}

const isTrue = ({ value }: Value): boolean => value !== 0n && value !== 0;
const toInt = (v: Value): Value => (v.type === 'float' ? asType('i32', v.value) : v);

function evaluateUnary(operator: string, v: Value): Value {
  if (operator === '!') return asType('i32', isTrue(v) ? 0n : 1n);
  const operand = operator === '~' ? toInt(v) : v;
  if (operand.type === 'float') return { type: 'float', value: -operand.value };
  return asType(promoted(operand.type), operator === '-' ? -operand.value : ~operand.value);
}

function evaluateBinary(operator: string, first: Value, second: Value): Value {
  if (operator === '&&') return asType('i32', isTrue(first) && isTrue(second) ? 1n : 0n);
  if (operator === '||') return asType('i32', isTrue(first) || isTrue(second) ? 1n : 0n);
  const ofInts = OF_INTS.includes(operator);
  const left = ofInts ? toInt(first) : first;
  const right = ofInts ? toInt(second) : second;
  if (operator === '<<' || operator === '>>') {
    const type = promoted(left.type);
    const by = (right.value as bigint) & 31n;
    const whole = asType(type, left.value).value as bigint;
    return asType(type, operator === '<<' ? whole << by : whole >> by);
  }
  const type = common(left.type, right.type);
  const a = asType(type, left.value).value;
  const b = asType(type, right.value).value;
  if (COMPARISONS.includes(operator)) return asType('i32', compare(operator, a, b) ? 1n : 0n);
  if (type === 'float') return { type, value: Math.fround(ofFloats(operator, a as number, b as number)) };
  if (operator !== '/' && operator !== '%') return asType(type, ofWholes(operator, a as bigint, b as bigint));
  const divisor = toInt(right);
  const by = evaluateBinary('+', evaluateBinary('&', divisor, asType('i32', 15n)), asType('i32', 1n));
  const quotient = common(left.type, by.type);
  const x = asType(quotient, left.value).value as bigint;
  const y = asType(quotient, by.value).value as bigint;
  return asType(quotient, operator === '/' ? x / y : x % y);
}

function compare(operator: string, a: bigint | number, b: bigint | number): boolean {
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '==':
      return a === b;
    default:
      return a !== b;
  }
}

function ofFloats(operator: string, a: number, b: number): number {
  return operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : a / b;
}

function ofWholes(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    default:
      return a ^ b;
  }
}
