import type { Function as Routine, Variable } from './ast.ts';
import type { ValueMap } from './keys.ts';
import type { ValueType } from './opcodes.ts';

/**
 * Kernels between C and bytes: calls are inlined, types are WebAssembly's, conversions that cost nothing are gone. Values form trees, as
 * they lie on WebAssembly's stack.
 */

/** Where what does not change while parameters of a function have their values is computed: at its beginning. */
export interface Home {
  readonly actions: Action[];
  /** Loops around it. */
  readonly loops: number;
  /** What is there, by what it is made of. */
  readonly made: ValueMap<Local>;
}

/** A variable of a function: what it is, and what is found out about it. */
export interface Local {
  readonly id: number;
  readonly name: string;
  /** Of its value; undefined for arrays and records. */
  readonly type: ValueType | undefined;
  readonly bytes: number;
  readonly align: number;
  /** Of an int: whether it has a sign. */
  readonly signed: boolean;
  /** Nothing but its declaration writes it. */
  readonly stable: boolean;
  /** All that writes it is seen: `known` is kept. */
  readonly tracked: boolean;
  /** Blocks around its declaration. */
  depth: number;
  /** Its value where lowering stands, if that is a constant, or one more or less than what does not change. */
  known: Value | undefined;
  /** It does not change behind this. */
  home: Home | undefined;
  /** Its address may be used. */
  readonly addressed: boolean;
  /** Nor does what it points to. */
  readonly untouched: boolean;
  /** Its address is used otherwise than to read or write it. */
  escapes: boolean;
  /** Times that it is read. */
  reads: number;
  /** Parts of an array or a record that are locals of their own, by offset. */
  slots: Map<number, Local> | undefined;
  /** Number of the local of WebAssembly. */
  index: number;
  /** In the frame, of one that escapes. */
  offset: number;
}

export type Value =
  /** bigint for i64. */
  | { readonly kind: 'constant'; readonly type: ValueType; readonly value: number | bigint }
  | { readonly kind: 'vector'; readonly type: ValueType; readonly bytes: Uint8Array }
  | { readonly kind: 'read'; readonly type: ValueType; readonly local: Local }
  /** Address of a local, of a global. */
  | { readonly kind: 'frame'; readonly type: ValueType; readonly local: Local }
  | { readonly kind: 'data'; readonly type: ValueType; readonly global: Variable }
  | {
      readonly kind: 'operation';
      readonly type: ValueType;
      readonly opcode: number;
      readonly operands: readonly Value[];
    }
  /** `lane` of a vector. */
  | {
      readonly kind: 'extract';
      readonly type: ValueType;
      readonly opcode: number;
      readonly lane: number;
      readonly operand: Value;
    }
  | {
      readonly kind: 'replace';
      readonly type: ValueType;
      readonly opcode: number;
      readonly lane: number;
      readonly operand: Value;
      readonly by: Value;
    }
  | {
      readonly kind: 'shuffle';
      readonly type: ValueType;
      readonly lanes: readonly number[];
      readonly left: Value;
      readonly right: Value;
    }
  /** `bytes` from `address` plus `offset` on. */
  | {
      readonly kind: 'load';
      readonly type: ValueType;
      readonly opcode: number;
      readonly bytes: number;
      readonly address: Value;
      readonly offset: number;
    }
  /** One of two, of which only one is computed. */
  | {
      readonly kind: 'choose';
      readonly type: ValueType;
      readonly test: Value;
      readonly yes: Value;
      readonly no: Value;
    }
  | {
      readonly kind: 'call';
      readonly type: ValueType | undefined;
      readonly function: Routine;
      readonly args: readonly Value[];
    }
  | {
      readonly kind: 'sequence';
      readonly type: ValueType;
      readonly body: readonly Action[];
      readonly value: Value;
    };

/** What `leave` and `next` go to. */
export interface Label {
  /** How many blocks of WebAssembly are around it, while code is generated in it. */
  depth: number;
  /** Something goes there. */
  used: boolean;
}

export type Action =
  /** It exists from here to the end of the block. */
  | { readonly kind: 'declare'; readonly local: Local }
  /** Actions of the block that it is in, which may not all be there yet. */
  | { readonly kind: 'splice'; readonly actions: readonly Action[] }
  | { readonly kind: 'set'; readonly local: Local; readonly value: Value }
  | {
      readonly kind: 'store';
      readonly opcode: number;
      readonly bytes: number;
      readonly address: Value;
      readonly offset: number;
      readonly value: Value;
      readonly lane?: number;
    }
  /** Computed for what it does. */
  | { readonly kind: 'drop'; readonly value: Value }
  /** memory.copy and memory.fill. */
  | { readonly kind: 'bulk'; readonly opcode: number; readonly operands: readonly [Value, Value, Value] }
  /** `leave` goes behind it. */
  | { readonly kind: 'block'; readonly label?: Label; readonly body: readonly Action[] }
  | { readonly kind: 'if'; readonly test: Value; readonly yes: readonly Action[]; readonly no: readonly Action[] }
  /** Runs once at least where it has no `first`; again while `again` is true, for ever where that is absent. */
  | {
      readonly kind: 'loop';
      /** What `break` goes to. */
      readonly exit: Label;
      /** What `continue` goes to: the step. */
      readonly next: Label;
      readonly first?: Value;
      /** Done before the first round. */
      readonly before: readonly Action[];
      readonly body: readonly Action[];
      readonly step: readonly Action[];
      readonly again?: Value;
    }
  | {
      readonly kind: 'switch';
      readonly exit: Label;
      readonly value: Value;
      /** Bodies one after another, through which control falls; the last case may be for all other values. */
      readonly cases: readonly { readonly values: readonly number[]; readonly body: readonly Action[] }[];
      readonly otherwise: number | undefined;
    }
  | { readonly kind: 'leave'; readonly label: Label }
  | { readonly kind: 'return'; readonly value?: Value };

/** A function ready to be encoded. */
export interface Code {
  readonly function: Routine;
  readonly parameters: readonly Local[];
  readonly result: ValueType | undefined;
  readonly body: readonly Action[];
}
