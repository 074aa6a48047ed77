import { EigenError } from '../../../sdk/util/errors.ts';
import type { Function as Routine, Unit, Variable } from './ast.ts';
import type { Code, Value } from './code.ts';
import { Bytes } from './encode.ts';
import { factsOf } from './facts.ts';
import { generate } from './generate.ts';
import { alignOf, sizeOf } from './layout.ts';
import { lower } from './lower.ts';
import { I32, type ValueType } from './opcodes.ts';
import { type Needs, placeLocals } from './slots.ts';

/** Bytes from 0 on that the stack has; what is in the module's data lies behind it. */
const STACK = 65536;
const PAGE = 65536;
const MOST_PAGES = 65536;
const ALIGNMENT = 16;

/**
 * Functions that are not told to be inlined, or not to be, are where nothing else calls them, or where they have no more parts than this, and
 * than this more for each argument that is a constant.
 */
const INLINED = 80;
const INLINED_FOR_CONSTANT = 40;

interface Compiled {
  readonly code: Code;
  readonly needs: Needs;
}

/**
 * Makes a module of units: `exports` are functions in them, besides which it exports its stack pointer and where its data ends. It imports
 * a shared memory `env.memory`, which holds zeros where nothing was written.
 */
export function assemble(units: readonly Unit[], exports: readonly string[]): Uint8Array {
  const linked = new Linker(units);
  const roots = exports.map((name) => linked.exported(name));
  const compiled = compileAll(linked, roots);
  const layout = new Layout(linked, compiled);
  const index = new Map([...compiled.keys()].map((f, i) => [f, i]));
  const surroundings = {
    indexOf: (f: Routine) => index.get(linked.function(f))!,
    addressOf: (v: Variable) => layout.addresses.get(linked.global(v))!,
  };
  const types = new Types();
  const functions = new Bytes();
  const bodies = new Bytes(1 << 16);
  functions.u32(compiled.size);
  bodies.u32(compiled.size);
  for (const { code, needs } of compiled.values()) {
    functions.u32(types.of(code));
    bodies.sized(generate(code, needs.frame, surroundings));
  }
  const module = new Bytes(1 << 16);
  module.bytes([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  module.section(1, types.section());
  module.section(2, memoryImport(layout.end));
  module.section(3, functions);
  module.section(6, globals(layout.end));
  module.section(7, exportSection(exports, roots.map(surroundings.indexOf)));
  module.section(10, bodies);
  module.section(11, layout.section());
  return module.written().slice();
}

/** Names that all units share. */
class Linker {
  private readonly functions = new Map<string, Routine>();
  private readonly globals = new Map<string, Variable>();

  constructor(units: readonly Unit[]) {
    for (const { functions, globals } of units) {
      for (const f of functions) if (f.external && f.body && !this.functions.has(f.name)) this.functions.set(f.name, f);
      for (const g of globals) if (g.external && !this.globals.has(g.name)) this.globals.set(g.name, g);
    }
  }

  exported(name: string): Routine {
    const f = this.functions.get(name);
    if (!f) throw undefinedName(name);
    return f;
  }

  /** The one that is meant by `f`. */
  function(f: Routine): Routine {
    const defined = f.external ? this.functions.get(f.name) : f;
    if (!defined?.body) throw undefinedName(f.name);
    return defined;
  }

  global(v: Variable): Variable {
    return v.external ? this.globals.get(v.name)! : v;
  }
}

function undefinedName(name: string): EigenError {
  return new EigenError('EW5002_COMPILER_FAILED', `the kernel compiler failed: ${name} is not defined`, {
    hint: 'This is a defect of the generated code; set EIGEN_DEBUG=1 and report it with the model.',
  });
}

/** Lowers what the exports need, in the order in which it is found. */
function compileAll(linked: Linker, roots: readonly Routine[]): ReadonlyMap<Routine, Compiled> {
  const calls = callsOf(linked, roots);
  const inlines = (f: Routine, args: readonly Value[]): boolean => {
    const callee = linked.function(f);
    if (callee.inline !== 'auto') return callee.inline === 'always';
    if (callee.external) return false;
    const constants = args.filter((a) => a.kind === 'constant').length;
    return calls.get(callee) === 1 || factsOf(callee).size <= INLINED + constants * INLINED_FOR_CONSTANT;
  };
  const compiled = new Map<Routine, Compiled>();
  const queue = [...new Set(roots)];
  for (const f of queue) {
    const code = lower(f, inlines);
    const needs = placeLocals(code);
    compiled.set(f, { code, needs });
    for (const called of needs.functions) {
      const callee = linked.function(called);
      if (!queue.includes(callee)) queue.push(callee);
    }
  }
  return compiled;
}

/** How many calls there are of each function that can be reached. */
function callsOf(linked: Linker, roots: readonly Routine[]): ReadonlyMap<Routine, number> {
  const counts = new Map<Routine, number>();
  const queue = [...new Set(roots)];
  const seen = new Set(queue);
  for (const f of queue) {
    for (const called of factsOf(f).calls) {
      const callee = linked.function(called);
      counts.set(callee, (counts.get(callee) ?? 0) + 1);
      if (!seen.has(callee)) queue.push(callee);
      seen.add(callee);
    }
  }
  return counts;
}

/** Where globals lie: those that begin with something first, since the memory is zeros already. */
class Layout {
  readonly addresses = new Map<Variable, number>();
  readonly end: number;
  private readonly filled: Variable[];

  constructor(linked: Linker, compiled: ReadonlyMap<Routine, Compiled>) {
    const all = new Set<Variable>();
    for (const { needs } of compiled.values()) for (const g of needs.globals) all.add(linked.global(g));
    this.filled = [...all].filter((g) => g.data?.some((b) => b !== 0));
    let end = STACK;
    for (const g of [...this.filled, ...[...all].filter((v) => !this.filled.includes(v))]) {
      const bytes = sizeOf(g.type);
      end = aligned(end, bytes >= ALIGNMENT ? ALIGNMENT : alignOf(g.type));
      this.addresses.set(g, end);
      end += bytes;
    }
    this.end = aligned(end, ALIGNMENT);
  }

  /**
   * Every instance writes them again, in all threads: they are constants, and a variable, which begins as 0, is none of them.
   */
  section(): Bytes {
    const to = new Bytes(1 << 12);
    to.u32(this.filled.length);
    for (const g of this.filled) {
      to.bytes([0x00, 0x41]);
      to.s32(this.addresses.get(g)!);
      to.byte(0x0b);
      to.u32(g.data!.length);
      to.bytes(g.data!);
    }
    return to;
  }
}

function aligned(address: number, to: number): number {
  return Math.ceil(address / to) * to;
}

/** Types of functions, each once. */
class Types {
  private readonly known = new Map<string, number>();
  private readonly list = new Bytes();

  of({ parameters, result }: Code): number {
    const types = parameters.map((p) => p.type!);
    const key = [...types, '>', result].join(' ');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const index = this.known.size;
    this.known.set(key, index);
    this.list.byte(0x60);
    this.vector(types);
    this.vector(result === undefined ? [] : [result]);
    return index;
  }

  section(): Bytes {
    const to = new Bytes();
    to.u32(this.known.size);
    to.bytes(this.list.written());
    return to;
  }

  private vector(types: readonly ValueType[]): void {
    this.list.u32(types.length);
    this.list.bytes(types);
  }
}

function memoryImport(end: number): Bytes {
  const to = new Bytes();
  to.u32(1);
  to.name('env');
  to.name('memory');
  // A memory, shared, with a limit.
  to.bytes([0x02, 0x03]);
  to.u32(Math.ceil(end / PAGE));
  to.u32(MOST_PAGES);
  return to;
}

/** The stack pointer, which every thread sets for itself, and the first address behind the data. */
function globals(end: number): Bytes {
  const to = new Bytes();
  to.u32(2);
  to.bytes([I32, 0x01, 0x41]);
  to.s32(STACK);
  to.bytes([0x0b, I32, 0x00, 0x41]);
  to.s32(end);
  to.byte(0x0b);
  return to;
}

function exportSection(names: readonly string[], indices: readonly number[]): Bytes {
  const to = new Bytes(1 << 12);
  to.u32(names.length + 2);
  to.name('__stack_pointer');
  to.bytes([0x03, 0]);
  to.name('__heap_base');
  to.bytes([0x03, 1]);
  names.forEach((name, i) => {
    to.name(name);
    to.byte(0x00);
    to.u32(indices[i]!);
  });
  return to;
}
