import type { Expression, Function as Routine } from './ast.ts';
import type { Action, Label, Value } from './code.ts';
import { factsOf } from './facts.ts';
import { valueTypeOf } from './layout.ts';
import { ZERO } from './locals.ts';
import { type Lowering, newFrame } from './lower.ts';
import { evaluate, resultLocal, sequence } from './values.ts';

type Call = Extract<Expression, { kind: 'call' }>;

/**
 * A call, or the body of what is called in its place.
 * @param emits the actions of the body are emitted and have no value: of a function without one.
 */
export function inlineCall(l: Lowering, e: Call, emits = false): Value {
  const args = e.args.map((a) => evaluate(l, a));
  if (!l.inlines(e.function, args)) return { kind: 'call', type: valueTypeOf(e.type), function: e.function, args };
  let value: Value = ZERO;
  const body = l.capture(() => {
    value = inlined(l, e.function, args);
  });
  if (!emits) return sequence(body, value);
  if (body.length > 0) l.emit({ kind: 'block', body });
  return ZERO;
}

function inlined(l: Lowering, f: Routine, args: readonly Value[]): Value {
  const outer = l.frame;
  const statements = f.body!.kind === 'block' ? f.body!.body : [f.body!];
  const { returns } = factsOf(f);
  const end = statements.at(-1);
  const isPlain = end?.kind === 'return' && returns === 1;
  const result = isPlain || returns === 0 ? undefined : resultLocal(f.result);
  const label: Label = { depth: 0, used: false };
  if (result) l.emit({ kind: 'declare', local: result });
  l.frame = newFrame(f, { result, end: label });
  f.parameters.forEach((p, i) => {
    l.bind(p, args[i]!);
  });
  if (f.parameters.some((p) => p.untouched)) l.settle();
  let value: Value = ZERO;
  if (isPlain) {
    l.statements(statements.slice(0, -1), false);
    if (end.value) value = evaluate(l, end.value);
  } else {
    const body: Action[] = l.capture(() => {
      l.statements(statements, true);
    });
    l.emit({ kind: 'block', label, body });
    if (result) value = { kind: 'read', type: result.type!, local: result };
  }
  l.frame = outer;
  return value;
}
