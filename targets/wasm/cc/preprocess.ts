import { refused } from './refuse.ts';
import { FIRST_NAME, LITERAL, lex, Spellings, Tokens, token } from './tokens.ts';

/** Directives: what is left out, and macros, which are expanded where the parser asks for tokens (macros.ts). */

export interface Macro {
  /** Names of parameters; absent where it takes no list. */
  readonly parameters?: readonly number[];
  readonly body: readonly number[];
  /** The first token that it holds for, and the first that it does not hold for any more. */
  readonly from: number;
  until: number;
  /** What the name meant before. */
  readonly previous?: Macro;
  /** While it is expanded: its name in what it makes is left alone. */
  isBusy: boolean;
}

/** A translation unit without its directives. */
export interface Text {
  readonly tokens: Tokens;
  readonly spellings: Spellings;
  /** By name. */
  readonly macros: readonly (Macro | undefined)[];
  /** The line of a place in the text. */
  readonly lineOf: (at: number) => number;
}

const OPEN = token('(');
const CLOSE = token(')');
const COMMA = token(',');
const HASH = token('#');
const BRACES = [token('{'), token('}')] as const;

/** The header of the vector instructions is known to the compiler. */
const HEADER = /^<wasm_simd128\.h>\s*$/;

/** Tokens of the text that holds with these definitions (`NAME` or `NAME=value`). */
export function preprocess(source: string, defines: readonly string[]): Text {
  const first = defines.map((d) => `#define ${d.includes('=') ? d.replace('=', ' ') : `${d} 1`}\n`).join('');
  return new Directives(first + source, defines.length).read();
}

class Directives {
  private readonly tokens: Tokens;
  /** Of the directive that is read. */
  private readonly words = new Tokens(64);
  private readonly spellings = new Spellings();
  private readonly macros: (Macro | undefined)[] = [];
  /** Of each open group: whether what is around it holds, and whether its #else was there. */
  private readonly groups: { readonly outside: boolean; hadElse: boolean }[] = [];
  /** Whether what is read holds. */
  private holds = true;
  private readonly text: string;
  private readonly linesAdded: number;

  constructor(text: string, linesAdded: number) {
    this.text = text;
    // In C as it is written a token has three characters or four.
    this.tokens = new Tokens(text.length >> 1);
    this.linesAdded = linesAdded;
  }

  private readonly lineOf = (at: number): number => {
    let line = 1 - this.linesAdded;
    for (let i = this.text.indexOf('\n'); i >= 0 && i < at; i = this.text.indexOf('\n', i + 1)) line++;
    return line;
  };

  read(): Text {
    const { text } = this;
    let at = 0;
    while (at < text.length) {
      const hash = this.nextDirective(at);
      if (this.holds) this.lex(at, hash, this.tokens);
      else this.skip(at, hash);
      if (hash === text.length) break;
      const end = this.endOfLine(hash);
      this.directive(hash, end);
      at = end;
    }
    if (this.groups.length > 0) throw this.refused(text.length, '#endif is missing');
    return { tokens: this.tokens, spellings: this.spellings, macros: this.macros, lineOf: this.lineOf };
  }

  private refused(at: number, what: string): Error {
    return refused(this.lineOf(at), what);
  }

  private lex(from: number, to: number, out: Tokens): void {
    lex(this.text, from, to, this.spellings, out, this.lineOf);
  }

  /** What does not hold may be any text, but what looks like a directive must not be in a comment. */
  private skip(from: number, to: number): void {
    const skipped = this.text.slice(from, to);
    const comment = skipped.lastIndexOf('/*');
    if (comment >= 0 && !skipped.includes('*/', comment + 2)) {
      throw this.refused(from + comment, 'a comment that does not end before the next directive');
    }
  }

  /** Where the next `#` is that has nothing but blanks before it on its line; the end of the text if there is none. */
  private nextDirective(from: number): number {
    const { text } = this;
    for (let hash = text.indexOf('#', from); hash >= 0; hash = text.indexOf('#', hash + 1)) {
      let before = hash - 1;
      while (before >= 0 && (text[before] === ' ' || text[before] === '\t')) before--;
      if (before < 0 || (text[before] === '\n' && text[before - 1] !== '\\')) return hash;
    }
    return text.length;
  }

  /** The end of a line that may go on after a backslash. */
  private endOfLine(from: number): number {
    const { text } = this;
    for (let end = text.indexOf('\n', from); end >= 0; end = text.indexOf('\n', end + 1)) {
      if (text[end - 1] !== '\\' && !(text[end - 1] === '\r' && text[end - 2] === '\\')) return end;
    }
    return text.length;
  }

  private directive(hash: number, end: number): void {
    const words = /[ \t]*(\w*)\s*/y;
    words.lastIndex = hash + 1;
    const name = words.exec(this.text)?.[1] ?? '';
    const rest = Math.min(words.lastIndex, end);
    switch (name) {
      case 'ifdef':
      case 'ifndef':
        this.groups.push({ outside: this.holds, hadElse: false });
        if (this.holds) this.holds = this.isDefined(this.oneName(rest, end)) === (name === 'ifdef');
        return;
      case 'else':
        this.otherwise(hash);
        return;
      case 'endif':
        this.holds = this.groupAt(hash).outside;
        this.groups.pop();
        return;
    }
    if (!this.holds && !this.endsGroup(name)) {
      if (name === 'if') this.groups.push({ outside: false, hadElse: false });
      return;
    }
    const isHeader = name === 'include' && HEADER.test(this.text.slice(rest, end));
    if (name === 'define') this.define(rest, end);
    else if (name === 'undef') this.undefine(this.oneName(rest, end));
    else if (!isHeader) throw this.refused(hash, `#${this.text.slice(hash + 1, end).trim()} is not supported`);
  }

  /** Whether a directive of what does not hold says that more holds, or may do so: `#elif` and the like, and one without a name at its beginning. */
  private endsGroup(name: string): boolean {
    return name === '' || (name.startsWith('elif') && this.groups.at(-1)?.outside === true);
  }

  private groupAt(at: number) {
    const group = this.groups.at(-1);
    if (!group) throw this.refused(at, 'a directive without its #ifdef');
    return group;
  }

  private otherwise(at: number): void {
    const group = this.groupAt(at);
    if (group.hadElse) throw this.refused(at, 'a second #else');
    group.hadElse = true;
    this.holds = group.outside && !this.holds;
  }

  private isDefined(name: number): boolean {
    const macro = this.macros[name];
    return macro !== undefined && macro.until === Number.POSITIVE_INFINITY;
  }

  private lexWords(from: number, end: number): number[] {
    this.words.length = 0;
    this.lex(from, end, this.words);
    return [...this.words.codes.subarray(0, this.words.length)];
  }

  private oneName(from: number, end: number): number {
    const [name, ...more] = this.lexWords(from, end);
    if (name === undefined || name < FIRST_NAME || name >= LITERAL || more.length > 0) {
      throw this.refused(from, 'a directive that wants one name');
    }
    return name;
  }

  private undefine(name: number): void {
    const macro = this.macros[name];
    if (macro) macro.until = Math.min(macro.until, this.tokens.length);
  }

  private define(from: number, end: number): void {
    const codes = this.lexWords(from, end);
    const [name = 0, second] = codes;
    const [at = 0, after = 0] = this.words.starts;
    if (name < FIRST_NAME || name >= LITERAL) throw this.refused(from, '#define wants a name');
    // A list of parameters begins right after the name.
    const hasList = second === OPEN && after === at + this.spellings.of(name).length;
    const close = hasList ? codes.indexOf(CLOSE) : 0;
    if (close < 0) throw this.refused(from, 'a list of parameters without an end');
    const body = codes.slice(close + 1);
    this.check(body, from);
    const parameters = hasList ? this.parameters(codes.slice(2, close), from) : undefined;
    this.undefine(name);
    while (this.macros.length <= name) this.macros.push(undefined);
    this.macros[name] = {
      parameters,
      body,
      from: this.tokens.length,
      until: Number.POSITIVE_INFINITY,
      previous: this.macros[name],
      isBusy: false,
    };
  }

  private parameters(list: readonly number[], at: number): number[] {
    const names = list.filter((_, i) => i % 2 === 0);
    const isList = list.every((code, i) => (i % 2 === 0 ? code >= FIRST_NAME && code < LITERAL : code === COMMA));
    if (!isList || (list.length > 0 && list.length % 2 === 0)) {
      throw this.refused(at, 'a list of parameters that is not one of names');
    }
    return names;
  }

  /** Bodies of functions are found by their braces before macros are expanded. */
  private check(codes: readonly number[], at: number): void {
    if (codes.includes(HASH)) throw this.refused(at, '# in a macro is not supported');
    let depth = 0;
    for (const code of codes) {
      if (code === BRACES[0]) depth++;
      else if (code === BRACES[1] && --depth < 0) break;
    }
    if (depth !== 0) throw this.refused(at, 'a macro with a brace that it does not close');
  }
}
