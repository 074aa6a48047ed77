import type { Expression, Function as Routine, Type, Unit, Variable } from './ast.ts';
import { type Declarator, parseDeclarator, parseSpecifiers, type Specifiers } from './declarators.ts';
import { parseData } from './initializers.ts';
import { Expander } from './macros.ts';
import { Refusal } from './nodes.ts';
import { ASSIGN, BRACE, BRACKET, CLOSE, COMMA, END_BRACE, END_BRACKET, OPEN, Parser, SEMICOLON } from './parser.ts';
import { preprocess, type Text } from './preprocess.ts';
import { refused } from './refuse.ts';
import { parseBlock } from './statements.ts';
import { END, Tokens } from './tokens.ts';
import { isSame, VECTOR } from './types.ts';

/**
 * Parses a translation unit. What stands at its top is read in full, but bodies of functions and lists of tables only where a function
 * that is not static needs them: most of the text is a library of which a module uses little. Throws EW5002_COMPILER_FAILED with the line
 * of what is not in the subset of C that kernels are written in.
 */
export function parse(source: string, defines: readonly string[]): Unit {
  return new File(preprocess(source, defines)).parse();
}

/** Tokens of the text, from one to before another. */
interface Range {
  readonly from: number;
  readonly to: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface FunctionEntry {
  readonly function: Mutable<Routine>;
  /** Names of parameters. */
  names: readonly number[];
  body?: Range;
  /** The token where it is defined, or declared while it is not. */
  order: number;
  isUsed: boolean;
}

class File {
  private readonly parser: Parser;
  private readonly expander: Expander;
  private readonly text: Text;
  /** Of what is parsed, and of what waits until a table that it needs is. */
  private readonly expanded = new Tokens(4096);
  /** Where the declaration at the top begins that is read. */
  private first = 0;
  private readonly functions = new Map<number, FunctionEntry>();
  private readonly globals: Variable[] = [];
  /** Functions that are used and not parsed yet. */
  private readonly waiting: FunctionEntry[] = [];
  private readonly used: FunctionEntry[] = [];

  constructor(text: Text) {
    this.text = text;
    this.parser = new Parser(text);
    this.expander = new Expander(text);
    this.parser.bind(text.spellings.name('v128_t'), { kind: 'type', type: VECTOR });
  }

  parse(): Unit {
    const { length } = this.text.tokens;
    for (let at = 0; at < length; ) at = this.outer(at);
    for (const entry of this.functions.values()) if (entry.function.external) this.use(entry);
    for (let entry = this.waiting.pop(); entry; entry = this.waiting.pop()) this.body(entry);
    const functions = this.used.sort((a, b) => a.order - b.order).map((entry) => entry.function);
    return { functions, globals: [...this.globals, ...this.parser.statics] };
  }

  /** One declaration at the top; the token after it. */
  private outer(from: number): number {
    this.first = from;
    const { codes, length } = this.text.tokens;
    let depth = 0;
    let assigned = 0;
    for (let at = from; at < length; at++) {
      const code = codes[at] as number;
      if (code === OPEN || code === BRACKET) depth++;
      else if (code === CLOSE || code === END_BRACKET) depth--;
      else if (depth > 0) continue;
      else if (code === ASSIGN) assigned ||= at;
      else if (code === SEMICOLON) {
        if (at > from) this.declaration(from, at, assigned || at);
        return at + 1;
      } else if (code === BRACE) {
        const end = this.endOfBraces(at);
        if (codes[at - 1] === CLOSE && !assigned) {
          this.definition(from, at, end);
          return end;
        }
        at = end - 1;
      }
    }
    throw this.refused(from, 'a declaration without an end');
  }

  /** The token after the brace that closes what the one at `from` opens. */
  private endOfBraces(from: number): number {
    const { codes, length } = this.text.tokens;
    let depth = 0;
    for (let at = from; at < length; at++) {
      if (codes[at] === BRACE) depth++;
      else if (codes[at] === END_BRACE && --depth === 0) return at + 1;
    }
    throw this.refused(from, "a '{' that is not closed");
  }

  private refused(at: number, what: string): Error {
    return refused(this.text.lineOf(this.text.tokens.starts[at] ?? 0), what);
  }

  /** Has these tokens parsed, all of them. */
  private within<T>({ from, to }: Range, parseIt: (p: Parser) => T): T {
    const { parser, expanded } = this;
    const { codes, starts, at } = parser;
    const first = expanded.length;
    this.expander.expand(from, to, expanded);
    parser.open({ codes: expanded.codes, starts: expanded.starts, at: first });
    try {
      const result = parseIt(parser);
      if (parser.code !== END) throw parser.unexpected('an end');
      return result;
    } catch (error) {
      throw error instanceof Refusal ? parser.refused(error.what) : error;
    } finally {
      parser.open({ codes, starts, at });
      expanded.length = first;
    }
  }

  private declaration(from: number, to: number, assigned: number): void {
    this.within({ from, to: assigned }, (p) => {
      const specifiers = parseSpecifiers(p);
      do {
        this.declare(
          p,
          specifiers,
          parseDeclarator(p, specifiers.type),
          assigned < to ? { from: assigned + 1, to } : undefined,
        );
      } while (p.accept(COMMA));
    });
  }

  private declare(p: Parser, specifiers: Specifiers, declared: Declarator, initial: Range | undefined): void {
    if (!declared.name) throw p.unexpected('a name');
    if (initial && p.code !== END) throw p.refused('several variables with values in one declaration');
    if (declared.parameters) this.declareFunction(p, specifiers, declared);
    else if (!specifiers.isTypedef) this.declareGlobal(p, specifiers, declared, initial);
    else if (declared.isOpen) throw p.refused('a type without a length');
    else p.bind(declared.name, { kind: 'type', type: declared.type });
  }

  private declareGlobal(p: Parser, { isStatic }: Specifiers, declared: Declarator, initial: Range | undefined): void {
    const { name } = declared;
    if (p.lookup(name)) throw p.refused(`'${p.spelling(name)}' is declared again`);
    let read: Expression | undefined;
    const use = (): Expression => {
      read ??= this.readOf(declared, isStatic, initial);
      return read;
    };
    p.bind(name, { kind: 'global', use });
    if (!isStatic) use();
  }

  private readOf(
    { name, type: declared, isOpen }: Declarator,
    isStatic: boolean,
    range: Range | undefined,
  ): Expression {
    const { parser } = this;
    if (isOpen && !range) throw parser.refused('an array without a length');
    const begun = range && this.within(range, (p) => parseData(p, declared, isOpen));
    const type = begun?.type ?? declared;
    const variable = parser.newVariable(parser.spelling(name), type, 'global', !isStatic, begun?.data);
    this.globals.push(variable);
    return { kind: 'read', type, place: { kind: 'variable', variable, type } };
  }

  private declareFunction(p: Parser, { isStatic, inline }: Specifiers, declared: Declarator): FunctionEntry {
    const { name, type, parameters = [] } = declared;
    const known = this.functions.get(name);
    const variables = parameters.map((one) => {
      const variable = p.newVariable(one.name ? p.spelling(one.name) : '', one.type, 'parameter');
      return one.isUntouched ? { ...variable, untouched: true } : variable;
    });
    const names = parameters.map((one) => one.name);
    if (known) {
      const declaredBefore = [known.function.result, ...known.function.parameters.map((v) => v.type)];
      const types = [type, ...variables.map((v) => v.type)];
      if (types.length !== declaredBefore.length || !types.every((t, i) => isSame(t, declaredBefore[i] as Type)))
        throw p.refused(`'${p.spelling(name)}' is declared otherwise`);
      if (!known.body) {
        known.function.parameters = variables;
        known.names = names;
      }
      if (inline !== 'auto') known.function.inline = inline;
      return known;
    }
    if (p.lookup(name)) throw p.refused(`'${p.spelling(name)}' is declared again`);
    if (type.kind === 'record') throw p.refused('a function whose value is a record is not supported');
    const entry: FunctionEntry = {
      function: { name: p.spelling(name), external: !isStatic, result: type, parameters: variables, inline },
      names,
      order: this.first,
      isUsed: false,
    };
    this.functions.set(name, entry);
    p.bind(name, {
      kind: 'function',
      use: () => {
        this.use(entry);
        return entry.function;
      },
    });
    return entry;
  }

  private definition(from: number, brace: number, end: number): void {
    this.within({ from, to: brace }, (p) => {
      const specifiers = parseSpecifiers(p);
      const declared = parseDeclarator(p, specifiers.type);
      if (!declared.parameters || specifiers.isTypedef) throw p.unexpected('a function');
      const entry = this.declareFunction(p, specifiers, declared);
      if (entry.body) throw p.refused(`'${entry.function.name}' is defined again`);
      entry.body = { from: brace, to: end };
      entry.order = brace;
    });
  }

  private use(entry: FunctionEntry): void {
    if (entry.isUsed) return;
    entry.isUsed = true;
    this.used.push(entry);
    this.waiting.push(entry);
  }

  private body(entry: FunctionEntry): void {
    const { function: made, names, body } = entry;
    if (!body) throw this.refused(entry.order, `'${made.name}' is not defined`);
    made.body = this.within(body, (p) => {
      p.result = made.result;
      p.enterScope();
      for (const [i, variable] of made.parameters.entries()) {
        const name = names[i];
        if (name) p.bindVariable(name, variable);
      }
      const block = parseBlock(p);
      p.leaveScope();
      return block;
    });
  }
}
