import type { Expression, Statement, Variable } from './ast.ts';
import type { Action, Label, Value } from './code.ts';
import { TRIPS, UNROLLED } from './facts.ts';
import { intOf } from './fold.ts';
import { type Lowering, testOf } from './lower.ts';
import { effectOf } from './values.ts';

type Loop = Extract<Statement, { kind: 'loop' }>;

/** Returns whether control goes on behind it. */
export function lowerLoop(l: Lowering, s: Loop): boolean {
  if (s.testFirst && s.test && intOf(quietly(l, () => testOf(l, s.test!))) === 0) {
    // Of its test, what it does is left.
    effectOf(l, s.test);
    return true;
  }
  const trips = tripsOf(l, s);
  if (trips !== undefined) {
    for (let i = 0; i < trips; i++) {
      l.statement(s.body, false);
      if (s.step) effectOf(l, s.step);
    }
    return true;
  }
  return repeat(l, s);
}

/** What is computed without being emitted, nor learned from. */
function quietly<T>(l: Lowering, compute: () => T): T {
  let result: T | undefined;
  l.capture(() => {
    l.knowledge.apart(() => {
      result = compute();
    });
  });
  return result as T;
}

/** How often a loop runs that can be written out; undefined where it cannot. */
function tripsOf(l: Lowering, s: Loop): number | undefined {
  const facts = l.frame.facts.parts.get(s)!;
  if (s.rolled || !s.testFirst || !s.test || !s.step || facts.leaves) return undefined;
  const counter = counterOf(s.test);
  if (!counter || !l.localsOf([counter])[0]?.known) return undefined;
  const most = Math.min(TRIPS, Math.max(1, Math.floor(UNROLLED / facts.size)));
  return quietly(l, () => {
    // What the body writes is not known in a test or a step.
    l.knowledge.forget(l.localsOf(l.frame.facts.bodies.get(s.body)!));
    for (let trips = 0; ; trips++) {
      const test = intOf(testOf(l, s.test!));
      if (test === undefined || trips > most) return undefined;
      if (test === 0) return trips;
      effectOf(l, s.step!);
    }
  });
}

/** The variable that a test compares. */
function counterOf(test: Expression): Variable | undefined {
  if (test.kind !== 'binary') return undefined;
  for (let e: Expression = test.left; ; ) {
    if (e.kind === 'convert') e = e.operand;
    else if (e.kind === 'binary') e = e.left;
    else return e.kind === 'read' && e.place.kind === 'variable' ? e.place.variable : undefined;
  }
}

function repeat(l: Lowering, s: Loop): boolean {
  const { frame } = l;
  const exit: Label = { depth: 0, used: false };
  const next: Label = { depth: 0, used: false };
  const test = s.test;
  let first: Value | undefined;
  if (s.testFirst && test) {
    const value = testOf(l, test);
    if (intOf(value) === undefined) first = value;
  }
  const written = l.localsOf(frame.facts.parts.get(s)!.assigned);
  l.knowledge.forget(written);
  const outer = { exit: frame.exit, next: frame.next };
  frame.exit = exit;
  frame.next = next;
  let again: Value | undefined;
  let step: Action[] = [];
  l.loops++;
  const body = l.capture(() => {
    l.statement(s.body, false);
  });
  l.knowledge.forget(written);
  frame.exit = outer.exit;
  frame.next = outer.next;
  step = l.capture(() => {
    if (s.step) effectOf(l, s.step);
  });
  l.knowledge.forget(written);
  if (test) again = testOf(l, test);
  l.loops--;
  l.knowledge.forget(written);
  l.emit({ kind: 'loop', exit, next, ...(first && { first }), before: [], body, step, ...(again && { again }) });
  return test !== undefined || exit.used;
}
