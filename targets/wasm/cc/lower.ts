import type { Expression, Function as Routine, Statement, Variable } from './ast.ts';
import type { Action, Code, Home, Label, Local, Value } from './code.ts';
import { type FunctionFacts, factsOf } from './facts.ts';
import { add, int, intOf, isPure, not, splitSum } from './fold.ts';
import { ValueMap } from './keys.ts';
import { valueTypeOf } from './layout.ts';
import { isStable, Knowledge, localOf, readOf, temporary } from './locals.ts';
import { lowerLoop } from './loops.ts';
import { I32 } from './opcodes.ts';
import { splitAddress } from './places.ts';
import { effectOf, evaluate } from './values.ts';

/** What a variable of C is: a local, or a value that stands for it. */
export type Binding = { readonly local: Local } | { readonly value: Value };

/** A function whose body is being lowered: the one that is compiled, or one that is inlined in it. */
export interface Frame {
  readonly facts: FunctionFacts;
  readonly bindings: Map<Variable, Binding>;
  /** Where the value that is returned goes, and where to; absent in the function that is compiled. */
  readonly inlined: { readonly result: Local | undefined; readonly end: Label } | undefined;
  /** What `break` and `continue` mean. */
  exit: Label | undefined;
  next: Label | undefined;
}

/** Statements and expressions of C to actions and values, with calls inlined and what is known in advance worked out. */
export class Lowering {
  readonly knowledge = new Knowledge();
  frame: Frame;
  /** Loops around what is being lowered. */
  loops = 0;
  /** Whether a call is to be inlined. */
  readonly inlines: (f: Routine, args: readonly Value[]) => boolean;
  private out: Action[] = [];
  private depth = 0;

  constructor(f: Routine, inlines: (f: Routine, args: readonly Value[]) => boolean) {
    this.inlines = inlines;
    this.frame = newFrame(f, undefined);
  }

  emit(action: Action): void {
    this.out.push(action);
  }

  /** The actions that `inside` emits. */
  capture(inside: () => void): Action[] {
    const outer = this.out;
    const body: Action[] = [];
    this.out = body;
    this.depth++;
    this.knowledge.within(this.depth - 1, inside);
    this.depth--;
    this.out = outer;
    return body;
  }

  /** A local of its own for `variable`, from here to the end of the block. */
  declare(variable: Variable): Local {
    const local = localOf(variable, !this.frame.facts.assigned.has(variable));
    local.depth = this.depth;
    this.frame.bindings.set(variable, { local });
    this.emit({ kind: 'declare', local });
    return local;
  }

  /** Here goes what parameters of the present function keep. */
  settle(): void {
    const home: Home = { actions: [], loops: this.loops, made: new ValueMap() };
    for (const binding of this.frame.bindings.values()) {
      if ('local' in binding && binding.local.untouched) binding.local.home = home;
    }
    this.emit({ kind: 'splice', actions: home.actions });
  }

  /** Writes a local that has a value. */
  set(local: Local, value: Value): void {
    const sum = local.tracked && !local.stable && value.type === I32 ? this.based(local, value) : value;
    this.emit({ kind: 'set', local, value: sum });
    this.knowledge.learn(local, sum);
  }

  /** A sum of what does not change and a constant, so that what is added to it later is part of that. */
  private based(local: Local, value: Value): Value {
    const { rest, offset } = splitSum(value);
    const isStep = rest.kind === 'read' && rest.local === local;
    return isStable(rest) || isStep ? value : add(readOf(this.hold(rest)), int(offset));
  }

  /** A local that holds `value` from here on. */
  hold(value: Value): Local {
    const local = temporary('', value.type!, 16, true);
    local.depth = this.depth;
    this.emit({ kind: 'declare', local });
    this.set(local, value);
    return local;
  }

  /** Locals of variables of C, where they have one. */
  localsOf(variables: Iterable<Variable>): Local[] {
    const locals: Local[] = [];
    for (const v of variables) {
      const binding = this.frame.bindings.get(v);
      if (binding && 'local' in binding) locals.push(binding.local);
    }
    return locals;
  }

  /** A variable whose first value is this: that value stands for it where nothing else is ever written and it can be had anywhere. */
  bind(variable: Variable, value: Value): void {
    const stands = isStable(value) || value.kind === 'vector';
    if (stands && this.isConstant(variable)) {
      this.frame.bindings.set(variable, { value });
      return;
    }
    const { address, offset } = splitAddress(value);
    if (offset > 0 && variable.type.kind === 'pointer' && !variable.untouched && this.isConstant(variable)) {
      // Loads and stores take what is added.
      const rest = isStable(address) ? address : readOf(this.hold(address));
      this.frame.bindings.set(variable, { value: add(rest, int(offset)) });
      return;
    }
    this.set(this.declare(variable), value);
  }

  /** Whether nothing but its declaration writes it. */
  private isConstant(variable: Variable): boolean {
    return !variable.addressed && !this.frame.facts.assigned.has(variable);
  }

  /**
   * Returns whether control goes on behind it.
   * @param last nothing of the function's body comes after it.
   */
  statement(s: Statement, last: boolean): boolean {
    switch (s.kind) {
      case 'expression':
        effectOf(this, s.expression);
        return true;
      case 'declare':
        if (s.init) this.bind(s.variable, evaluate(this, s.init));
        else this.declare(s.variable);
        return true;
      case 'block': {
        let goesOn = true;
        const body = this.capture(() => {
          goesOn = this.statements(s.body, last);
        });
        if (body.length > 0) this.emit({ kind: 'block', body });
        return goesOn;
      }
      case 'if':
        return this.branch(s, last);
      case 'loop':
        return lowerLoop(this, s);
      case 'switch':
        return this.choice(s);
      case 'break':
        this.leave(this.frame.exit!);
        return false;
      case 'continue':
        this.leave(this.frame.next!);
        return false;
      case 'return':
        this.return(s.value, last);
        return false;
    }
  }

  statements(body: readonly Statement[], last: boolean): boolean {
    for (let i = 0; i < body.length; i++) {
      if (!this.statement(body[i]!, last && i === body.length - 1)) return false;
    }
    return true;
  }

  leave(label: Label): void {
    label.used = true;
    this.emit({ kind: 'leave', label });
  }

  private branch(s: Extract<Statement, { kind: 'if' }>, last: boolean): boolean {
    const test = testOf(this, s.test);
    const known = intOf(test);
    if (known !== undefined) {
      const taken = known !== 0 ? s.yes : s.no;
      return taken ? this.statement(taken, last) : true;
    }
    const yes = this.way(s.yes, last);
    const no = this.way(s.no, last);
    if (yes.body.length === 0 && no.body.length === 0) {
      if (!isPure(test)) this.emit({ kind: 'drop', value: test });
    } else if (yes.body.length === 0) {
      this.emit({ kind: 'if', test: not(test), yes: no.body, no: [] });
    } else {
      this.emit({ kind: 'if', test, yes: yes.body, no: no.body });
    }
    if (yes.goesOn) this.knowledge.forget(yes.written);
    if (no.goesOn) this.knowledge.forget(no.written);
    return yes.goesOn || no.goesOn;
  }

  private way(s: Statement | undefined, last: boolean) {
    let goesOn = true;
    let body: Action[] = [];
    const written = this.knowledge.apart(() => {
      if (s) {
        body = this.capture(() => {
          goesOn = this.statement(s, last);
        });
      }
    });
    return { goesOn, body, written };
  }

  private choice(s: Extract<Statement, { kind: 'switch' }>): boolean {
    const value = evaluate(this, s.value);
    const { frame } = this;
    const outer = frame.exit;
    const exit: Label = { depth: 0, used: false };
    frame.exit = exit;
    const written = this.localsOf(frame.facts.parts.get(s)!.assigned);
    this.knowledge.forget(written);
    const starts = [...new Set([...s.cases.map((c) => c.from), ...(s.otherwise === undefined ? [] : [s.otherwise])])];
    starts.sort((a, b) => a - b);
    const cases = starts.map((from, i) => {
      const body = this.capture(() => {
        this.statements(s.body.slice(from, starts[i + 1]), false);
      });
      this.knowledge.forget(written);
      return { values: s.cases.filter((c) => c.from === from).map((c) => c.value), body };
    });
    frame.exit = outer;
    const otherwise = s.otherwise === undefined ? undefined : starts.indexOf(s.otherwise);
    this.emit({ kind: 'switch', exit, value, cases, otherwise });
    return true;
  }

  private return(e: Expression | undefined, last: boolean): void {
    const { inlined } = this.frame;
    if (!inlined) {
      this.emit(e ? { kind: 'return', value: evaluate(this, e) } : { kind: 'return' });
      return;
    }
    if (e && inlined.result) this.set(inlined.result, evaluate(this, e));
    else if (e) effectOf(this, e);
    if (!last) this.leave(inlined.end);
  }
}

export function newFrame(f: Routine, inlined: Frame['inlined']): Frame {
  return { facts: factsOf(f), bindings: new Map(), inlined, exit: undefined, next: undefined };
}

/** Whether an expression of any type is not 0: an i32. */
export function testOf(l: Lowering, e: Expression): Value {
  if (e.kind === 'unary' && e.operator === 'not') return not(testOf(l, e.operand));
  return evaluate(l, e.type.kind === 'float' || (e.type.kind === 'int' && e.type.bytes === 8) ? notNot(e) : e);
}

function notNot(e: Expression): Expression {
  const type = { kind: 'int', bytes: 4, signed: true } as const;
  const not = (operand: Expression): Expression => ({ kind: 'unary', operator: 'not', type, operand });
  return not(not(e));
}

/** A function of C with all that it inlines. */
export function lower(f: Routine, inlines: (f: Routine, args: readonly Value[]) => boolean): Code {
  const l = new Lowering(f, inlines);
  const parameters: Local[] = [];
  for (const v of f.parameters) {
    const local = localOf(v, !l.frame.facts.assigned.has(v));
    l.frame.bindings.set(v, { local });
    parameters.push(local);
  }
  const body = l.capture(() => {
    l.settle();
    l.statement(f.body!, true);
  });
  return { function: f, parameters, result: valueTypeOf(f.result), body };
}
