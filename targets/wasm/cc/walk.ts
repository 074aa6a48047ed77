import type { Action, Local, Value } from './code.ts';

/** The same value of other parts; itself where they are what they were. */
export function mapParts(v: Value, map: (part: Value) => Value): Value {
  switch (v.kind) {
    case 'operation': {
      const operands = mapAll(v.operands, map);
      return operands === v.operands ? v : { ...v, operands };
    }
    case 'extract': {
      const operand = map(v.operand);
      return operand === v.operand ? v : { ...v, operand };
    }
    case 'replace': {
      const operand = map(v.operand);
      const by = map(v.by);
      return operand === v.operand && by === v.by ? v : { ...v, operand, by };
    }
    case 'shuffle': {
      const left = map(v.left);
      const right = map(v.right);
      return left === v.left && right === v.right ? v : { ...v, left, right };
    }
    case 'load': {
      const address = map(v.address);
      return address === v.address ? v : { ...v, address };
    }
    case 'choose': {
      const test = map(v.test);
      const yes = map(v.yes);
      const no = map(v.no);
      return test === v.test && yes === v.yes && no === v.no ? v : { ...v, test, yes, no };
    }
    case 'call': {
      const args = mapAll(v.args, map);
      return args === v.args ? v : { ...v, args };
    }
    default:
      return v;
  }
}

/** The list itself where each stays as it is. */
export function mapAll<T>(list: readonly T[], map: (part: T) => T): readonly T[] {
  let changed: T[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const mapped = map(list[i]!);
    if (mapped === list[i]) continue;
    changed ??= [...list];
    changed[i] = mapped;
  }
  return changed ?? list;
}

/** Tells of every local that is read in a value. */
export function visitReads(v: Value, visit: (local: Local) => void): void {
  switch (v.kind) {
    case 'read':
      visit(v.local);
      return;
    case 'operation':
      for (const o of v.operands) visitReads(o, visit);
      return;
    case 'extract':
      visitReads(v.operand, visit);
      return;
    case 'replace':
      visitReads(v.operand, visit);
      visitReads(v.by, visit);
      return;
    case 'shuffle':
      visitReads(v.left, visit);
      visitReads(v.right, visit);
      return;
    case 'load':
      visitReads(v.address, visit);
      return;
    case 'choose':
      visitReads(v.test, visit);
      visitReads(v.yes, visit);
      visitReads(v.no, visit);
      return;
    case 'call':
      for (const a of v.args) visitReads(a, visit);
      return;
    case 'sequence':
      visitActions(v.body, visit);
      visitReads(v.value, visit);
      return;
  }
}

function visitActions(actions: readonly Action[], visit: (local: Local) => void): void {
  for (const a of actions) visitAction(a, visit);
}

function visitAction(a: Action, visit: (local: Local) => void): void {
  switch (a.kind) {
    case 'declare':
    case 'leave':
      return;
    case 'splice':
      visitActions(a.actions, visit);
      return;
    case 'set':
    case 'drop':
      visitReads(a.value, visit);
      return;
    case 'store':
      visitReads(a.address, visit);
      visitReads(a.value, visit);
      return;
    case 'bulk':
      for (const o of a.operands) visitReads(o, visit);
      return;
    case 'block':
      visitActions(a.body, visit);
      return;
    case 'if':
      visitReads(a.test, visit);
      visitActions(a.yes, visit);
      visitActions(a.no, visit);
      return;
    case 'loop':
      if (a.first) visitReads(a.first, visit);
      visitActions(a.before, visit);
      visitActions(a.body, visit);
      visitActions(a.step, visit);
      if (a.again) visitReads(a.again, visit);
      return;
    case 'switch':
      visitReads(a.value, visit);
      for (const { body } of a.cases) visitActions(body, visit);
      return;
    case 'return':
      if (a.value) visitReads(a.value, visit);
      return;
  }
}

/** Whether a value without calls is made of what lies in memory, as variables may that have an address. */
export function hasLoad(v: Value): boolean {
  switch (v.kind) {
    case 'load':
      return true;
    case 'read':
      return v.local.addressed;
    case 'operation':
      return v.operands.some(hasLoad);
    case 'extract':
      return hasLoad(v.operand);
    case 'replace':
      return hasLoad(v.operand) || hasLoad(v.by);
    case 'shuffle':
      return hasLoad(v.left) || hasLoad(v.right);
    case 'choose':
      return hasLoad(v.test) || hasLoad(v.yes) || hasLoad(v.no);
    default:
      return false;
  }
}
