import type { Action, Local, Value } from './code.ts';
import { add, intOf, isPure, multiply, splitSum } from './fold.ts';
import { keyOf } from './keys.ts';
import { isSum, plus, sumOf, type Term, valueOfTerms } from './linear.ts';
import { temporary } from './locals.ts';
import { I32, OP } from './opcodes.ts';
import { OFFSETS } from './places.ts';

/** What addresses are multiplied with at no cost. */
const SCALES: ReadonlySet<number> = new Set([-1, 1, 2, 4, 8]);

type Loop = Extract<Action, { kind: 'loop' }>;

/**
 * Moves out of loops what is the same in all of their rounds: values, and the parts of sums, such as addresses, whose other parts change.
 * Some engines do the first, none does the second.
 */
export function moveOut(actions: readonly Action[]): Action[] {
  return actions.map(inAction);
}

function inAction(a: Action): Action {
  switch (a.kind) {
    case 'splice':
      return { ...a, actions: moveOut(a.actions) };
    case 'set':
    case 'store':
    case 'drop':
      return { ...a, value: inValue(a.value) };
    case 'block':
      return { ...a, body: moveOut(a.body) };
    case 'if':
      return { ...a, yes: moveOut(a.yes), no: moveOut(a.no) };
    case 'loop':
      return out({ ...a, body: moveOut(a.body), step: moveOut(a.step) });
    case 'switch':
      return { ...a, cases: a.cases.map((c) => ({ ...c, body: moveOut(c.body) })) };
    case 'return':
      return a.value ? { ...a, value: inValue(a.value) } : a;
    default:
      return a;
  }
}

/** Loops of functions that were inlined are in values. */
function inValue(v: Value): Value {
  switch (v.kind) {
    case 'sequence':
      return { ...v, body: moveOut(v.body), value: inValue(v.value) };
    case 'operation':
      return v.operands.some((o) => !isPure(o)) ? { ...v, operands: v.operands.map(inValue) } : v;
    default:
      return v;
  }
}

function out(loop: Loop): Loop {
  const mover = new Mover(loop);
  const body = mover.actions(loop.body, true);
  const step = mover.step(loop.step);
  const again = loop.again && mover.settled(loop.again, false);
  return { ...loop, body, step, ...(again && { again }), before: [...loop.before, ...mover.before] };
}

class Mover {
  /** What is done before the first round, and only if there is one. */
  readonly before: Action[] = [];
  /** Done at the end of each. */
  readonly after: Action[] = [];
  private readonly written = new Set<Local>();
  /** What the step alone writes, by adding this. */
  private readonly steps = new Map<Local, number>();
  /** Memory is written, perhaps. */
  private stores = false;
  private readonly made = new Map<string, Local>();
  /** Whether the value that was visited last is the same in all rounds. */
  private fixed = false;
  /** What is visited is computed in every round. */
  private always = true;

  constructor(loop: Loop) {
    this.watch(loop.body);
    // What a step adds is known of those that nothing else writes.
    const adds = loop.step.filter(isAddition);
    this.watch(loop.step.filter((a) => !isAddition(a)));
    if (loop.again) this.watchValue(loop.again);
    for (const { local, value } of adds) {
      if (!this.written.has(local) && !local.addressed) this.steps.set(local, splitSum(value).offset);
      else this.steps.delete(local);
      this.written.add(local);
    }
  }

  /** Some of it comes behind what counts, but before the pointers that move along have moved. */
  step(actions: readonly Action[]): Action[] {
    const steps = new Map(this.steps);
    this.steps.clear();
    const moved = this.actions(actions, false);
    for (const [local, by] of steps) this.steps.set(local, by);
    return [...moved, ...this.after];
  }

  private watch(actions: readonly Action[]): void {
    for (const a of actions) {
      switch (a.kind) {
        case 'declare':
          this.written.add(a.local);
          break;
        case 'splice':
          this.watch(a.actions);
          break;
        case 'set':
          this.written.add(a.local);
          this.watchValue(a.value);
          break;
        case 'store':
          this.stores = true;
          this.watchValue(a.address);
          this.watchValue(a.value);
          break;
        case 'drop':
          this.watchValue(a.value);
          break;
        case 'bulk':
          this.stores = true;
          for (const o of a.operands) this.watchValue(o);
          break;
        case 'block':
          this.watch(a.body);
          break;
        case 'if':
          this.watchValue(a.test);
          this.watch(a.yes);
          this.watch(a.no);
          break;
        case 'loop':
          if (a.first) this.watchValue(a.first);
          this.watch(a.before);
          this.watch(a.body);
          this.watch(a.step);
          if (a.again) this.watchValue(a.again);
          break;
        case 'switch':
          this.watchValue(a.value);
          for (const { body } of a.cases) this.watch(body);
          break;
        case 'return':
          if (a.value) this.watchValue(a.value);
          break;
        case 'leave':
          break;
      }
    }
  }

  private watchValue(v: Value): void {
    if (isPure(v)) return;
    switch (v.kind) {
      case 'call':
        this.stores = true;
        for (const a of v.args) this.watchValue(a);
        break;
      case 'sequence':
        this.watch(v.body);
        this.watchValue(v.value);
        break;
      case 'operation':
        for (const o of v.operands) this.watchValue(o);
        break;
      case 'extract':
        this.watchValue(v.operand);
        break;
      case 'replace':
        this.watchValue(v.operand);
        this.watchValue(v.by);
        break;
      case 'shuffle':
        this.watchValue(v.left);
        this.watchValue(v.right);
        break;
      case 'load':
        this.watchValue(v.address);
        break;
      case 'choose':
        this.watchValue(v.test);
        this.watchValue(v.yes);
        this.watchValue(v.no);
        break;
    }
  }

  /** @param always they are done in every round, as far as control goes on behind each. */
  actions(actions: readonly Action[], always: boolean): Action[] {
    const outer = this.always;
    this.always = always;
    const moved = actions.map((a) => {
      const action = this.action(a);
      if (mayLeave(a)) this.always = false;
      return action;
    });
    const goesOn = this.always;
    this.always = outer && goesOn;
    return moved;
  }

  private action(a: Action): Action {
    switch (a.kind) {
      case 'declare':
      case 'leave':
        return a;
      case 'splice':
        return { ...a, actions: this.actions(a.actions, this.always) };
      case 'set':
      case 'drop':
        return { ...a, value: this.settled(a.value) };
      case 'store': {
        const to = this.address(a.address, a.offset);
        return { ...a, ...to, value: this.settled(a.value) };
      }
      case 'bulk': {
        const [d, s, n] = a.operands;
        return { ...a, operands: [this.settled(d), this.settled(s), this.settled(n)] };
      }
      case 'block':
        return { ...a, body: this.actions(a.body, this.always) };
      case 'if': {
        const test = this.settled(a.test);
        return { ...a, test, yes: this.apart(a.yes), no: this.apart(a.no) };
      }
      case 'loop':
        return this.inner(a);
      case 'switch': {
        const value = this.settled(a.value);
        return { ...a, value, cases: a.cases.map((c) => ({ ...c, body: this.apart(c.body) })) };
      }
      case 'return':
        return a.value ? { ...a, value: this.settled(a.value) } : a;
    }
  }

  private apart(actions: readonly Action[]): Action[] {
    const outer = this.always;
    const moved = this.actions(actions, false);
    this.always = outer;
    return moved;
  }

  /** Its body may not be reached, unless it has no test before it; its test is not looked into, which is made twice. */
  private inner(a: Loop): Loop {
    const first = a.first && this.settled(a.first);
    const outer = this.always;
    const always = outer && !first;
    const before = this.actions(a.before, always);
    const body = this.actions(a.body, always);
    const step = this.actions(a.step, false);
    const again = a.again && this.settled(a.again, false);
    this.always = outer;
    return { ...a, ...(first && { first }), before, body, step, ...(again && { again }) };
  }

  /** A value with what is fixed in it taken out, itself too where it is fixed. */
  settled(v: Value, always = this.always): Value {
    const outer = this.always;
    this.always = always;
    const visited = this.visit(v);
    const result = this.fixed ? this.take(visited) : visited;
    this.always = outer;
    return result;
  }

  /** A fixed value, computed before the loop where that saves something. */
  private take(v: Value): Value {
    switch (v.kind) {
      case 'constant':
      case 'read':
      case 'frame':
      case 'data':
        return v;
      case 'vector':
        // To put one together takes engines several instructions, but for two that take one.
        if (v.bytes.every((b) => b === 0) || v.bytes.every((b) => b === 255)) return v;
        break;
    }
    const key = keyOf(v);
    let local = this.made.get(key);
    if (!local) {
      local = temporary('', v.type!, 16, true);
      this.made.set(key, local);
      this.before.push({ kind: 'declare', local }, { kind: 'set', local, value: v });
    }
    return { kind: 'read', type: v.type!, local };
  }

  /** A value with fixed parts taken out; not itself where it is fixed as a whole. */
  private visit(v: Value): Value {
    switch (v.kind) {
      case 'constant':
      case 'vector':
      case 'frame':
      case 'data':
        this.fixed = true;
        return v;
      case 'read':
        this.fixed = !this.written.has(v.local) && !v.local.addressed;
        return v;
      case 'operation':
        if (isSum(v) && isPure(v)) return this.sum(v);
        return this.operation(v);
      case 'extract':
        return this.parts(v, [v.operand], ([operand]) => ({ ...v, operand: operand! }));
      case 'replace':
        return this.parts(v, [v.operand, v.by], ([operand, by]) => ({ ...v, operand: operand!, by: by! }));
      case 'shuffle':
        return this.parts(v, [v.left, v.right], ([left, right]) => ({ ...v, left: left!, right: right! }));
      case 'load':
        return this.load(v);
      case 'choose':
        return this.choose(v);
      case 'call': {
        const args = v.args.map((a) => this.settled(a));
        this.fixed = false;
        return { ...v, args };
      }
      case 'sequence': {
        const body = this.actions(v.body, this.always);
        const value = this.settled(v.value);
        this.fixed = false;
        return { ...v, body, value };
      }
    }
  }

  private operation(v: Extract<Value, { kind: 'operation' }>): Value {
    const traps = v.opcode >= OP.i32_div_s && v.opcode <= OP.i32_rem_u && !intOf(v.operands[1]!);
    const longTraps = v.opcode >= OP.i64_div_s && v.opcode <= OP.i64_rem_u;
    return this.parts(v, v.operands, (operands) => ({ ...v, operands }), !(traps || longTraps) || this.always);
  }

  /** @param mayMove it can be computed before the loop. */
  private parts(v: Value, parts: readonly Value[], made: (parts: readonly Value[]) => Value, mayMove = true): Value {
    const visited = parts.map((part) => ({ value: this.visit(part), fixed: this.fixed }));
    if (mayMove && visited.every((p) => p.fixed)) {
      this.fixed = true;
      return v;
    }
    const moved = visited.map((p) => (p.fixed ? this.take(p.value) : p.value));
    this.fixed = false;
    return moved.every((value, i) => value === parts[i]) ? v : made(moved);
  }

  private choose(v: Extract<Value, { kind: 'choose' }>): Value {
    const outer = this.always;
    const test = this.visit(v.test);
    const testFixed = this.fixed;
    this.always = false;
    const yes = this.visit(v.yes);
    const yesFixed = this.fixed;
    const no = this.visit(v.no);
    const noFixed = this.fixed;
    this.always = outer;
    this.fixed = testFixed && yesFixed && noFixed;
    if (this.fixed) return v;
    const part = (value: Value, fixed: boolean): Value => (fixed ? this.take(value) : value);
    return { ...v, test: part(test, testFixed), yes: part(yes, yesFixed), no: part(no, noFixed) };
  }

  private load(v: Extract<Value, { kind: 'load' }>): Value {
    const to = this.address(v.address, v.offset);
    const addressFixed = this.fixed;
    this.fixed = addressFixed && this.always && !this.stores;
    if (this.fixed) return v;
    return to.address === v.address ? v : { ...v, ...to };
  }

  /** An address and what is added to it; `fixed` says whether both are, and then they are as they were. */
  private address(address: Value, offset: number): { readonly address: Value; readonly offset: number } {
    if (!isSum(address) || !isPure(address)) {
      const visited = this.visit(address);
      if (!this.fixed) return { address: visited, offset };
      const taken = this.take(visited);
      this.fixed = true;
      return { address: taken, offset };
    }
    const { fixed, moving, constant } = this.partition(address);
    if (!moving) {
      const taken = this.take(address);
      this.fixed = true;
      return { address: taken, offset };
    }
    this.fixed = false;
    const all = constant + offset;
    const stepped = this.pointer(fixed, moving);
    if (stepped) {
      if (all >= 0 && all < OFFSETS) return { address: stepped, offset: all };
      return { address: plus(stepped, all), offset: 0 };
    }
    const fits = all >= 0 && all < OFFSETS;
    const rest = fixed && (fits ? fixed : plus(fixed, all));
    const sum = rest ? valueOfTerms([{ value: this.take(rest), by: 1 }, ...moving]) : valueOfTerms(moving);
    if (rest || fits) return { address: sum!, offset: fits ? all : 0 };
    return { address: plus(sum!, all), offset: 0 };
  }

  private sum(v: Extract<Value, { kind: 'operation' }>): Value {
    const { fixed, moving, constant } = this.partition(v);
    this.fixed = !moving;
    if (!moving) return v;
    const stepped = this.pointer(fixed, moving);
    if (stepped) {
      this.fixed = false;
      return plus(stepped, constant);
    }
    if (!fixed) return plus(valueOfTerms(moving)!, constant);
    return plus(valueOfTerms([{ value: this.take(fixed), by: 1 }, ...moving])!, constant);
  }

  /** What grows by the same in each round, as a local that does, where to multiply takes an instruction of its own. */
  private pointer(fixed: Value | undefined, moving: readonly Term[]): Value | undefined {
    const [{ value, by }] = moving as [Term];
    if (moving.length > 1 || value.kind !== 'read' || SCALES.has(by)) return undefined;
    const step = this.steps.get(value.local);
    if (step === undefined) return undefined;
    const product = multiply(value, by);
    const begin = fixed ? add(fixed, product) : product;
    const key = keyOf(begin);
    let local = this.made.get(key);
    if (!local) {
      local = temporary('', I32, 4, false);
      this.made.set(key, local);
      this.before.push({ kind: 'declare', local }, { kind: 'set', local, value: begin });
      this.after.push({ kind: 'set', local, value: plus({ kind: 'read', type: I32, local }, Math.imul(step, by)) });
    }
    return { kind: 'read', type: I32, local };
  }

  /** The fixed terms of a sum as one value, and the others; `moving` is undefined where there are none. */
  private partition(v: Value) {
    const { terms, constant } = sumOf(v);
    const fixedTerms: Term[] = [];
    const moving: Term[] = [];
    for (const { value, by } of terms) {
      const visited = this.visit(value);
      (this.fixed ? fixedTerms : moving).push({ value: visited, by });
    }
    return {
      fixed: valueOfTerms(fixedTerms),
      moving: moving.length > 0 ? moving : undefined,
      constant,
    };
  }
}

/** Whether it adds a constant to a local. */
function isAddition(a: Action): a is Extract<Action, { kind: 'set' }> {
  if (a.kind !== 'set') return false;
  const { rest } = splitSum(a.value);
  return rest.kind === 'read' && rest.local === a.local;
}

/** Whether control may go elsewhere from within it. */
function mayLeave(a: Action): boolean {
  switch (a.kind) {
    case 'leave':
    case 'return':
      return true;
    case 'splice':
      return a.actions.some(mayLeave);
    case 'block':
      return a.body.some(mayLeave);
    case 'if':
      return a.yes.some(mayLeave) || a.no.some(mayLeave);
    case 'loop':
      return a.body.some(mayLeave);
    case 'switch':
      return a.cases.some((c) => c.body.some(mayLeave));
    default:
      return false;
  }
}
