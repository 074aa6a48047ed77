import type { Function as Routine, Variable } from './ast.ts';
import type { Action, Code, Local, Value } from './code.ts';
import { temporary } from './locals.ts';
import { F32, F64, I32, I64, V128, type ValueType, VECTOR } from './opcodes.ts';

/** What the code of a function needs. */
export interface Needs {
  readonly functions: Set<Routine>;
  readonly globals: Set<Variable>;
  /** Some of its locals lie in the frame. */
  frame: boolean;
}

interface Access {
  readonly offset: number;
  readonly bytes: number;
  readonly type: ValueType;
  /** What loads it; undefined of a store. */
  readonly load: number | undefined;
}

/**
 * Looks at all uses of locals: arrays and records of which every part is read and written on its own become locals, one for each part; others whose address is used
 * go to the frame.
 */
export function placeLocals(code: Code): Needs {
  const search = new Search();
  search.actions(code.body);
  for (const local of [...code.parameters, ...search.declared]) {
    if (local.type === undefined && !local.escapes) split(local, search.accesses.get(local) ?? []);
    if (local.escapes) search.needs.frame = true;
  }
  return search.needs;
}

/** Makes parts of a local locals of their own where accesses do not overlap. */
function split(local: Local, accesses: readonly Access[]): void {
  const parts = new Map<number, Access>();
  for (const a of accesses) {
    const part = parts.get(a.offset);
    if (part && !isOne(part, a)) {
      local.escapes = true;
      return;
    }
    // Loads say how ints of few bytes are to be kept.
    if (!part || part.load === undefined) parts.set(a.offset, a);
  }
  const sorted = [...parts.values()].sort((a, b) => a.offset - b.offset);
  if (sorted.some((a, i) => i > 0 && sorted[i - 1]!.offset + sorted[i - 1]!.bytes > a.offset)) {
    local.escapes = true;
    return;
  }
  local.slots = new Map();
  for (const { offset, type, bytes, load } of sorted) {
    local.slots.set(offset, { ...temporary(local.name, type, bytes, false), reads: 1, offset: load ?? 0 });
  }
}

/** Whether one local may hold what both are. */
function isOne(a: Access, b: Access): boolean {
  if (a.bytes !== b.bytes) return false;
  if (a.type !== b.type) return a.bytes === 4;
  return a.bytes >= 4 || a.load === undefined || b.load === undefined || a.load === b.load;
}

/** Types of what plain loads and stores move. */
const TYPES: ReadonlyMap<number, ValueType> = new Map<number, ValueType>([
  [0x28, I32],
  [0x29, I64],
  [0x2a, F32],
  [0x2b, F64],
  [0x2c, I32],
  [0x2d, I32],
  [0x2e, I32],
  [0x2f, I32],
  [0x36, I32],
  [0x37, I64],
  [0x38, F32],
  [0x39, F64],
  [0x3a, I32],
  [0x3b, I32],
  [VECTOR, V128],
  [VECTOR | 0x0b, V128],
]);

class Search {
  readonly needs: Needs = { functions: new Set(), globals: new Set(), frame: false };
  readonly declared: Local[] = [];
  readonly accesses = new Map<Local, Access[]>();

  actions(body: readonly Action[]): void {
    for (const a of body) this.action(a);
  }

  private action(a: Action): void {
    switch (a.kind) {
      case 'declare':
        this.declared.push(a.local);
        return;
      case 'splice':
        this.actions(a.actions);
        return;
      case 'set':
      case 'drop':
        this.value(a.value);
        return;
      case 'store':
        this.access(a, a.lane === undefined, undefined);
        this.value(a.value);
        return;
      case 'bulk':
        this.values(a.operands);
        return;
      case 'block':
        this.actions(a.body);
        return;
      case 'if':
        this.value(a.test);
        this.actions(a.yes);
        this.actions(a.no);
        return;
      case 'loop':
        if (a.first) this.value(a.first);
        this.actions(a.before);
        this.actions(a.body);
        this.actions(a.step);
        if (a.again) this.value(a.again);
        return;
      case 'switch':
        this.value(a.value);
        for (const { body } of a.cases) this.actions(body);
        return;
      case 'leave':
        return;
      case 'return':
        if (a.value) this.value(a.value);
        return;
    }
  }

  private values(values: readonly Value[]): void {
    for (const v of values) this.value(v);
  }

  private value(v: Value): void {
    switch (v.kind) {
      case 'constant':
      case 'vector':
        return;
      case 'read':
        v.local.reads++;
        return;
      case 'frame':
        v.local.escapes = true;
        return;
      case 'data':
        this.needs.globals.add(v.global);
        return;
      case 'operation':
        this.values(v.operands);
        return;
      case 'extract':
        this.value(v.operand);
        return;
      case 'replace':
        this.value(v.operand);
        this.value(v.by);
        return;
      case 'shuffle':
        this.value(v.left);
        this.value(v.right);
        return;
      case 'load':
        this.access(v, true, v.opcode);
        return;
      case 'choose':
        this.value(v.test);
        this.value(v.yes);
        this.value(v.no);
        return;
      case 'call':
        this.needs.functions.add(v.function);
        this.values(v.args);
        return;
      case 'sequence':
        this.actions(v.body);
        this.value(v.value);
        return;
    }
  }

  private access(
    a: { readonly opcode: number; readonly bytes: number; readonly address: Value; readonly offset: number },
    isWhole: boolean,
    load: number | undefined,
  ): void {
    const { address, offset, bytes } = a;
    const type = TYPES.get(a.opcode);
    if (address.kind !== 'frame' || type === undefined || !isWhole || address.local.type !== undefined) {
      this.value(address);
      return;
    }
    const list = this.accesses.get(address.local);
    const access = { offset, bytes, type, load };
    if (list) list.push(access);
    else this.accesses.set(address.local, [access]);
  }
}
