import type { Label, Local } from './code.ts';
import { Bytes } from './encode.ts';
import { F32, F64, I32, I64, V128, type ValueType } from './opcodes.ts';

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const BR_TABLE = 0x0e;
export const RETURN = 0x0f;
export const EMPTY = 0x40;

/** Instructions of a function one after another, with the blocks they are in and the locals they use. */
export class Emitter {
  protected readonly code = new Bytes(1024);
  protected depth = 0;
  private readonly parameters: number;
  private readonly types: ValueType[] = [];
  /** Numbers of locals that nothing uses any longer, by type. */
  private readonly free: { [type: number]: number[] } = {};
  /** Where a `local.set` begins that ends where the next instruction begins. */
  private lastSet = -1;
  private lastSetEnd = -1;

  constructor(parameters: number) {
    this.parameters = parameters;
  }

  /** Runs of locals of one type. */
  protected declarations(to: Bytes): void {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.types) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    to.u32(runs.length);
    for (const { type, count } of runs) {
      to.u32(count);
      to.byte(type);
    }
  }

  protected take(type: ValueType): number {
    const again = this.free[type]?.pop();
    if (again !== undefined) return again;
    this.types.push(type);
    return this.parameters + this.types.length - 1;
  }

  protected release(local: Local): void {
    const list = this.free[local.type!] ?? [];
    this.free[local.type!] = list;
    list.push(local.index);
  }

  protected setLocal(index: number): void {
    this.lastSet = this.code.length;
    this.local(0x21, index);
    this.lastSetEnd = this.code.length;
  }

  protected getLocal(index: number): void {
    if (this.code.length === this.lastSetEnd && this.code.written()[this.lastSet + 1] === index && index < 128) {
      this.code.written()[this.lastSet] = 0x22;
      this.lastSetEnd = -1;
      return;
    }
    this.local(0x20, index);
  }

  protected open(opcode: number, type: number): void {
    this.code.byte(opcode);
    this.code.byte(type);
    this.depth++;
  }

  protected openLabel(opcode: number, label: Label): void {
    this.open(opcode, EMPTY);
    label.depth = this.depth;
  }

  protected close(): void {
    this.code.byte(END);
    this.depth--;
  }

  protected branch(opcode: number, depth: number): void {
    this.code.byte(opcode);
    this.code.u32(this.depth - depth);
  }

  protected local(opcode: number, index: number): void {
    this.code.byte(opcode);
    this.code.u32(index);
  }

  protected constant(value: number): void {
    this.code.byte(0x41);
    this.code.s32(value);
  }

  protected number(type: ValueType, value: number | bigint): void {
    const { code } = this;
    switch (type) {
      case I32:
        this.constant(value as number);
        return;
      case I64:
        code.byte(0x42);
        code.s64(value as bigint);
        return;
      case F32:
        code.byte(0x43);
        code.f32(value as number);
        return;
      case F64:
        code.byte(0x44);
        code.f64(value as number);
        return;
      case V128:
        throw new Error('a vector is no number');
    }
  }

  protected opcode(opcode: number): void {
    const prefix = opcode >> 16;
    if (prefix === 0) {
      this.code.byte(opcode);
      return;
    }
    this.code.byte(prefix);
    this.code.u32(opcode & 0xffff);
  }

  /** A load or a store of an address of any alignment. */
  protected memory(opcode: number, offset: number): void {
    this.opcode(opcode);
    this.code.byte(0);
    this.code.u32(offset);
  }
}
