import type { Action, Local, Value } from './code.ts';

/** The same value of other parts. */
export function mapParts(v: Value, map: (part: Value) => Value): Value {
  switch (v.kind) {
    case 'operation': {
      const operands = v.operands.map(map);
      return operands.every((o, i) => o === v.operands[i]) ? v : { ...v, operands };
    }
    case 'extract':
      return { ...v, operand: map(v.operand) };
    case 'replace': {
      const operand = map(v.operand);
      return { ...v, operand, by: map(v.by) };
    }
    case 'shuffle': {
      const left = map(v.left);
      return { ...v, left, right: map(v.right) };
    }
    case 'load':
      return { ...v, address: map(v.address) };
    case 'choose': {
      const test = map(v.test);
      const yes = map(v.yes);
      return { ...v, test, yes, no: map(v.no) };
    }
    case 'call':
      return { ...v, args: v.args.map(map) };
    default:
      return v;
  }
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
