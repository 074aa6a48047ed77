/**
 * Checks values against CDDL (RFC 8610), as much of it as the protocol's file uses: rules, choices, maps, arrays of one kind, literals,
 * ranges, sizes of texts and byte strings; and that no text has U+0000 in it, which the file says in words. It shares no code with the schemas that it is the counterpart of.
 */
export function cddlMatcher(text: string): (rule: string, value: unknown) => boolean {
  const rules = new Map<string, Matcher>();
  const parser = new Parser(tokensOf(text), (name) => {
    const rule = rules.get(name);
    if (!rule) throw new Error(`cddl: no rule '${name}'`);
    return rule;
  });
  while (!parser.done) {
    const name = parser.next();
    parser.expect('=');
    rules.set(name, parser.choice());
  }
  return (rule, value) => parser.lookUp(rule)(value);
}

type Matcher = (value: unknown) => boolean;

function tokensOf(text: string): string[] {
  const source = text.replace(/;.*$/gm, '');
  return source.match(/"[^"]*"|[A-Za-z][A-Za-z0-9-]*|-?\d+|\.\.|\.size|=>|[=/{}[\](),:?*]/g) ?? [];
}

const BUILT_IN: Readonly<Record<string, Matcher>> = {
  uint: (x) => Number.isSafeInteger(x) && (x as number) >= 0,
  int: (x) => Number.isSafeInteger(x),
  float: (x) => typeof x === 'number' && Number.isFinite(x),
  bool: (x) => typeof x === 'boolean',
  tstr: (x) => typeof x === 'string' && !x.includes('\0'),
  bstr: (x) => x instanceof Uint8Array,
};

const sizeOf = (x: unknown): number => (typeof x === 'string' ? Buffer.byteLength(x) : (x as Uint8Array).length);

class Parser {
  private at = 0;
  private readonly tokens: readonly string[];
  readonly lookUp: (name: string) => Matcher;

  constructor(tokens: readonly string[], lookUp: (name: string) => Matcher) {
    this.tokens = tokens;
    this.lookUp = lookUp;
  }

  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  next(): string {
    return this.tokens[this.at++]!;
  }

  expect(token: string): void {
    const found = this.next();
    if (found !== token) throw new Error(`cddl: '${found}' where '${token}' should be`);
  }

  private take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  choice(): Matcher {
    const options = [this.sized()];
    while (this.take('/')) options.push(this.sized());
    return (x) => options.some((option) => option(x));
  }

  private sized(): Matcher {
    const type = this.type();
    if (!this.take('.size')) return type;
    const [low, high] = this.take('(') ? this.range() : this.exactly();
    return (x) => type(x) && sizeOf(x) >= low && sizeOf(x) <= high;
  }

  private exactly(): [number, number] {
    const size = Number(this.next());
    return [size, size];
  }

  private range(): [number, number] {
    const low = Number(this.next());
    this.expect('..');
    const high = Number(this.next());
    this.expect(')');
    return [low, high];
  }

  private type(): Matcher {
    const token = this.next();
    if (token === '{') return this.map();
    if (token === '[') return this.array();
    if (token.startsWith('"')) return (x) => x === token.slice(1, -1);
    if (/^-?\d/.test(token)) {
      if (!this.take('..')) return (x) => x === Number(token);
      const high = Number(this.next());
      return (x) => BUILT_IN.int!(x) && (x as number) >= Number(token) && (x as number) <= high;
    }
    return BUILT_IN[token] ?? ((x) => this.lookUp(token)(x));
  }

  private array(): Matcher {
    this.expect('*');
    const item = this.choice();
    this.expect(']');
    return (x) => Array.isArray(x) && x.every(item);
  }

  private map(): Matcher {
    const members = new Map<string, { readonly optional: boolean; readonly value: Matcher }>();
    let others: { readonly key: Matcher; readonly value: Matcher } | undefined;
    while (!this.take('}')) {
      if (this.take('*')) {
        const key = this.choice();
        this.expect('=>');
        others = { key, value: this.choice() };
      } else {
        const optional = this.take('?');
        const name = this.next();
        this.expect(':');
        members.set(name, { optional, value: this.choice() });
      }
      this.take(',');
    }
    return (x) => {
      if (typeof x !== 'object' || x === null || Array.isArray(x) || x instanceof Uint8Array) return false;
      for (const [name, { optional }] of members) if (!optional && !(name in x)) return false;
      return Object.entries(x).every(([name, value]) => {
        const member = members.get(name);
        return member ? member.value(value) : (others?.key(name) ?? false) && (others?.value(value) ?? false);
      });
    };
  }
}
