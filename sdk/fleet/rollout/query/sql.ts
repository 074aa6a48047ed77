import type { FieldName, Query, TextSource } from './query.ts';

/** Where a database has the facts. */
export interface FactColumns {
  /** SQL expressions: of text, boolean or double precision. */
  readonly fields: Readonly<Record<FieldName, string>>;
  /** SQL of the text of a tag whose name is the SQL expression given. */
  tag(name: string): string;
}

export interface Condition {
  /** A boolean expression, never NULL. */
  readonly sql: string;
  /** Of the places $first, $first + 1 ... in it. */
  readonly parameters: readonly (string | number | readonly string[])[];
}

/** A query as a condition in SQL; it says of every device what `matches` says. */
export function conditionOf(query: Query, columns: FactColumns, first = 1): Condition {
  const parameters: (string | number | readonly string[])[] = [];
  const place = (value: string | number | readonly string[], type: string): string => {
    parameters.push(value);
    return `$${first + parameters.length - 1}::${type}`;
  };
  const source = (s: TextSource): string =>
    'field' in s ? columns.fields[s.field] : columns.tag(place(s.tag, 'text'));
  const sqlOf = (q: Query): string => {
    switch (q.kind) {
      case 'all':
        return 'TRUE';
      case 'and':
      case 'or':
        return `(${q.parts.map(sqlOf).join(q.kind === 'and' ? ' AND ' : ' OR ')})`;
      case 'not':
        return `(NOT ${sqlOf(q.part)})`;
      case 'flag':
        return `COALESCE(${columns.fields[q.field]}, FALSE)`;
      case 'has':
        return `(${'number' in q.what ? columns.fields[q.what.number] : source(q.what)} IS NOT NULL)`;
      case 'number': {
        const order = q.order === '!=' ? 'IS DISTINCT FROM' : q.order;
        return `COALESCE(${columns.fields[q.field]} ${order} ${place(q.value, 'double precision')}, FALSE)`;
      }
      case 'in':
        return `COALESCE(${source(q.source)} = ANY(${place(q.values, 'text[]')}), FALSE)`;
      case 'like':
        return `COALESCE(${source(q.source)} LIKE ${place(likePattern(q.pattern), 'text')} ESCAPE '!', FALSE)`;
      default:
        return q satisfies never;
    }
  };
  const sql = sqlOf(query);
  return { sql, parameters };
}

function likePattern(pattern: string): string {
  return pattern.replace(/[%_!]/g, '!$&').replaceAll('*', '%').replaceAll('?', '_');
}
