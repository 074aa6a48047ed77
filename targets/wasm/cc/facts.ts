import type { Expression, Function, Place, Statement, Variable } from './ast.ts';

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
  readonly calls: Function[];
  /** Statements that return, of which the last one is at the end of the body. */
  returns: number;
}

export interface Part extends Facts {
  /** `break` or `continue` is in it. */
  leaves: boolean;
}

const KNOWN = new WeakMap<Function, FunctionFacts>();

/** Of a function with a body. */
export function factsOf(f: Function): FunctionFacts {
  let facts = KNOWN.get(f);
  if (!facts) {
    facts = { size: 0, assigned: new Set(), parts: new Map(), bodies: new Map(), calls: [], returns: 0 };
    new Search(facts).statement(f.body!);
    KNOWN.set(f, facts);
  }
  return facts;
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
        return this.expression(s.expression);
      case 'declare':
        return this.optional(s.init);
      case 'block':
        for (const inner of s.body) this.statement(inner);
        return;
      case 'if':
        this.expression(s.test);
        this.statement(s.yes);
        if (s.no) this.statement(s.no);
        return;
      case 'loop':
        return this.part(s, true, () => {
          this.optional(s.test);
          const assigned = new Set<Variable>();
          this.all.bodies.set(s.body, assigned);
          this.sets.push(assigned);
          this.statement(s.body);
          this.sets.pop();
          this.optional(s.step);
        });
      case 'switch':
        this.expression(s.value);
        return this.part(s, false, () => {
          for (const inner of s.body) this.statement(inner);
        });
      case 'break':
        this.around.at(-1)!.facts.leaves = true;
        return;
      case 'continue':
        this.around.findLast((a) => a.loop)!.facts.leaves = true;
        return;
      case 'return':
        this.all.returns++;
        return this.optional(s.value);
    }
  }

  private part(s: Statement, loop: boolean, inside: () => void): void {
    const facts: Part = { size: this.all.size, assigned: new Set(), leaves: false };
    this.around.push({ facts, loop });
    this.sets.push(facts.assigned);
    inside();
    this.sets.pop();
    this.around.pop();
    facts.size = this.all.size - facts.size;
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
        return this.place(e.place);
      case 'convert':
      case 'unary':
        return this.expression(e.operand);
      case 'binary':
      case 'logical':
        this.expression(e.left);
        return this.expression(e.right);
      case 'offset':
        this.expression(e.base);
        return this.expression(e.index);
      case 'conditional':
        this.expression(e.test);
        this.expression(e.yes);
        return this.expression(e.no);
      case 'assign':
      case 'modify':
        if (e.place.kind === 'variable') this.write(e.place.variable);
        this.place(e.place);
        return this.expression(e.value);
      case 'comma':
        this.expression(e.first);
        return this.expression(e.second);
      case 'call':
        this.all.calls.push(e.function);
        for (const a of e.args) this.expression(a);
        return;
      case 'intrinsic':
        for (const a of e.args) this.expression(a);
        return;
    }
  }
}
