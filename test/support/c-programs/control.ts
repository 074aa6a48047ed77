import { expression, toInt } from './expressions.ts';
import { index } from './leaves.ts';
import type { Scope, Variable } from './scope.ts';
import { statement } from './statements.ts';
import { bitsOf, promoted, type Scalar } from './types.ts';

/** Loops in one another. */
const LOOPS = 2;

export function flow(s: Scope): void {
  s.pick([branch, branch, guard, counting, counting, counting, repeating, choice, choice, leaving])(s);
}

function some(s: Scope, most: number): void {
  for (let n = 1 + s.below(most); n > 0; n--) statement(s);
}

function branch(s: Scope): void {
  const test = expression(s, 3).text;
  if (s.chance(0.5)) {
    s.block(`if (${test}) {`, () => some(s, 3));
    return;
  }
  s.block(`if (${test}) {`, () => some(s, 3), '} else {');
  s.block('/* otherwise */', () => some(s, 3));
}

/** What is loaded only where there is something. */
function guard(s: Scope): void {
  const { optional } = s;
  const v = s.writable();
  if (!optional || !v) return;
  const { text, type } = optional;
  s.block(`if (${text}) {`, () => {
    s.sources.push(optional);
    s.emit(`${v.text} = ${text}[${s.below(8)}];`);
    s.variables.push({ text: `${text}[${s.below(8)}]`, type, fixed: true });
    some(s, 2);
    s.sources.pop();
  });
}

const COUNTERS: readonly Scalar[] = ['i32', 'u32', 'u8', 'i16', 'i64'];

function counting(s: Scope): void {
  if (s.loops >= LOOPS) return;
  const name = s.name('k');
  const type = s.pick(COUNTERS);
  const bound = s.chance(0.5) ? `${1 + s.below(20)}` : `(${type})(${index(s, 9)})`;
  const step = s.pick([`${name}++`, `++${name}`, `${name} += 2`]);
  const head = s.chance(0.25)
    ? `for (${type} ${name} = ${bound}; ${name}-- > 0;) {`
    : `for (${type} ${name} = ${s.below(2)}; ${name} < ${bound}; ${step}) {`;
  if (s.chance(0.2)) s.emit('EW_ROLLED');
  loop(s, head, { text: name, type, fixed: true });
}

function repeating(s: Scope): void {
  if (s.loops >= LOOPS) return;
  const name = s.name('k');
  const counter: Variable = { text: name, type: 'i32', fixed: true };
  s.emit(`i32 ${name} = ${index(s, 7)};`);
  if (s.chance(0.5)) loop(s, `while (${name}-- > 0) {`, counter);
  else loop(s, 'do {', counter, `} while (++${name} < ${s.below(9)});`);
}

function loop(s: Scope, head: string, counter: Variable, end = '}'): void {
  const { switches } = s;
  s.loops++;
  s.switches = 0;
  s.block(
    head,
    () => {
      s.variables.push(counter);
      some(s, 3);
    },
    end,
  );
  s.switches = switches;
  s.loops--;
}

function choice(s: Scope): void {
  const e = toInt(expression(s, 2));
  const value = bitsOf(promoted(e.type)) > 32 ? `(i32)(${e.text})` : e.text;
  const cases = [...new Set(Array.from({ length: 2 + s.below(5) }, () => s.pick([0, 1, 2, 3, 4, 5, 6, 7, -1, 100])))];
  const otherwise = s.below(cases.length + 2);
  s.block(`switch (${s.chance(0.8) ? `(${value}) & 7` : value}) {`, () => {
    for (const [i, number] of cases.entries()) {
      if (i === otherwise) s.emit('default:');
      s.emit(`case ${number}:`);
      if (s.chance(0.25)) continue;
      s.switches++;
      s.block('{', () => some(s, 2));
      s.switches--;
      if (s.chance(0.6)) s.emit('break;');
      else if (s.loops > 0 && s.chance(0.2)) s.emit('continue;');
    }
    s.emit(';');
  });
}

function leaving(s: Scope): void {
  const test = expression(s, 2).text;
  if (s.loops > 0 && s.chance(0.5))
    s.emit(`if (${test}) ${s.switches > 0 ? 'continue' : s.pick(['break', 'continue'])};`);
  else if (s.chance(0.3)) s.emit(`if (${test}) ${s.returns};`);
}
