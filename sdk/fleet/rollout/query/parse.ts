import { nearest } from '../../../util/nearest.ts';
import { FIELDS, type FieldName, type NumberField, ORDERS, type Order, type Query, type TextSource } from './query.ts';
import { queryInvalid, type Token, tokensOf } from './tokens.ts';

const TAG = /^tag\.([A-Za-z0-9_-]{1,64})$/;

/** Parentheses and negations in each other. */
const MOST_DEPTH = 64;

/**
 * A query from its text:
 *
 *   query = both *("or" both)             both = term *("and" term)
 *   term  = "not" term / "(" query ")" / "all" / flag / "has" field / number order value
 *         / text ("=" / "!=" / "~" / "!~") value / text ["not"] "in" "(" value *("," value) ")"
 *   text  = device / board / agent / profile / running / tag.NAME
 *
 * @throws EigenError EW1011_QUERY_INVALID with the position of what is wrong.
 */
export function parseQuery(text: string): Query {
  return new Parser(text).whole();
}

class Parser {
  private readonly query: string;
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(query: string) {
    this.query = query;
    this.tokens = tokensOf(query);
  }

  whole(): Query {
    const query = this.either();
    if (this.token.kind !== 'end') throw this.unexpected("'and', 'or' or the end");
    return query;
  }

  private get token(): Token {
    return this.tokens[this.next]!;
  }

  private take(): Token {
    return this.tokens[this.next++]!;
  }

  /** Takes a sign or a word of the language where it is the next. */
  private skip(text: string): boolean {
    const found = (this.token.kind === 'word' || this.token.kind === 'sign') && this.token.text === text;
    if (found) this.next++;
    return found;
  }

  private either(): Query {
    return this.joined('or', () => this.joined('and', () => this.term()));
  }

  private joined(kind: 'and' | 'or', part: () => Query): Query {
    const parts = [part()];
    while (this.skip(kind)) parts.push(part());
    return parts.length === 1 ? parts[0]! : { kind, parts };
  }

  private term(): Query {
    if (++this.depth > MOST_DEPTH) throw this.wrong(`more than ${MOST_DEPTH} levels`);
    const query = this.termInside();
    this.depth--;
    return query;
  }

  private termInside(): Query {
    if (this.skip('not')) return { kind: 'not', part: this.term() };
    if (this.skip('(')) {
      const query = this.either();
      this.expect(')');
      return query;
    }
    if (this.skip('all')) return { kind: 'all' };
    if (this.skip('has')) return this.has();
    const field = this.field();
    if (typeof field !== 'string') return this.text(field);
    const kind = FIELDS[field];
    if (kind === 'flag') return { kind, field: field as 'online' };
    return this.number(field as NumberField);
  }

  private has(): Query {
    const at = this.token;
    const what = this.field();
    if (typeof what !== 'string') return { kind: 'has', what };
    if (FIELDS[what] === 'number') return { kind: 'has', what: { number: what as NumberField } };
    throw this.wrong(`every device has '${what}'`, at);
  }

  /** Of numbers and flags the name, of texts where they come from. */
  private field(): FieldName | TextSource {
    const token = this.take();
    const tag = token.kind === 'word' ? TAG.exec(token.text)?.[1] : undefined;
    if (tag !== undefined) return { tag };
    if (token.kind === 'word' && Object.hasOwn(FIELDS, token.text)) {
      const name = token.text as FieldName;
      return FIELDS[name] === 'text' ? { field: name as 'board' } : name;
    }
    const names = [...Object.keys(FIELDS), 'tag.NAME'];
    const guess = token.kind === 'word' ? nearest(token.text, names) : undefined;
    const known = guess ? `; did you mean ${guess}?` : `; known are ${names.join(', ')}`;
    throw this.wrong(
      token.kind === 'end' ? `a fact is missing here${known}` : `'${token.text}' is no fact${known}`,
      token,
    );
  }

  private number(field: NumberField): Query {
    const sign = this.take();
    const order = ORDERS.find((o) => sign.kind === 'sign' && o === sign.text);
    if (!order) throw this.wrong(`${field} is a number: one of ${ORDERS.join(' ')} comes next`, sign);
    const token = this.take();
    if (token.kind !== 'number') throw this.wrong(`a number is expected after ${order}, such as 50ms or 2MB`, token);
    return { kind: 'number', field, order: order satisfies Order, value: token.value! };
  }

  private text(source: TextSource): Query {
    const sign = this.take();
    const negated = (part: Query): Query => ({ kind: 'not', part });
    switch (sign.kind === 'end' || sign.kind === 'text' ? '' : sign.text) {
      case '=':
        return { kind: 'in', source, values: [this.value()] };
      case '!=':
        return negated({ kind: 'in', source, values: [this.value()] });
      case '~':
        return { kind: 'like', source, pattern: this.value() };
      case '!~':
        return negated({ kind: 'like', source, pattern: this.value() });
      case 'in':
        return { kind: 'in', source, values: this.values() };
      case 'not':
        this.expect('in');
        return negated({ kind: 'in', source, values: this.values() });
      default:
        throw this.wrong('this is a text: one of = != ~ !~ in comes next', sign);
    }
  }

  private values(): string[] {
    this.expect('(');
    const values = [this.value()];
    while (this.skip(',')) values.push(this.value());
    this.expect(')');
    return values;
  }

  /** Texts need quotes only where they are no words. */
  private value(): string {
    const token = this.take();
    if (token.kind === 'text' || token.kind === 'word' || token.kind === 'number') return token.text;
    throw this.wrong('a text is expected', token);
  }

  private expect(text: string): void {
    if (!this.skip(text)) throw this.unexpected(`'${text}'`);
  }

  private unexpected(wanted: string): Error {
    return this.wrong(`${wanted} is expected`);
  }

  private wrong(problem: string, token = this.token): Error {
    return queryInvalid(this.query, token.at, problem);
  }
}
