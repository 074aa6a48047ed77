import { flow } from './control.ts';
import { anyType, assignable, expression, toInt, valueAs } from './expressions.ts';
import { index } from './leaves.ts';
import { array, bulk, pointer, record, store, throughPointer, union } from './memory.ts';
import type { Scope, Variable } from './scope.ts';
import { bitsOf, isFloat, promoted } from './types.ts';
import { vectorStatement } from './vectors.ts';

/** One statement or more; none where what it needs is not there. */
export function statement(s: Scope): void {
  if (s.left-- <= 0) return;
  if (!s.isDeep() && s.chance(0.38)) flow(s);
  else s.pick(KINDS)(s);
}

function declaration(s: Scope): void {
  const type = anyType(s);
  const name = s.name('v');
  const fixed = s.chance(0.2);
  s.emit(`${fixed ? 'const ' : ''}${type} ${name} = ${valueAs(s, type)};`);
  s.variables.push({ text: name, type, fixed, own: !fixed });
}

function assignment(s: Scope): void {
  const v = s.writable();
  if (v) s.emit(`${v.text} = ${valueAs(s, v.type, 4)};`);
}

function compound(s: Scope): void {
  const v = s.writable();
  if (!v) return;
  const e = expression(s, 3);
  if (isFloat(v.type)) {
    s.emit(`${v.text} ${s.pick(['+=', '-=', '*='])} ${e.text};`);
    return;
  }
  const { text } = toInt(e);
  const operator = s.pick(['+=', '-=', '*=', '&=', '|=', '^=', '<<=', '>>=', '/=', '%=']);
  if (operator === '<<=' || operator === '>>=')
    s.emit(`${v.text} ${operator} (${text}) & ${bitsOf(promoted(v.type)) - 1};`);
  else if (operator === '/=' || operator === '%=')
    s.emit(`${v.text} ${operator} ${s.pick(['3', '-5', '10u', `(i32)((${text}) & 7) + 2`])};`);
  else s.emit(`${v.text} ${operator} ${text};`);
}

/** The variable that a part of a record or an array belongs to. */
const whole = (v: Variable): string => v.text.split(/[.[]/)[0]!;

/** `++` and `--` within expressions that do not otherwise read what they write. */
function sideEffect(s: Scope): void {
  const v = s.writable();
  const to = s.writable();
  if (!v || !to || isFloat(v.type) || whole(to) === whole(v)) return;
  const value = s.without([v.text, to.text], () => assignable(to.type, expression(s, 2)));
  const change = s.pick([`${v.text}++`, `${v.text}--`, `++${v.text}`, `--${v.text}`]);
  const number = isFloat(to.type) ? '1.5f' : '77';
  s.emit(
    s.pick([
      `${to.text} = (${change}, ${value});`,
      `${to.text} = ${change};`,
      `${to.text} = ${change} > 3 ? ${value} : ${number};`,
      `if ((${value}) && ${change}) ${to.text} = ${number};`,
      ...(isFloat(to.type) ? [] : [`${to.text} = (u64)(${value}) + ${change};`]),
    ]),
  );
}

function chain(s: Scope): void {
  const [v, to] = [s.writable(), s.writable()];
  if (!v || !to || v === to || isFloat(v.type) !== isFloat(to.type)) return;
  s.emit(`${to.text} = ${v.text} = ${valueAs(s, v.type)};`);
}

/** A call that writes variables. */
function callWithOuts(s: Scope): void {
  const helper = s.helper(true);
  if (!helper) return;
  const { name, parameters, reads, outs, result } = helper;
  const taken = new Set<string>();
  for (const type of outs) {
    const names =
      type === 'v128_t' ? s.vectors : s.variables.filter((v) => v.own && v.type === type).map((v) => v.text);
    const free = names.filter((n) => !taken.has(n));
    taken.add(free.length > 0 && s.chance(0.8) ? s.pick(free) : declared(s, type));
  }
  const args = parameters.map((type) => valueAs(s, type, 2));
  if (reads) args.push(`(const ${reads} *)(mem + 8 * ${index(s, 8)})`);
  const call = `${name}(${[...args, ...[...taken].map((n) => `&${n}`)].join(', ')})`;
  const to = s.writable();
  const gives = to && !taken.has(to.text);
  s.emit(gives ? `${to.text} = ${assignable(to.type, { text: call, type: result })};` : `${call};`);
}

function declared(s: Scope, type: Variable['type'] | 'v128_t'): string {
  const name = s.name(type === 'v128_t' ? 'w' : 'v');
  if (type === 'v128_t') {
    s.emit(`v128_t ${name} = wasm_i32x4_splat(${s.below(9)});`);
    s.vectors.push(name);
  } else {
    s.emit(`${type} ${name} = ${s.below(9)};`);
    s.variables.push({ text: name, type, own: true });
  }
  return name;
}

const KINDS: readonly ((s: Scope) => void)[] = [
  ...[declaration, declaration, assignment, assignment, compound, compound],
  ...[store, sideEffect, chain, pointer, throughPointer, throughPointer, record, array, union, bulk],
  ...[callWithOuts, callWithOuts, vectorStatement, vectorStatement, vectorStatement],
];
