import type { Action, Local, Value } from './code.ts';
import { add, intOf, isPure, multiply, splitSum } from './fold.ts';
import { ValueMap } from './keys.ts';
import { isSum, plus, sumOf, type Term, valueOfTerms } from './linear.ts';
import { temporary } from './locals.ts';
import { I32, OP } from './opcodes.ts';
import { OFFSETS } from './places.ts';
import { mapAll, mapParts } from './walk.ts';

/** What addresses are multiplied with at no cost. */
const SCALES: ReadonlySet<number> = new Set([-1, 1, 2, 4, 8]);

type Loop = Extract<Action, { kind: 'loop' }>;

/**
 * Moves out of loops what is the same in all of their rounds: values, and the parts of sums, such as addresses, whose other parts change.
 * Some engines do the first, none does the second.
 */
export function moveOut(actions: readonly Action[]): readonly Action[] {
  return new Finder().actions(actions);
}

/** Finds loops, inner ones first, and what is written in them. What has no loop in it stays the same object. */
class Finder {
  readonly written = new Set<Local>();
  /** Memory is written, perhaps. */
  stores = false;

  actions(list: readonly Action[]): readonly Action[] {
    return mapAll(list, this.inAction);
  }

  private action(a: Action): Action {
    switch (a.kind) {
      case 'declare':
        this.written.add(a.local);
        return a;
      case 'splice': {
        const actions = this.actions(a.actions);
        return actions === a.actions ? a : { ...a, actions };
      }
      case 'set':
        this.written.add(a.local);
        return this.user(a);
      case 'drop':
        return this.user(a);
      case 'store': {
        this.stores = true;
        const address = this.value(a.address);
        const value = this.value(a.value);
        return address === a.address && value === a.value ? a : { ...a, address, value };
      }
      case 'bulk': {
        this.stores = true;
        const operands = this.values(a.operands) as typeof a.operands;
        return operands === a.operands ? a : { ...a, operands };
      }
      case 'block': {
        const body = this.actions(a.body);
        return body === a.body ? a : { ...a, body };
      }
      case 'if': {
        const test = this.value(a.test);
        const yes = this.actions(a.yes);
        const no = this.actions(a.no);
        return test === a.test && yes === a.yes && no === a.no ? a : { ...a, test, yes, no };
      }
      case 'loop':
        return this.loop(a);
      case 'switch': {
        const value = this.value(a.value);
        return { ...a, value, cases: a.cases.map((c) => ({ ...c, body: this.actions(c.body) })) };
      }
      case 'leave':
        return a;
      case 'return':
        return a.value ? this.user(a as typeof a & { readonly value: Value }) : a;
    }
  }

  private user<T extends Action & { readonly value: Value }>(a: T): T {
    const value = this.value(a.value);
    return value === a.value ? a : { ...a, value };
  }

  private values(list: readonly Value[]): readonly Value[] {
    return mapAll(list, this.inValue);
  }

  /** Loops of functions that were inlined are in values. */
  private value(v: Value): Value {
    switch (v.kind) {
      case 'constant':
      case 'vector':
      case 'read':
      case 'frame':
      case 'data':
        return v;
      case 'operation': {
        const operands = this.values(v.operands);
        return operands === v.operands ? v : { ...v, operands };
      }
      case 'call': {
        this.stores = true;
        const args = this.values(v.args);
        return args === v.args ? v : { ...v, args };
      }
      case 'sequence': {
        const body = this.actions(v.body);
        const value = this.value(v.value);
        return body === v.body && value === v.value ? v : { ...v, body, value };
      }
      default:
        return mapParts(v, this.inValue);
    }
  }

  private readonly inAction = (a: Action): Action => this.action(a);
  private readonly inValue = (v: Value): Value => this.value(v);

  private loop(a: Loop): Loop {
    const first = a.first && this.value(a.first);
    const inside = new Finder();
    const body = inside.actions(a.body);
    // What a step adds is known of those that nothing else writes.
    const step = mapAll(a.step, (s) => (isAddition(s) ? s : inside.action(s)));
    const again = a.again && inside.value(a.again);
    const steps = inside.steps(step);
    const mover = new Mover(inside, steps);
    const moved = mover.loop({ ...a, ...(first && { first }), body, step, ...(again && { again }) });
    for (const local of inside.written) this.written.add(local);
    for (const made of mover.before) if (made.kind === 'declare') this.written.add(made.local);
    if (inside.stores) this.stores = true;
    return moved;
  }

  /** What a step adds to locals that nothing else writes. */
  private steps(step: readonly Action[]): Map<Local, number> {
    const steps = new Map<Local, number>();
    for (const a of step) {
      if (!isAddition(a)) continue;
      const { local, value } = a;
      if (!this.written.has(local) && !local.addressed) steps.set(local, splitSum(value).offset);
      else steps.delete(local);
      this.written.add(local);
    }
    return steps;
  }
}

class Mover {
  /** What is done before the first round, and only if there is one. */
  readonly before: Action[] = [];
  /** Done at the end of each. */
  readonly after: Action[] = [];
  private readonly written: ReadonlySet<Local>;
  /** What the step alone writes, by adding this. */
  private steps: ReadonlyMap<Local, number>;
  /** Memory is written, perhaps. */
  private readonly stores: boolean;
  private readonly made = new ValueMap<Local>();
  /** Whether the value that was visited last is the same in all rounds. */
  private fixed = false;
  /** What is visited is computed in every round. */
  private always = true;

  constructor({ written, stores }: Finder, steps: ReadonlyMap<Local, number>) {
    this.written = written;
    this.stores = stores;
    this.steps = steps;
  }

  loop(a: Loop): Loop {
    const body = this.actions(a.body, true);
    const step = this.step(a.step);
    const again = a.again && this.settled(a.again, false);
    return { ...a, body, step, ...(again && { again }), before: [...a.before, ...this.before] };
  }

  /** Some of it comes behind what counts, but before the pointers that move along have moved. */
  private step(actions: readonly Action[]): readonly Action[] {
    const { steps } = this;
    this.steps = new Map();
    const moved = this.actions(actions, false);
    this.steps = steps;
    return [...moved, ...this.after];
  }

  /** @param always they are done in every round, as far as control goes on behind each. */
  private actions(list: readonly Action[], always: boolean): readonly Action[] {
    const outer = this.always;
    this.always = always;
    let changed: Action[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const a = list[i]!;
      const moved = this.action(a);
      if (this.always && mayLeave(a)) this.always = false;
      if (moved === a) continue;
      changed ??= [...list];
      changed[i] = moved;
    }
    this.always = outer && this.always;
    return changed ?? list;
  }

  private action(a: Action): Action {
    switch (a.kind) {
      case 'declare':
      case 'leave':
        return a;
      case 'splice': {
        const actions = this.actions(a.actions, this.always);
        return actions === a.actions ? a : { ...a, actions };
      }
      case 'set':
      case 'drop': {
        const value = this.settled(a.value);
        return value === a.value ? a : { ...a, value };
      }
      case 'store': {
        const { address, offset } = this.address(a.address, a.offset);
        const value = this.settled(a.value);
        return address === a.address && value === a.value ? a : { ...a, address, offset, value };
      }
      case 'bulk': {
        const [d, s, n] = a.operands;
        return { ...a, operands: [this.settled(d), this.settled(s), this.settled(n)] };
      }
      case 'block': {
        const body = this.actions(a.body, this.always);
        return body === a.body ? a : { ...a, body };
      }
      case 'if': {
        const test = this.settled(a.test);
        const yes = this.apart(a.yes);
        const no = this.apart(a.no);
        return test === a.test && yes === a.yes && no === a.no ? a : { ...a, test, yes, no };
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

  private apart(actions: readonly Action[]): readonly Action[] {
    const outer = this.always;
    const moved = this.actions(actions, false);
    this.always = outer;
    return moved;
  }

  /** What is the same in all rounds of this loop is so in the inner one's too: it is before that by now, and that may not be reached. */
  private inner(a: Loop): Loop {
    const first = a.first && this.settled(a.first);
    const outer = this.always;
    const before = this.actions(a.before, outer && !first);
    this.always = outer;
    return first === a.first && before === a.before ? a : { ...a, ...(first && { first }), before };
  }

  /** A value with what is fixed in it taken out, itself too where it is fixed. */
  private settled(v: Value, always = this.always): Value {
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
    let local = this.made.get(v);
    if (!local) {
      local = temporary('', v.type!, 16, true);
      this.made.set(v, local);
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
        return this.extract(v);
      case 'replace':
        return this.pair(v, v.operand, v.by, (operand, by) => ({ ...v, operand, by }));
      case 'shuffle':
        return this.pair(v, v.left, v.right, (left, right) => ({ ...v, left, right }));
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
    const { opcode, operands } = v;
    const traps = opcode >= OP.i32_div_s && opcode <= OP.i32_rem_u && !intOf(operands[1]!);
    const longTraps = opcode >= OP.i64_div_s && opcode <= OP.i64_rem_u;
    const mayMove = !(traps || longTraps) || this.always;
    let changed: Value[] | undefined;
    // Bits, one for each.
    let fixed = 0;
    for (let i = 0; i < operands.length; i++) {
      const part = this.visit(operands[i]!);
      if (this.fixed) {
        fixed |= 1 << i;
      } else if (part !== operands[i]) {
        changed ??= [...operands];
        changed[i] = part;
      }
    }
    this.fixed = mayMove && fixed === (1 << operands.length) - 1;
    if (this.fixed || fixed === 0) return changed ? { ...v, operands: changed } : v;
    for (let i = 0; i < operands.length; i++) {
      if ((fixed & (1 << i)) === 0) continue;
      const taken = this.take(operands[i]!);
      if (taken === operands[i]) continue;
      changed ??= [...operands];
      changed[i] = taken;
    }
    return changed ? { ...v, operands: changed } : v;
  }

  private extract(v: Extract<Value, { kind: 'extract' }>): Value {
    const operand = this.visit(v.operand);
    return operand === v.operand ? v : { ...v, operand };
  }

  private pair(v: Value, a: Value, b: Value, made: (a: Value, b: Value) => Value): Value {
    let left = this.visit(a);
    const leftFixed = this.fixed;
    let right = this.visit(b);
    const rightFixed = this.fixed;
    this.fixed = leftFixed && rightFixed;
    if (this.fixed) return v;
    if (leftFixed) left = this.take(left);
    if (rightFixed) right = this.take(right);
    return left === a && right === b ? v : made(left, right);
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
    const moved = { test: part(test, testFixed), yes: part(yes, yesFixed), no: part(no, noFixed) };
    return moved.test === v.test && moved.yes === v.yes && moved.no === v.no ? v : { ...v, ...moved };
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
    let local = this.made.get(begin);
    if (!local) {
      local = temporary('', I32, 4, false);
      this.made.set(begin, local);
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
      return mayLeaveAny(a.actions);
    case 'block':
    case 'loop':
      return mayLeaveAny(a.body);
    case 'if':
      return mayLeaveAny(a.yes) || mayLeaveAny(a.no);
    case 'switch':
      return a.cases.some((c) => mayLeaveAny(c.body));
    default:
      return false;
  }
}

function mayLeaveAny(actions: readonly Action[]): boolean {
  for (const a of actions) if (mayLeave(a)) return true;
  return false;
}
