import type { Function as Routine, Variable } from './ast.ts';
import type { Action, Code, Label, Local, Value } from './code.ts';
import { BLOCK, BR, BR_IF, BR_TABLE, ELSE, EMPTY, Emitter, END, IF, LOOP, RETURN } from './emitter.ts';
import { Bytes } from './encode.ts';
import { intOf, isPure, not } from './fold.ts';
import { F32, F64, I32, I64, MISC, OP, V128, type ValueType, VECTOR } from './opcodes.ts';

/** What code refers to. */
export interface Surroundings {
  indexOf(f: Routine): number;
  addressOf(global: Variable): number;
}

/** Global 0, by which frames are found. */
const STACK_POINTER = 0;
const FRAME_ALIGNMENT = 16;

/** The body of a function as bytes: its locals and instructions. */
export function generate(code: Code, hasFrame: boolean, surroundings: Surroundings): Bytes {
  return new Generator(code, hasFrame, surroundings).function();
}

class Generator extends Emitter {
  private readonly source: Code;
  private readonly surroundings: Surroundings;
  private readonly frame: number | undefined;
  private top = 0;
  private frameBytes = 0;
  private calls = false;
  /** Locals of the blocks that are open. */
  private scope: Local[] = [];

  constructor(source: Code, hasFrame: boolean, surroundings: Surroundings) {
    super(source.parameters.length);
    this.source = source;
    this.surroundings = surroundings;
    source.parameters.forEach((p, i) => {
      p.index = i;
    });
    this.frame = hasFrame ? this.take(I32) : undefined;
  }

  function(): Bytes {
    const { parameters, result, body } = this.source;
    const { code, frame } = this;
    if (frame !== undefined) {
      for (const p of parameters) if (p.escapes) this.spill(p);
      this.open(BLOCK, result ?? EMPTY);
    }
    this.actions(body);
    if (result !== undefined && body.at(-1)?.kind !== 'return') code.byte(0x00);
    if (frame !== undefined) {
      this.close();
      if (this.calls) {
        this.local(0x20, frame);
        this.constant(this.frameSize());
        code.byte(OP.i32_add);
        this.globalSet();
      }
    }
    code.byte(END);
    const whole = new Bytes(code.length + 64);
    this.declarations(whole);
    if (frame !== undefined) this.prologue(whole, frame);
    whole.bytes(code.written());
    return whole;
  }

  private frameSize(): number {
    return Math.ceil(this.frameBytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
  }

  /** A frame that no call has to stay clear of needs not be told. */
  private prologue(to: Bytes, frame: number): void {
    to.bytes([0x23, STACK_POINTER, 0x41]);
    to.s32(this.frameSize());
    to.byte(OP.i32_sub);
    to.byte(this.calls ? 0x22 : 0x21);
    to.u32(frame);
    if (this.calls) to.bytes([0x24, STACK_POINTER]);
  }

  private spill(parameter: Local): void {
    this.allocate(parameter);
    this.local(0x20, this.frame!);
    this.local(0x20, parameter.index);
    this.memory(storeTo(parameter), parameter.offset);
  }

  private globalSet(): void {
    this.code.byte(0x24);
    this.code.u32(STACK_POINTER);
  }

  private allocate(local: Local): void {
    // As vectors, which do best where they do not cross lines of a cache.
    const align = local.bytes >= FRAME_ALIGNMENT ? FRAME_ALIGNMENT : Math.max(1, local.align);
    local.offset = Math.ceil(this.top / align) * align;
    this.top = local.offset + local.bytes;
    this.frameBytes = Math.max(this.frameBytes, this.top);
  }

  private declare(local: Local): void {
    if (local.slots) {
      for (const slot of local.slots.values()) {
        slot.index = this.take(slot.type!);
        this.scope.push(slot);
      }
    } else if (local.escapes) {
      this.allocate(local);
    } else if (local.type !== undefined && local.reads > 0) {
      local.index = this.take(local.type);
      this.scope.push(local);
    }
  }

  /** What is declared `inside` is gone behind it. */
  private scoped(inside: () => void): void {
    const { scope: outer, top } = this;
    this.scope = [];
    inside();
    for (const local of this.scope) this.release(local);
    this.scope = outer;
    this.top = top;
  }

  private actions(body: readonly Action[]): void {
    this.scoped(() => {
      for (const a of body) this.action(a);
    });
  }

  private action(a: Action): void {
    switch (a.kind) {
      case 'declare':
        this.declare(a.local);
        return;
      case 'splice':
        for (const inner of a.actions) this.action(inner);
        return;
      case 'set':
        this.set(a.local, a.value);
        return;
      case 'store':
        this.store(a);
        return;
      case 'drop':
        this.value(a.value);
        if (a.value.type !== undefined) this.code.byte(0x1a);
        return;
      case 'bulk':
        for (const v of a.operands) this.value(v);
        this.opcode(a.opcode);
        this.code.bytes(a.opcode === (MISC | 0x0a) ? [0, 0] : [0]);
        return;
      case 'block':
        if (!a.label?.used) {
          this.actions(a.body);
          return;
        }
        this.openLabel(BLOCK, a.label);
        this.actions(a.body);
        this.close();
        return;
      case 'if':
        this.if(a);
        return;
      case 'loop':
        this.loop(a);
        return;
      case 'switch':
        this.switch(a);
        return;
      case 'leave':
        this.branch(BR, a.label.depth);
        return;
      case 'return':
        if (a.value) this.value(a.value);
        if (this.frame === undefined) this.code.byte(RETURN);
        else this.branch(BR, 1);
        return;
    }
  }

  private set(local: Local, value: Value): void {
    if (local.escapes) {
      this.local(0x20, this.frame!);
      this.value(value);
      this.memory(storeTo(local), local.offset);
      return;
    }
    const isParameter = local.index >= 0 && local.index < this.source.parameters.length;
    if (local.reads === 0 && !isParameter) {
      if (isPure(value)) return;
      this.value(value);
      this.code.byte(0x1a);
      return;
    }
    this.value(value);
    this.setLocal(local.index);
  }

  private store(a: Extract<Action, { kind: 'store' }>): void {
    const slot = slotOf(a.address, a.offset);
    if (slot) {
      this.value(a.value);
      this.reinterpret(a.opcode === 0x38 ? F32 : slot.type === F32 ? I32 : slot.type!, slot.type!);
      if (slot.bytes < 4) this.keepLow(slot);
      this.setLocal(slot.index);
      return;
    }
    const base = this.address(a.address);
    this.value(a.value);
    this.memory(a.opcode, a.offset + base);
    if (a.lane !== undefined) this.code.byte(a.lane);
  }

  /** An int of fewer bytes as what loads the slot, whose opcode is its offset, gives it. */
  private keepLow(slot: Local): void {
    const isByte = slot.bytes === 1;
    if (slot.offset === 0x2c || slot.offset === 0x2e) this.opcode(isByte ? OP.i32_extend8_s : OP.i32_extend16_s);
    else {
      this.constant(isByte ? 255 : 65535);
      this.code.byte(OP.i32_and);
    }
  }

  private reinterpret(from: ValueType, to: ValueType): void {
    if (from === to) return;
    this.code.byte(to === F32 ? OP.f32_reinterpret_i32 : OP.i32_reinterpret_f32);
  }

  /** Puts an address on the stack; returns what has to be added to it. */
  private address(v: Value): number {
    if (v.kind === 'frame') {
      this.local(0x20, this.frame!);
      return v.local.offset;
    }
    this.value(v);
    return 0;
  }

  private value(v: Value): void {
    const { code } = this;
    switch (v.kind) {
      case 'constant':
        this.number(v.type, v.value);
        return;
      case 'vector':
        this.opcode(VECTOR | 0x0c);
        code.bytes(v.bytes);
        return;
      case 'read':
        if (!v.local.escapes) {
          this.getLocal(v.local.index);
          return;
        }
        this.local(0x20, this.frame!);
        this.memory(loadFrom(v.local), v.local.offset);
        return;
      case 'frame':
        this.local(0x20, this.frame!);
        if (v.local.offset === 0) return;
        this.constant(v.local.offset);
        code.byte(OP.i32_add);
        return;
      case 'data':
        this.constant(this.surroundings.addressOf(v.global));
        return;
      case 'operation':
        this.operation(v);
        return;
      case 'extract':
        this.value(v.operand);
        this.opcode(v.opcode);
        code.byte(v.lane);
        return;
      case 'replace':
        this.value(v.operand);
        this.value(v.by);
        this.opcode(v.opcode);
        code.byte(v.lane);
        return;
      case 'shuffle':
        this.value(v.left);
        this.value(v.right);
        this.opcode(VECTOR | 0x0d);
        code.bytes(v.lanes);
        return;
      case 'load':
        this.load(v);
        return;
      case 'choose':
        this.choose(v);
        return;
      case 'call':
        for (const a of v.args) this.value(a);
        this.calls = true;
        code.byte(0x10);
        code.u32(this.surroundings.indexOf(v.function));
        return;
      case 'sequence':
        this.scoped(() => {
          for (const a of v.body) this.action(a);
          this.value(v.value);
        });
        return;
    }
  }

  private operation(v: Extract<Value, { kind: 'operation' }>): void {
    const [a, b] = v.operands;
    // Addresses in the frame and in the module's data are constants, as it turns out.
    if (v.opcode === OP.i32_add && b!.kind === 'constant' && (a!.kind === 'data' || a!.kind === 'frame')) {
      const offset = b.value as number;
      if (a!.kind === 'data') {
        this.constant(this.surroundings.addressOf(a!.global) + offset);
        return;
      }
      this.local(0x20, this.frame!);
      this.constant(a!.local.offset + offset);
      this.code.byte(OP.i32_add);
      return;
    }
    for (const operand of v.operands) this.value(operand);
    this.opcode(v.opcode);
  }

  private load(v: Extract<Value, { kind: 'load' }>): void {
    const slot = slotOf(v.address, v.offset);
    if (slot) {
      this.getLocal(slot.index);
      this.reinterpret(slot.type!, v.type);
      return;
    }
    const base = this.address(v.address);
    this.memory(v.opcode, v.offset + base);
  }

  private choose(v: Extract<Value, { kind: 'choose' }>): void {
    // Both are computed before the test, which must not write what they read.
    if (isQuick(v.yes) && isQuick(v.no) && isPure(v.test) && !isBranchy(v.test)) {
      this.value(v.yes);
      this.value(v.no);
      this.value(v.test);
      this.code.byte(0x1b);
      return;
    }
    this.value(v.test);
    this.open(IF, v.type);
    this.scoped(() => this.value(v.yes));
    this.code.byte(ELSE);
    this.scoped(() => this.value(v.no));
    this.close();
  }

  private if(a: Extract<Action, { kind: 'if' }>): void {
    if (!isBranchy(a.test)) {
      this.value(a.test);
      this.open(IF, EMPTY);
      this.actions(a.yes);
      if (a.no.length > 0) {
        this.code.byte(ELSE);
        this.actions(a.no);
      }
      this.close();
      return;
    }
    const end: Label = { depth: 0, used: true };
    const otherwise: Label = { depth: 0, used: true };
    this.openLabel(BLOCK, end);
    if (a.no.length > 0) this.openLabel(BLOCK, otherwise);
    this.branchUnless(a.test, a.no.length > 0 ? otherwise : end);
    this.actions(a.yes);
    if (a.no.length > 0) {
      this.branch(BR, end.depth);
      this.close();
      this.actions(a.no);
    }
    this.close();
  }

  private branchIf(test: Value, label: Label): void {
    if (test.kind === 'choose' && intOf(test.yes) === 1) {
      this.branchIf(test.test, label);
      this.branchIf(test.no, label);
      return;
    }
    if (test.kind === 'choose' && intOf(test.no) === 0) {
      const skip: Label = { depth: 0, used: true };
      this.openLabel(BLOCK, skip);
      this.branchUnless(test.test, skip);
      this.branchIf(test.yes, label);
      this.close();
      return;
    }
    this.value(test);
    this.branch(BR_IF, label.depth);
  }

  private branchUnless(test: Value, label: Label): void {
    if (test.kind === 'choose' && intOf(test.no) === 0) {
      this.branchUnless(test.test, label);
      this.branchUnless(test.yes, label);
      return;
    }
    if (test.kind === 'choose' && intOf(test.yes) === 1) {
      const skip: Label = { depth: 0, used: true };
      this.openLabel(BLOCK, skip);
      this.branchIf(test.test, skip);
      this.branchUnless(test.no, label);
      this.close();
      return;
    }
    const inverse = not(test);
    const isInner = inverse.kind === 'operation' && inverse.opcode === OP.i32_eqz;
    if (isInner && test.kind === 'operation' && test.opcode === OP.i32_eqz) {
      this.branchIf(test.operands[0]!, label);
      return;
    }
    this.value(inverse);
    this.branch(BR_IF, label.depth);
  }

  private loop(a: Extract<Action, { kind: 'loop' }>): void {
    const again = a.again && intOf(a.again);
    const hasExit = a.exit.used || a.first !== undefined;
    if (hasExit) this.openLabel(BLOCK, a.exit);
    if (a.first) this.scoped(() => this.branchUnless(a.first!, a.exit));
    this.scoped(() => {
      for (const inner of a.before) this.action(inner);
      const top: Label = { depth: 0, used: true };
      if (again !== 0) this.openLabel(LOOP, top);
      if (a.next.used) this.openLabel(BLOCK, a.next);
      this.actions(a.body);
      if (a.next.used) this.close();
      this.actions(a.step);
      if (again !== 0) {
        if (a.again && again === undefined) this.scoped(() => this.branchIf(a.again!, top));
        else this.branch(BR, top.depth);
        this.close();
      }
    });
    if (hasExit) this.close();
  }

  private switch(a: Extract<Action, { kind: 'switch' }>): void {
    this.scoped(() => {
      this.openLabel(BLOCK, a.exit);
      const labels = a.cases.map((): Label => ({ depth: 0, used: true }));
      for (const label of labels.toReversed()) this.openLabel(BLOCK, label);
      this.dispatch(a, labels);
      for (const { body } of a.cases) {
        this.close();
        for (const inner of body) this.action(inner);
      }
      this.close();
    });
  }

  /** Goes to the case of a value. */
  private dispatch(a: Extract<Action, { kind: 'switch' }>, labels: readonly Label[]): void {
    const targets = new Map<number, Label>();
    a.cases.forEach(({ values }, i) => {
      for (const v of values) targets.set(v, labels[i]!);
    });
    const least = Math.min(...targets.keys());
    const most = Math.max(...targets.keys());
    const otherwise = a.otherwise === undefined ? a.exit : labels[a.otherwise]!;
    this.value(a.value);
    this.constant(least);
    this.code.byte(OP.i32_sub);
    this.code.byte(BR_TABLE);
    this.code.u32(most - least + 1);
    for (let v = least; v <= most; v++) this.code.u32(this.depth - (targets.get(v) ?? otherwise).depth);
    this.code.u32(this.depth - otherwise.depth);
  }
}

const LOADS: { readonly [type: number]: number } = {
  [I32]: 0x28,
  [I64]: 0x29,
  [F32]: 0x2a,
  [F64]: 0x2b,
  [V128]: VECTOR,
};
const STORES: { readonly [type: number]: number } = {
  [I32]: 0x36,
  [I64]: 0x37,
  [F32]: 0x38,
  [F64]: 0x39,
  [V128]: VECTOR | 0x0b,
};

/** What writes a variable that lies in the frame, and what reads it: others take it for as many bytes as it has. */
function storeTo({ type, bytes }: Local): number {
  return bytes === 1 ? 0x3a : bytes === 2 ? 0x3b : STORES[type!]!;
}

function loadFrom({ type, bytes, signed }: Local): number {
  const small = bytes === 1 ? 0x2c : bytes === 2 ? 0x2e : undefined;
  return small === undefined ? LOADS[type!]! : small + (signed ? 0 : 1);
}

function slotOf(address: Value, offset: number): Local | undefined {
  return address.kind === 'frame' ? address.local.slots?.get(offset) : undefined;
}

/** Whether computing it in vain costs less than a branch. */
function isQuick(v: Value): boolean {
  switch (v.kind) {
    case 'constant':
    case 'frame':
    case 'data':
    case 'read':
      return v.type !== V128;
    case 'operation':
      // No division, which may trap.
      return v.type === I32 && (v.opcode < OP.i32_div_s || v.opcode > OP.i32_rem_u) && v.operands.every(isQuick);
    default:
      return false;
  }
}

/** Whether it is of tests of which not all are always made. */
function isBranchy(v: Value): boolean {
  if (v.kind === 'operation' && v.opcode === OP.i32_eqz) return isBranchy(v.operands[0]!);
  return v.kind === 'choose' && (intOf(v.yes) === 1 || intOf(v.no) === 0);
}
