import type { Expression, Function as Routine, Type, Variable } from './ast.ts';
import type { Constant } from './constants.ts';
import { parseNumber } from './numbers.ts';
import type { Text } from './preprocess.ts';
import { refused } from './refuse.ts';
import { empty, LITERAL, token } from './tokens.ts';

/** What a name stands for. */
export type Binding =
  | { readonly kind: 'type'; readonly type: Type }
  | { readonly kind: 'variable'; readonly read: Expression }
  /** Of a file; `use` notes that it is needed. */
  | { readonly kind: 'global'; readonly use: () => Expression }
  | { readonly kind: 'function'; readonly use: () => Routine };

/** Tokens that are being parsed, and what names mean there. */
export class Parser {
  codes: Int32Array = new Int32Array(0);
  starts: Int32Array = new Int32Array(0);
  at = 0;
  /** The token that is next. */
  code = 0;
  /** What the function that is being parsed returns. */
  result: Type | undefined;
  /** Variables that functions keep between calls. */
  readonly statics: Variable[] = [];
  readonly text: Text;
  /** By name. */
  private readonly bindings: (Binding | undefined)[];
  /** What names meant outside of the scopes that are open, and the names that scope after scope begins with. */
  private readonly hidden: { readonly name: number; readonly binding: Binding | undefined }[] = [];
  private readonly scopes: number[] = [];
  private readonly constants: (Constant | undefined)[];
  private variables = 0;

  constructor(text: Text) {
    this.text = text;
    this.bindings = empty(text.spellings.names);
    this.constants = empty(text.spellings.literals);
  }

  /** Goes on with one of these tokens, of which the last is an end. */
  open({ codes, starts, at }: Pick<Parser, 'codes' | 'starts' | 'at'>): void {
    this.codes = codes;
    this.starts = starts;
    this.at = at;
    this.code = this.codes[at] as number;
  }

  next(): void {
    this.code = this.codes[++this.at] as number;
  }

  accept(code: number): boolean {
    if (this.code !== code) return false;
    this.next();
    return true;
  }

  expect(code: number): void {
    if (this.code !== code) throw this.unexpected(`'${this.spelling(code)}'`);
    this.next();
  }

  /** A string of this text. */
  expectString(text: string): void {
    if (this.spelling(this.code) !== `"${text}"`) throw this.unexpected(`"${text}"`);
    this.next();
  }

  spelling(code: number): string {
    return this.text.spellings.of(code);
  }

  unexpected(wanted: string): Error {
    return this.refused(`${wanted} was expected instead of '${this.spelling(this.code)}'`);
  }

  /** Of the token that is next, or of one before. */
  refused(what: string, at = this.at): Error {
    return refused(this.text.lineOf(this.starts[at] ?? 0), what);
  }

  /** The constant of a number. */
  number(code: number): Constant {
    const known = this.constants[code - LITERAL];
    if (known) return known;
    const value = parseNumber(this.spelling(code));
    if (!value) throw this.refused(`${this.spelling(code)} is not a number`);
    this.constants[code - LITERAL] = value;
    return value;
  }

  newVariable(name: string, type: Type, storage: Variable['storage'], external = false, data?: Uint8Array): Variable {
    const addressed = type.kind === 'array' || type.kind === 'record';
    return {
      id: this.variables++,
      name,
      type,
      storage,
      addressed,
      ...(external && { external }),
      ...(data && { data }),
    };
  }

  lookup(name: number): Binding | undefined {
    return this.bindings[name];
  }

  bind(name: number, binding: Binding): void {
    if (this.scopes.length > 0) this.hidden.push({ name, binding: this.bindings[name] });
    this.bindings[name] = binding;
  }

  bindVariable(name: number, variable: Variable): void {
    const { type } = variable;
    this.bind(name, { kind: 'variable', read: { kind: 'read', type, place: { kind: 'variable', variable, type } } });
  }

  enterScope(): void {
    this.scopes.push(this.hidden.length);
  }

  leaveScope(): void {
    const first = this.scopes.pop() ?? 0;
    while (this.hidden.length > first) {
      const last = this.hidden.pop();
      if (last) this.bindings[last.name] = last.binding;
    }
  }
}

export const OPEN = token('(');
export const CLOSE = token(')');
export const COMMA = token(',');
export const SEMICOLON = token(';');
export const ASSIGN = token('=');
export const STAR = token('*');
export const BRACE = token('{');
export const END_BRACE = token('}');
export const BRACKET = token('[');
export const END_BRACKET = token(']');
