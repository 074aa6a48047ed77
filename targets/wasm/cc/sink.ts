import type { Action, Local, Value } from './code.ts';
import { add, int, isPure, splitSum } from './fold.ts';
import { I32 } from './opcodes.ts';
import { splitAddress } from './places.ts';
import { hasLoad, mapParts, visitReads } from './walk.ts';

/**
 * Computes values where they are used first rather than where they are named, and moves pointers on when nothing reads them any longer: an
 * engine that keeps the order of instructions needs fewer registers then.
 */
export function sink(actions: readonly Action[]): Action[] {
  return new Sinker().list(actions);
}

interface Waiting {
  readonly value: Value;
  readonly loads: boolean;
}

class Sinker {
  private out: Action[] = [];
  /** Locals that are written once, and what they will be. */
  private readonly waiting = new Map<Local, Waiting>();
  /** What is still to be added to locals. */
  private readonly steps = new Map<Local, number>();
  private declared: Local[] = [];
  /** Steps may be done later: actions come after them. */
  private readonly delays: boolean;

  constructor(delays = true) {
    this.delays = delays;
  }

  /** Actions of which some may go to others' places; all are done at the end. */
  list(actions: readonly Action[]): Action[] {
    return this.capture(() => {
      this.all(actions);
      this.flush();
    });
  }

  /** A value that no actions come after. */
  alone(v: Value): Value {
    return this.placed(v);
  }

  private capture(inside: () => void): Action[] {
    const outer = this.out;
    const body: Action[] = [];
    this.out = body;
    inside();
    this.out = outer;
    return body;
  }

  /** In order; what is declared in between is not used behind it. */
  private scope(inside: () => void): Action[] {
    const outer = this.declared;
    this.declared = [];
    const body = this.capture(inside);
    for (const local of this.declared) {
      this.waiting.delete(local);
      this.steps.delete(local);
    }
    this.declared = outer;
    return body;
  }

  private all(actions: readonly Action[]): void {
    for (const a of actions) this.action(a);
  }

  private action(a: Action): void {
    switch (a.kind) {
      case 'declare':
        this.declared.push(a.local);
        this.out.push(a);
        return;
      case 'splice':
        this.all(a.actions);
        return;
      case 'set':
        this.set(a.local, a.value);
        return;
      case 'store': {
        this.flushLoads(a.address, a.value);
        const { address, offset } = this.address(a.address, a.offset, true);
        const value = this.placed(a.value);
        const isSame = address === a.address && offset === a.offset && value === a.value;
        this.out.push(isSame ? a : { ...a, address, offset, value });
        return;
      }
      case 'drop':
        this.flushLoads(a.value);
        this.out.push({ ...a, value: this.placed(a.value) });
        return;
      case 'bulk': {
        this.flushLoads(...a.operands);
        const [d, s, n] = a.operands.map((o) => this.placed(o)) as [Value, Value, Value];
        this.out.push({ ...a, operands: [d, s, n] });
        return;
      }
      case 'block':
        if (a.label?.used) {
          this.flush();
          this.out.push({ ...a, body: this.below(a.body) });
        } else {
          this.out.push({ kind: 'block', body: this.scope(() => this.all(a.body)) });
        }
        return;
      default:
        this.flush();
        this.out.push(this.apart(a));
    }
  }

  private set(local: Local, value: Value): void {
    const { rest, offset } = splitSum(value);
    if (this.delays && rest.kind === 'read' && rest.local === local && local.type === I32 && !local.addressed) {
      this.steps.set(local, (this.steps.get(local) ?? 0) + offset);
      return;
    }
    if (local.stable && value.kind !== 'constant' && value.kind !== 'read' && isPure(value)) {
      this.waiting.set(local, { value: this.stepped(value), loads: hasLoad(value) });
      return;
    }
    if (!isPure(value)) this.flushLoads(value);
    this.flushReaders(local);
    const placed = this.placed(value);
    this.steps.delete(local);
    this.out.push({ kind: 'set', local, value: placed });
  }

  private flush(): void {
    for (const local of this.waiting.keys()) this.force(local);
    for (const [local, by] of this.steps) {
      this.out.push({ kind: 'set', local, value: add({ kind: 'read', type: I32, local }, int(by)) });
    }
    this.steps.clear();
  }

  /** Values in memory are read before something is written there, but for those that are part of what is written. */
  private flushLoads(...used: readonly Value[]): void {
    if (this.waiting.size === 0) return;
    const needed = new Set<Local>();
    for (const v of used) this.needs(v, needed);
    for (const [local, { loads }] of this.waiting) if (loads && !needed.has(local)) this.force(local);
  }

  private needs(v: Value, found: Set<Local>): void {
    visitReads(v, (local) => {
      const w = this.waiting.get(local);
      if (!w || found.has(local)) return;
      found.add(local);
      this.needs(w.value, found);
    });
  }

  private flushReaders(written: Local): void {
    for (const [local, { value }] of [...this.waiting]) {
      let reads = false;
      visitReads(value, (l) => {
        if (l === written) reads = true;
      });
      if (reads) this.force(local);
    }
  }

  private force(local: Local): void {
    const w = this.waiting.get(local);
    if (!w) return;
    this.waiting.delete(local);
    this.out.push({ kind: 'set', local, value: this.placed(w.value, false) });
  }

  /** A pure value, with locals as they will be when what is still to be added has been. */
  private stepped(v: Value): Value {
    if (this.steps.size === 0) return v;
    if (v.kind === 'read') return this.steppedRead(v);
    if (v.kind !== 'load') return mapParts(v, this.steppedPart);
    const moved = this.stepped(v.address);
    return moved === v.address ? v : { ...v, ...splitAddress(add(moved, int(v.offset))) };
  }

  private readonly steppedPart = (v: Value): Value => this.stepped(v);

  private steppedRead(v: Extract<Value, { kind: 'read' }>): Value {
    const by = this.steps.get(v.local);
    return by === undefined ? v : add(v, int(by));
  }

  /**
   * A value as it is computed: what waits for its first use is computed there. In the order of evaluation.
   * @param fresh locals in it are not yet those of `stepped`.
   */
  private placed(v: Value, fresh = true): Value {
    if (this.waiting.size === 0 && (this.steps.size === 0 || !fresh) && isPure(v)) return v;
    switch (v.kind) {
      case 'read': {
        const w = this.waiting.get(v.local);
        if (!w) return fresh ? this.steppedRead(v) : v;
        this.waiting.delete(v.local);
        const value = this.placed(w.value, false);
        return { kind: 'sequence', type: v.type, body: [{ kind: 'set', local: v.local, value }], value: v };
      }
      case 'load': {
        const { address, offset } = this.address(v.address, v.offset, fresh);
        return address === v.address && offset === v.offset ? v : { ...v, address, offset };
      }
      case 'choose':
        return this.choose(v, fresh);
      case 'sequence':
        return this.sequence(v);
      case 'call':
        return this.call(v, fresh);
      default:
        return mapParts(v, fresh ? this.placedPart : this.settledPart);
    }
  }

  private readonly placedPart = (v: Value): Value => this.placed(v);
  private readonly settledPart = (v: Value): Value => this.placed(v, false);

  private address(
    address: Value,
    offset: number,
    fresh: boolean,
  ): { readonly address: Value; readonly offset: number } {
    const placed = this.placed(address, fresh);
    return placed === address ? { address, offset } : splitAddress(add(placed, int(offset)));
  }

  /** What is read behind it but was named before is read before it, as it may write memory. */
  private call(v: Extract<Value, { kind: 'call' }>, fresh: boolean): Value {
    const body = this.capture(() => this.flushLoads(...v.args));
    const called = mapParts(v, fresh ? this.placedPart : this.settledPart);
    if (body.length === 0 || v.type === undefined) {
      this.out.push(...body);
      return called;
    }
    return { kind: 'sequence', type: v.type, body, value: called };
  }

  /** What both ways need is there before. */
  private choose(v: Extract<Value, { kind: 'choose' }>, fresh: boolean): Value {
    const pure = isPure(v);
    const body = this.capture(() => {
      const needed = new Set<Local>();
      this.needs(v.yes, needed);
      this.needs(v.no, needed);
      for (const local of needed) this.force(local);
      // What the ways do by themselves is not told of what is still to be added.
      if (!pure) this.flush();
    });
    const { test, yes, no } = pure && fresh ? (mapParts(v, this.steppedPart) as typeof v) : v;
    const chosen: Value = { ...v, test: this.placed(test, !pure && fresh), yes: within(yes), no: within(no) };
    return body.length === 0 ? chosen : { kind: 'sequence', type: v.type, body, value: chosen };
  }

  private sequence(v: Extract<Value, { kind: 'sequence' }>): Value {
    let value = v.value;
    const body = this.scope(() => {
      this.all(v.body);
      value = this.placed(v.value);
    });
    return body.length === 0 ? value : { ...v, body, value };
  }

  /** Nothing waits. */
  private apart(a: Action): Action {
    switch (a.kind) {
      case 'if':
        return { ...a, test: within(a.test), yes: this.below(a.yes), no: this.below(a.no) };
      case 'loop':
        return {
          ...a,
          ...(a.first && { first: within(a.first) }),
          before: this.below(a.before),
          body: this.below(a.body),
          step: this.below(a.step),
          ...(a.again && { again: within(a.again) }),
        };
      case 'switch':
        return { ...a, value: within(a.value), cases: a.cases.map((c) => ({ ...c, body: this.below(c.body) })) };
      case 'return':
        return a.value ? { ...a, value: within(a.value) } : a;
      default:
        return a;
    }
  }

  /** Actions by themselves, when nothing waits. */
  private below(actions: readonly Action[]): Action[] {
    return this.delays ? this.list(actions) : sink(actions);
  }
}

/** A value that may not be computed, by itself. */
function within(v: Value): Value {
  return isPure(v) ? v : new Sinker(false).alone(v);
}
