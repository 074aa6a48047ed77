/**
 * Kernels between the two halves of the compiler: C that is parsed and has its types, with every conversion written out, and not yet
 * WebAssembly. Sizes and alignments are those of wasm32.
 */

export type Type =
  | { readonly kind: 'void' }
  | { readonly kind: 'int'; readonly bytes: 1 | 2 | 4 | 8; readonly signed: boolean }
  | { readonly kind: 'float'; readonly bytes: 4 | 8 }
  /** v128_t. */
  | { readonly kind: 'vector' }
  | { readonly kind: 'pointer'; readonly to: Type }
  | { readonly kind: 'array'; readonly of: Type; readonly length: number }
  | Record;

/** A struct, or a union, whose members all have offset 0. */
export interface Record {
  readonly kind: 'record';
  readonly bytes: number;
  readonly align: number;
  readonly members: readonly { readonly name: string; readonly type: Type; readonly offset: number }[];
}

export interface Variable {
  /** Of one translation unit; inlined bodies get variables of their own. */
  readonly id: number;
  readonly name: string;
  readonly type: Type;
  readonly storage: 'parameter' | 'local' | 'global';
  /** `&` is applied to it, or it is an array or a record: it has an address, in the stack or in the module's data. */
  addressed: boolean;
  /** `const T *restrict` of a parameter: what it points to is not written while the function runs, and can be read from the beginning on. */
  readonly untouched?: boolean;
  /** A global that is neither static nor in a function: one for all units that have it by this name, as those here are all weak. */
  readonly external?: boolean;
  /** Bytes that a global begins with, of its type's size; zeros where absent. */
  readonly data?: Uint8Array;
}

/** What is read, written or pointed to. */
export type Place =
  | { readonly kind: 'variable'; readonly variable: Variable; readonly type: Type }
  /** Members and elements, too: their offset is added to the address. */
  | { readonly kind: 'memory'; readonly address: Expression; readonly type: Type };

/** Operands of one type, which is the result's but where it says otherwise. Signed and unsigned are told apart by the type. */
export type BinaryOperator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'rem'
  | 'and'
  | 'or'
  | 'xor'
  /** The right operand is an int of the left one's size. */
  | 'shl'
  | 'shr'
  /** The result is an int; operands may be pointers, which compare without sign. */
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge';

/** Every expression has the type of its value. Ints of fewer than four bytes exist in memory, in variables and as results of `convert`, never as operands of arithmetic. */
export type Expression =
  /** bigint for 8 byte ints; ints are within the range of their type. */
  | { readonly kind: 'constant'; readonly type: Type; readonly value: number | bigint }
  | { readonly kind: 'read'; readonly type: Type; readonly place: Place }
  /** `&place`, and what an array is as a pointer to its first element. */
  | { readonly kind: 'address'; readonly type: Type; readonly place: Place }
  /** Between ints, floats and pointers (of 4 bytes, without sign); to an int of fewer bytes it keeps the low ones, and their sign where it is signed. To void: the value is dropped. */
  | { readonly kind: 'convert'; readonly type: Type; readonly operand: Expression }
  /** `-x`, `~x`; `!x` is an int, of ints, floats or pointers. */
  | {
      readonly kind: 'unary';
      readonly operator: 'negate' | 'complement' | 'not';
      readonly type: Type;
      readonly operand: Expression;
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly type: Type;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** Pointer plus index (a 4 byte int, with sign or without) times the bytes of an element. Pointers less pointers are `sub` of converted ones, divided. */
  | {
      readonly kind: 'offset';
      readonly type: Type;
      readonly base: Expression;
      readonly index: Expression;
      readonly scale: number;
    }
  /** `&&`, `||`: an int 0 or 1. */
  | {
      readonly kind: 'logical';
      readonly operator: 'and' | 'or';
      readonly type: Type;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'conditional';
      readonly type: Type;
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  /** Its value is what was written. Records are copied: `value` is then a `read`. */
  | { readonly kind: 'assign'; readonly type: Type; readonly place: Place; readonly value: Expression }
  /** `+=`, `++` and the like: the place is found once and read into `old`, a variable that only `value` reads; `value` is written. */
  | {
      readonly kind: 'modify';
      readonly type: Type;
      readonly place: Place;
      readonly old: Variable;
      readonly value: Expression;
      readonly result: 'old' | 'new';
    }
  | { readonly kind: 'comma'; readonly type: Type; readonly first: Expression; readonly second: Expression }
  | { readonly kind: 'call'; readonly type: Type; readonly function: Function; readonly args: readonly Expression[] }
  /** An instruction by its name in wasm_simd128.h or as `__builtin_...`; operands that have to be constants are `constant`s. */
  | { readonly kind: 'intrinsic'; readonly type: Type; readonly name: string; readonly args: readonly Expression[] };

/** Tests are ints, floats or pointers: true where not 0. */
export type Statement =
  | { readonly kind: 'expression'; readonly expression: Expression }
  /** Where a variable begins to exist. Without `init` it may hold anything. Arrays and records of a list are a `declare` without one, then assignments, all elements written. */
  | { readonly kind: 'declare'; readonly variable: Variable; readonly init?: Expression }
  | { readonly kind: 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'if'; readonly test: Expression; readonly yes: Statement; readonly no?: Statement }
  /** `for` and `while`: the test comes first; `do`: after the body. `step` runs after the body and after `continue`. What `for` declares is in a block around it. */
  | {
      readonly kind: 'loop';
      readonly test?: Expression;
      readonly testFirst: boolean;
      /** `_Pragma("clang loop unroll(disable)")` is in front of it. */
      readonly rolled?: boolean;
      readonly body: Statement;
      readonly step?: Expression;
    }
  /** Statements of the cases one after another, through which control falls; `from` is an index into `body`. */
  | {
      readonly kind: 'switch';
      readonly value: Expression;
      readonly cases: readonly { readonly value: number; readonly from: number }[];
      readonly otherwise?: number;
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'return'; readonly value?: Expression };

export interface Function {
  readonly name: string;
  readonly result: Type;
  readonly parameters: readonly Variable[];
  /** Absent until it is defined. */
  body?: Statement;
  /** always: at every call; never: one copy; auto: as the compiler likes. */
  inline: 'always' | 'never' | 'auto';
  /** Not static: one for all units that define it by this name, and what can be exported. */
  readonly external?: boolean;
}

/** What the functions that are not static need, directly or not; the rest of the text is left out. */
export interface Unit {
  /** In the order of their definition. */
  readonly functions: readonly Function[];
  readonly globals: readonly Variable[];
}
