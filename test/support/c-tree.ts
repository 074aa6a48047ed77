import type { Expression, Function as Routine, Statement, Type, Unit } from '../../targets/wasm/cc/ast.ts';
import { parse } from '../../targets/wasm/cc/parse.ts';

/** Trees of the kernel compiler as text, for tests: `(add i32 a (convert i32 b))`. */

const TYPES = `typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64; typedef v128_t f4;\n`;

/** Lines of `TYPES`, which refusals count. */
export const LINES_BEFORE = 2;

export function parseC(source: string, ...defines: string[]): Unit {
  return parse(TYPES + source, defines);
}

/** The function of that name, with its body. */
export function functionOf(unit: Unit, name: string): Routine {
  const found = unit.functions.find((f) => f.name === name);
  if (!found) throw new Error(`no function ${name}`);
  return found;
}

/** The tree of an expression that uses these parameters: `showValue('a + b', 'i32 a, u8 b')`. */
export function showValue(expression: string, parameters = 'void', before = ''): string {
  const { body } = functionOf(parseC(`${before}void f(${parameters}) { ${expression}; }`), 'f');
  const statement = body?.kind === 'block' ? body.body.at(-1) : undefined;
  if (statement?.kind !== 'expression') throw new Error('no expression');
  return show(statement.expression);
}

/** The tree of statements. */
export function showBody(statements: string, parameters = 'void', result = 'void'): string {
  const { body } = functionOf(parseC(`${result} f(${parameters}) { ${statements} }`), 'f');
  return body ? showStatement(body) : '';
}

export function showType(type: Type): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 'i' : 'u'}${type.bytes * 8}`;
    case 'float':
      return `f${type.bytes * 8}`;
    case 'pointer':
      return `*${showType(type.to)}`;
    case 'array':
      return `[${type.length}]${showType(type.of)}`;
    case 'record':
      return `{${type.members.map((m) => `${m.offset}:${showType(m.type)}`).join(' ')}}`;
    default:
      return type.kind;
  }
}

export function show(e: Expression): string {
  const type = showType(e.type);
  switch (e.kind) {
    case 'constant':
      return `${e.value}:${type}`;
    case 'read':
      return e.place.kind === 'variable' ? e.place.variable.name || 'old' : `(load ${type} ${show(e.place.address)})`;
    case 'address':
      return `(address ${type} ${e.place.kind === 'variable' ? e.place.variable.name : show(e.place.address)})`;
    case 'convert':
      return `(convert ${type} ${show(e.operand)})`;
    case 'unary':
      return `(${e.operator} ${type} ${show(e.operand)})`;
    case 'binary':
    case 'logical':
      return `(${e.kind === 'logical' ? `${e.operator}-also` : e.operator} ${type} ${show(e.left)} ${show(e.right)})`;
    case 'offset':
      return `(offset ${e.scale} ${show(e.base)} ${show(e.index)})`;
    case 'conditional':
      return `(choose ${type} ${show(e.test)} ${show(e.yes)} ${show(e.no)})`;
    case 'assign':
    case 'modify': {
      const place = e.place.kind === 'variable' ? e.place.variable.name : show(e.place.address);
      return `(${e.kind === 'assign' ? 'assign' : `modify-${e.result}`} ${type} ${place} ${show(e.value)})`;
    }
    case 'comma':
      return `(comma ${show(e.first)} ${show(e.second)})`;
    case 'call':
      return `(${[e.function.name, ...e.args.map(show)].join(' ')})`;
    case 'intrinsic':
      return `(${[e.name, ...e.args.map(show)].join(' ')})`;
  }
}

export function showStatement(s: Statement): string {
  switch (s.kind) {
    case 'expression':
      return `${show(s.expression)};`;
    case 'declare':
      return `${showType(s.variable.type)} ${s.variable.name}${s.init ? ` = ${show(s.init)}` : ''};`;
    case 'block':
      return `{${s.body.map(showStatement).join(' ')}}`;
    case 'if':
      return `if ${show(s.test)} ${showStatement(s.yes)}${s.no ? ` else ${showStatement(s.no)}` : ''}`;
    case 'loop': {
      const test = s.test ? ` while ${show(s.test)}` : '';
      const step = s.step ? ` step ${show(s.step)}` : '';
      const head = `${s.rolled ? 'rolled ' : ''}loop${s.testFirst ? test : ''}${step}`;
      return `${head} ${showStatement(s.body)}${s.testFirst ? '' : test}`;
    }
    case 'switch': {
      const cases = [
        ...s.cases.map((c) => `${c.value}:${c.from}`),
        ...(s.otherwise === undefined ? [] : [`else:${s.otherwise}`]),
      ];
      return `switch ${show(s.value)} (${cases.join(' ')}) {${s.body.map(showStatement).join(' ')}}`;
    }
    case 'return':
      return s.value ? `return ${show(s.value)};` : 'return;';
    default:
      return `${s.kind};`;
  }
}
