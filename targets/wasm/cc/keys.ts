import type { Value } from './code.ts';

/** Text that is the same for values that are made in the same way. Calls and sequences are made once only. */
export function keyOf(value: Value): string {
  switch (value.kind) {
    case 'constant':
      return `${value.type}:${value.value}`;
    case 'vector':
      return `v${value.bytes.join()}`;
    case 'read':
      return `r${value.local.id}`;
    case 'frame':
      return `f${value.local.id}`;
    case 'data':
      return `d${value.global.id}`;
    case 'operation':
      return `${value.opcode}(${value.operands.map(keyOf).join()})`;
    case 'extract':
      return `${value.opcode}.${value.lane}(${keyOf(value.operand)})`;
    case 'replace':
      return `${value.opcode}.${value.lane}(${keyOf(value.operand)},${keyOf(value.by)})`;
    case 'shuffle':
      return `s${value.lanes.join()}(${keyOf(value.left)},${keyOf(value.right)})`;
    case 'load':
      return `${value.opcode}[${keyOf(value.address)}+${value.offset}]`;
    case 'choose':
      return `?(${keyOf(value.test)},${keyOf(value.yes)},${keyOf(value.no)})`;
    case 'call':
    case 'sequence':
      return `u${unique++}`;
  }
}

let unique = 0;
