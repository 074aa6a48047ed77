import type { Rng } from '../../../sdk/util/rng.ts';
import { oneOf } from '../fuzz/mutate.ts';
import type { Scalar } from './types.ts';

/** An expression. */
export interface Term {
  readonly text: string;
  readonly type: Scalar;
}

export interface Variable extends Term {
  /** Nothing may write it. */
  readonly fixed?: boolean;
  /** A local of its own, whose address may be passed. */
  readonly own?: boolean;
}

/** A function that others call. */
export interface Helper {
  readonly name: string;
  readonly parameters: readonly Scalar[];
  /** It reads eight numbers of this type by way of its last parameter. */
  readonly reads: Scalar | undefined;
  /** Types of what it returns through pointers. */
  readonly outs: readonly (Scalar | 'v128_t')[];
  readonly result: Scalar;
  /** Calls in one another, of this one. */
  readonly calls: number;
}

/** Statements that a function has at most; a helper has half of them. */
const STATEMENTS = 120;
/** Blocks in one another. */
const DEPTH = 4;
/** Calls in one another: more of them take too long, and too many instructions where they are inlined. */
const CALLS = 2;

/** What is written of a program, and what may be named where the next statement goes. */
export class Scope {
  readonly rng: Rng;
  readonly lines: string[] = [];
  private readonly helpers: Helper[] = [];
  variables: Variable[] = [];
  /** Into what is written. */
  pointers: Term[] = [];
  /** To 32 bytes and more that are only read. */
  sources: Term[] = [];
  /** One that is 0 at times. */
  optional: Term | undefined;
  vectors: string[] = [];
  returns = 'return';
  /** Loops around. */
  loops = 0;
  /** Switches around, within the innermost loop. */
  switches = 0;
  /** Expressions around. */
  nesting = 0;
  left = STATEMENTS;
  /** Of the present function, if it is a helper. */
  private calls: number | undefined;
  private readonly hidden = new Set<string>();
  private depth = 0;
  private names = 0;

  constructor(rng: Rng) {
    this.rng = rng;
  }

  below(n: number): number {
    return this.rng.below(n);
  }

  chance(p: number): boolean {
    return this.rng.uniform() < p;
  }

  pick<T>(list: readonly T[]): T {
    return oneOf(list, this.rng);
  }

  name(letter: string): string {
    return `${letter}${this.names++}`;
  }

  emit(text: string): void {
    this.lines.push('  '.repeat(this.depth) + text);
  }

  /** No more blocks may be opened. */
  isDeep(): boolean {
    return this.depth > DEPTH;
  }

  /** A function begins of which this may be named. */
  begin(variables: readonly Variable[], sources: readonly Term[], returns: string, isHelper: boolean): void {
    this.variables = [...variables];
    this.sources = [...sources];
    this.pointers = [];
    this.optional = undefined;
    this.vectors = [];
    this.returns = returns;
    this.left = isHelper ? STATEMENTS / 2 : STATEMENTS;
    this.calls = isHelper ? 1 : undefined;
  }

  /** One that may be called here, if there is one. */
  helper(hasOuts: boolean): Helper | undefined {
    const isHelper = this.calls !== undefined;
    if (isHelper && this.loops > 0) return undefined;
    const list = this.helpers.filter((h) => h.outs.length > 0 === hasOuts && !(isHelper && h.calls === CALLS));
    if (list.length === 0) return undefined;
    const helper = this.pick(list);
    if (isHelper) this.calls = Math.max(this.calls!, helper.calls + 1);
    return helper;
  }

  /** The present function is one. */
  addHelper(helper: Omit<Helper, 'calls'>): void {
    this.helpers.push({ ...helper, calls: this.calls! });
  }

  /** `head`, what `inside` writes, and `end`; names that it declares end with it. */
  block(head: string, inside: () => void, end = '}'): void {
    const [variables, pointers, vectors] = [this.variables.length, this.pointers.length, this.vectors.length];
    this.emit(head);
    this.depth++;
    inside();
    this.depth--;
    this.emit(end);
    this.variables.length = variables;
    this.pointers.length = pointers;
    this.vectors.length = vectors;
  }

  readable(): readonly Variable[] {
    return this.variables.filter((v) => !this.hidden.has(v.text));
  }

  readablePointers(): readonly Term[] {
    return this.pointers.filter((p) => !this.hidden.has(p.text));
  }

  writable(): Variable | undefined {
    const list = this.variables.filter((v) => !v.fixed);
    return list.length > 0 ? this.pick(list) : undefined;
  }

  /** What `make` returns, without these names in it. */
  without<T>(names: readonly string[], make: () => T): T {
    const added = names.filter((n) => !this.hidden.has(n));
    for (const n of added) this.hidden.add(n);
    const made = make();
    for (const n of added) this.hidden.delete(n);
    return made;
  }
}
