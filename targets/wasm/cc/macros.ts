import type { Macro, Text } from './preprocess.ts';
import { refused } from './refuse.ts';
import { END, type Tokens, token } from './tokens.ts';

/** Expansion of macros, of a range of tokens at a time. */

const OPEN = token('(');
const CLOSE = token(')');
const COMMA = token(',');

/** Added to a name that was met while its macro was expanded: it is never expanded any more. */
const PAINT = 1 << 25;

/** Tokens that are being read: those of the text or what a macro is replaced by. */
interface Source {
  readonly codes: ArrayLike<number>;
  at: number;
  readonly end: number;
  readonly macro?: Macro;
}

/** The macro that a name means at a token of the text. */
function meaning(macros: readonly (Macro | undefined)[], name: number, at: number): Macro | undefined {
  let macro = macros[name];
  while (macro !== undefined && at < macro.from) macro = macro.previous;
  return macro !== undefined && at < macro.until ? macro : undefined;
}

export class Expander {
  private readonly text: Text;
  private readonly macros: readonly (Macro | undefined)[];
  /** The token of the text, of which all macros mean what they do there. */
  private place = 0;

  constructor(text: Text) {
    this.text = text;
    this.macros = text.macros;
  }

  /** Adds tokens `from` to `to` of the text, expanded, and an end. */
  expand(from: number, to: number, out: Tokens): void {
    const { tokens } = this.text;
    const { codes, starts, length } = tokens;
    const { macros } = this;
    const names = macros.length;
    // What comes before it is there.
    let done = from;
    for (let at = from; at < to; at++) {
      const code = codes[at] as number;
      if (code >= names || macros[code] === undefined) continue;
      out.copy(tokens, done, at);
      const simple = this.oneToken(code, at);
      if (simple !== undefined) out.push(simple, starts[at] as number);
      else at = this.expandOne(at, to, out) - 1;
      done = at + 1;
    }
    out.copy(tokens, done, to);
    out.push(END, starts[Math.min(to, length - 1)] ?? 0);
  }

  /** Expands a name of the text that is a macro; the token after what it takes. */
  private expandOne(at: number, to: number, out: Tokens): number {
    const { codes, starts } = this.text.tokens;
    this.place = at;
    const source = { codes, at, end: to };
    const made: number[] = [];
    this.run([source], made, true);
    for (const code of made) out.push(code, starts[at] as number);
    return source.at;
  }

  /** Of a macro that is another name for one token, as most are, that token. */
  private oneToken(name: number, at: number): number | undefined {
    const macro = meaning(this.macros, name, at);
    if (!macro) return name;
    const code = macro.body[0];
    const isOne = !macro.parameters && macro.body.length === 1 && code !== undefined;
    return isOne && this.macros[code] === undefined ? code : undefined;
  }

  /** Expands what is read: `once` until only the text is left, otherwise all of it, for a list that is read again. */
  private run(sources: Source[], out: number[], once: boolean): void {
    for (;;) {
      const source = sources[sources.length - 1] as Source;
      if (source.at === source.end) {
        if (sources.length === 1) return;
        leave(sources);
        if (once && sources.length === 1) return;
        continue;
      }
      const code = this.painted(source.codes[source.at++] as number);
      if (code >= PAINT || !this.enter(code, sources)) {
        out.push(once && code >= PAINT ? code - PAINT : code);
        if (once && sources.length === 1) return;
      }
    }
  }

  private painted(code: number): number {
    return code < PAINT && this.macros[code] && meaning(this.macros, code, this.place)?.isBusy ? code + PAINT : code;
  }

  /** Goes on with what the name is replaced by; false where it means itself. */
  private enter(name: number, sources: Source[]): boolean {
    const macro = this.macros[name] && meaning(this.macros, name, this.place);
    if (!macro) return false;
    let codes = macro.body;
    if (macro.parameters) {
      if (!isOpenNext(sources)) return false;
      codes = this.substitute(macro, macro.parameters, this.arguments(macro.parameters.length, name, sources));
    }
    macro.isBusy = true;
    sources.push({ codes, at: 0, end: codes.length, macro });
    return true;
  }

  /** The lists of tokens between the parentheses that are read next. */
  private arguments(count: number, name: number, sources: Source[]): number[][] {
    const list: number[][] = [[]];
    let depth = 0;
    for (;;) {
      const source = sources[sources.length - 1] as Source;
      if (source.at === source.end) {
        if (sources.length === 1) throw this.refused(name, 'without the end of its arguments');
        leave(sources);
        continue;
      }
      const code = this.painted(source.codes[source.at++] as number);
      if (code === OPEN && depth++ === 0) continue;
      if (code === CLOSE && --depth === 0) break;
      if (code === COMMA && depth === 1) list.push([]);
      else list.at(-1)?.push(code);
    }
    const isEmpty = count === 0 && list.length === 1 && list[0]?.length === 0;
    if (!isEmpty && list.length !== count)
      throw this.refused(name, `with ${list.length} arguments instead of ${count}`);
    return list;
  }

  private substitute(macro: Macro, parameters: readonly number[], list: readonly number[][]): number[] {
    const codes: number[] = [];
    const expanded: (readonly number[] | undefined)[] = [];
    for (const code of macro.body) {
      const i = parameters.indexOf(code);
      if (i < 0) {
        codes.push(code);
        continue;
      }
      expanded[i] ??= this.argument(list[i] ?? []);
      for (const inner of expanded[i] ?? []) codes.push(inner);
    }
    return codes;
  }

  private argument(codes: readonly number[]): readonly number[] {
    if (codes.every((code) => code >= PAINT || this.macros[code] === undefined)) return codes;
    const out: number[] = [];
    this.run([{ codes, at: 0, end: codes.length }], out, false);
    return out;
  }

  private refused(name: number, what: string): Error {
    const { tokens, lineOf, spellings } = this.text;
    return refused(lineOf(tokens.starts[this.place] as number), `${spellings.of(name)} ${what}`);
  }
}

/** Whether the next token to be read opens a list; sources that have ended are left. */
function isOpenNext(sources: Source[]): boolean {
  for (;;) {
    const source = sources[sources.length - 1] as Source;
    if (source.at < source.end) return source.codes[source.at] === OPEN;
    if (sources.length === 1) return false;
    leave(sources);
  }
}

function leave(sources: Source[]): void {
  const macro = sources.pop()?.macro;
  if (macro) macro.isBusy = false;
}
