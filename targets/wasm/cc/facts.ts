import type { Expression, Place, Function as Routine, Statement, Variable } from './ast.ts';

/** What a part of a function does, found before it is lowered. */
export interface Facts {
  /** Expressions and statements in it. */
  size: number;
  /** Variables that are written other than by their declaration and through pointers. */
  readonly assigned: Set<Variable>;
}

export interface FunctionFacts extends Facts {
  /** Of loops and switches in it. */
  readonly parts: Map<Statement, Part>;
  /** What bodies of loops assign. */
  readonly bodies: Map<Statement, Set<Variable>>;
  readonly calls: Routine[];
  /** Statements that return, of which the last one is at the end of the body. */
  returns: number;
}

export interface Part extends Facts {
  /** `break` or `continue` is in it. */
  leaves: boolean;
}

const KNOWN = new WeakMap<Routine, FunctionFacts>();

/** Of a function with a body. */
export function factsOf(f: Routine): FunctionFacts {
  let facts = KNOWN.get(f);
  if (!facts) {
    facts = { size: 0, assigned: new Set(), parts: new Map(), bodies: new Map(), calls: [], returns: 0 };
    new Search(facts).statement(f.body!);
    KNOWN.set(f, facts);
  }
  return facts;
}

/** Loops of no more parts than this in all, as often as they run, are written out (loops.ts). */
export const UNROLLED = 600;
export const TRIPS = 16;

/** How often a loop runs if it begins at 0, where its end and its step are constants. */
function likelyTrips({ test, step }: Extract<Statement, { kind: 'loop' }>): number {
  if (test?.kind !== 'binary' || test.right.kind !== 'constant') return 1;
  const last = step?.kind === 'comma' ? step.first : step;
  if (last?.kind !== 'modify' || last.value.kind !== 'binary' || last.value.right.kind !== 'constant') return 1;
  const trips = Math.ceil(Number(test.right.value) / Number(last.value.right.value));
  return trips >= 1 && trips <= TRIPS ? trips : 1;
}

class Search {
  private readonly all: FunctionFacts;
  /** Loops and switches around, the innermost last. */
  private readonly around: { facts: Part; loop: boolean }[] = [];
  /** What is assigned in what is around. */
  private readonly sets: Set<Variable>[] = [];

  constructor(all: FunctionFacts) {
    this.all = all;
  }

  statement(s: Statement): void {
    this.all.size++;
    switch (s.kind) {
      case 'expression':
        this.expression(s.expression);
        return;
      case 'declare':
        this.optional(s.init);
        return;
      case 'block':
        for (const inner of s.body) this.statement(inner);
        return;
      case 'if':
        this.expression(s.test);
        this.statement(s.yes);
        if (s.no) this.statement(s.no);
        return;
      case 'loop':
        this.part(s, true, () => {
          this.optional(s.test);
          const assigned = new Set<Variable>();
          this.all.bodies.set(s.body, assigned);
          this.sets.push(assigned);
          this.statement(s.body);
          this.sets.pop();
          this.optional(s.step);
        });
        return;
      case 'switch':
        this.expression(s.value);
        this.part(s, false, () => {
          for (const inner of s.body) this.statement(inner);
        });
        return;
      case 'break':
        this.around.at(-1)!.facts.leaves = true;
        return;
      case 'continue':
        this.around.findLast((a) => a.loop)!.facts.leaves = true;
        return;
      case 'return':
        this.all.returns++;
        this.optional(s.value);
        return;
    }
  }

  private part(s: Statement, loop: boolean, inside: () => void): void {
    const facts: Part = { size: this.all.size, assigned: new Set(), leaves: false };
    this.around.push({ facts, loop });
    this.sets.push(facts.assigned);
    inside();
    this.sets.pop();
    this.around.pop();
    const size = this.all.size - facts.size;
    facts.size = size;
    const trips = s.kind === 'loop' ? likelyTrips(s) : 1;
    if (trips * size <= UNROLLED) this.all.size += (trips - 1) * size;
    this.all.parts.set(s, facts);
  }

  private write(variable: Variable): void {
    this.all.assigned.add(variable);
    for (const set of this.sets) set.add(variable);
  }

  private optional(e: Expression | undefined): void {
    if (e) this.expression(e);
  }

  private place(p: Place): void {
    if (p.kind === 'memory') this.expression(p.address);
  }

  private expression(e: Expression): void {
    this.all.size++;
    switch (e.kind) {
      case 'constant':
        return;
      case 'read':
      case 'address':
        this.place(e.place);
        return;
      case 'convert':
      case 'unary':
        this.expression(e.operand);
        return;
      case 'binary':
      case 'logical':
        this.expression(e.left);
        this.expression(e.right);
        return;
      case 'offset':
        this.expression(e.base);
        this.expression(e.index);
        return;
      case 'conditional':
        this.expression(e.test);
        this.expression(e.yes);
        this.expression(e.no);
        return;
      case 'assign':
      case 'modify':
        if (e.place.kind === 'variable') this.write(e.place.variable);
        this.place(e.place);
        this.expression(e.value);
        return;
      case 'comma':
        this.expression(e.first);
        this.expression(e.second);
        return;
      case 'call':
        this.all.calls.push(e.function);
        if (e.function.inline === 'always' && e.function.body) this.all.size += factsOf(e.function).size;
        for (const a of e.args) this.expression(a);
        return;
      case 'intrinsic':
        for (const a of e.args) this.expression(a);
        return;
    }
  }
}
