import type { Home, Value } from './code.ts';
import { temporary } from './locals.ts';
import type { Lowering } from './lower.ts';
import { V128 } from './opcodes.ts';

/** Loads from further behind a pointer are left where they are: what lies there may not be memory. */
const REACH = 4096;

/**
 * What is loaded by way of a pointer to what is not written, and what vectors are made of that alone, is computed once before the loops
 * around: the engine does not know that it could.
 */
export function hoisted(l: Lowering, value: Value): Value {
  const home = homeOf(value);
  if (!home || home.loops >= l.loops) return value;
  const known = home.made.get(value);
  if (known) return { kind: 'read', type: value.type!, local: known };
  const local = { ...temporary('', value.type!, 16, true), home };
  home.made.set(value, local);
  home.actions.push({ kind: 'declare', local }, { kind: 'set', local, value });
  return { kind: 'read', type: value.type!, local };
}

function homeOf(value: Value): Home | undefined {
  if (value.kind === 'load') {
    const { address, offset } = value;
    return address.kind === 'read' && address.local.untouched && offset < REACH ? address.local.home : undefined;
  }
  if (value.kind !== 'operation' || value.type !== V128) return undefined;
  let home: Home | undefined;
  for (const v of value.operands) {
    if (v.kind === 'constant' || v.kind === 'vector') continue;
    if (v.kind !== 'read' || !v.local.home || v.local.untouched) return undefined;
    if (home && home !== v.local.home) return undefined;
    home = v.local.home;
  }
  return home;
}
