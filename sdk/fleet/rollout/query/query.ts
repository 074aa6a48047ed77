/** Facts that a query can ask for; besides them `tag.NAME`. */
export const FIELDS = {
  device: 'text',
  board: 'text',
  agent: 'text',
  profile: 'text',
  running: 'text',
  online: 'flag',
  p95: 'number',
  memory: 'number',
} as const;

export type FieldName = keyof typeof FIELDS;
type FieldOf<K extends string> = { [F in FieldName]: (typeof FIELDS)[F] extends K ? F : never }[FieldName];
export type TextField = FieldOf<'text'>;
export type NumberField = FieldOf<'number'>;
export type FlagField = FieldOf<'flag'>;

/** Something that has a text for some devices. */
export type TextSource = { readonly field: TextField } | { readonly tag: string };

export const ORDERS = ['=', '!=', '<', '<=', '>', '>='] as const;
export type Order = (typeof ORDERS)[number];

/**
 * A question about a device that is answered with yes or no. What a device does not have equals nothing, is like nothing and is in no
 * order, so `!=` and `!~`, which are negations, hold for it.
 */
export type Query =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Query[] }
  | { readonly kind: 'not'; readonly part: Query }
  | { readonly kind: 'flag'; readonly field: FlagField }
  | { readonly kind: 'has'; readonly what: TextSource | { readonly number: NumberField } }
  | { readonly kind: 'number'; readonly field: NumberField; readonly order: Order; readonly value: number }
  | { readonly kind: 'in'; readonly source: TextSource; readonly values: readonly string[] }
  /** `*` in a pattern stands for any text, `?` for one character. */
  | { readonly kind: 'like'; readonly source: TextSource; readonly pattern: string };

/** A query as text that parses to the same query. */
export function printQuery(query: Query): string {
  switch (query.kind) {
    case 'all':
      return 'all';
    case 'and':
    case 'or':
      return query.parts
        .map((p) => (p.kind === 'and' || p.kind === 'or' ? `(${printQuery(p)})` : printQuery(p)))
        .join(` ${query.kind} `);
    case 'not':
      return query.part.kind === 'and' || query.part.kind === 'or'
        ? `not (${printQuery(query.part)})`
        : `not ${printQuery(query.part)}`;
    case 'flag':
      return query.field;
    case 'has':
      return `has ${'number' in query.what ? query.what.number : printSource(query.what)}`;
    case 'number':
      return `${query.field} ${query.order} ${query.value}`;
    case 'in':
      return query.values.length === 1
        ? `${printSource(query.source)} = ${quoted(query.values[0]!)}`
        : `${printSource(query.source)} in (${query.values.map(quoted).join(', ')})`;
    case 'like':
      return `${printSource(query.source)} ~ ${quoted(query.pattern)}`;
    default:
      return query satisfies never;
  }
}

export function printSource(source: TextSource): string {
  return 'tag' in source ? `tag.${source.tag}` : source.field;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
