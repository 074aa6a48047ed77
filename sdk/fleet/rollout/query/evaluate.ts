import type { DeviceFacts } from '../facts.ts';
import type { Order, Query, TextSource } from './query.ts';

/** Whether a query holds for a device. */
export function matches(query: Query, facts: DeviceFacts): boolean {
  switch (query.kind) {
    case 'all':
      return true;
    case 'and':
      return query.parts.every((p) => matches(p, facts));
    case 'or':
      return query.parts.some((p) => matches(p, facts));
    case 'not':
      return !matches(query.part, facts);
    case 'flag':
      return facts[query.field];
    case 'has':
      return ('number' in query.what ? facts[query.what.number] : textOf(query.what, facts)) !== undefined;
    case 'number':
      return compare(facts[query.field], query.order, query.value);
    case 'in': {
      const text = textOf(query.source, facts);
      return text !== undefined && query.values.includes(text);
    }
    case 'like': {
      const text = textOf(query.source, facts);
      return text !== undefined && like(query.pattern, text);
    }
    default:
      return query satisfies never;
  }
}

function textOf(source: TextSource, facts: DeviceFacts): string | undefined {
  if ('field' in source) return facts[source.field];
  return Object.hasOwn(facts.tags, source.tag) ? facts.tags[source.tag] : undefined;
}

function compare(left: number | undefined, order: Order, right: number): boolean {
  if (left === undefined) return order === '!=';
  switch (order) {
    case '=':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    default:
      return order satisfies never;
  }
}

/**
 * Whether a text is as a pattern says, by code points. The last star alone is tried at other places: time is the product of the lengths
 * at most, where a regular expression's may be exponential.
 */
function like(pattern: string, text: string): boolean {
  const p = [...pattern];
  const t = [...text];
  let [i, k] = [0, 0];
  let [star, from] = [-1, 0];
  while (k < t.length) {
    if (p[i] === '*') [star, from] = [i++, k];
    else if (i < p.length && (p[i] === '?' || p[i] === t[k])) [i, k] = [i + 1, k + 1];
    else if (star >= 0) [i, k] = [star + 1, ++from];
    else return false;
  }
  while (p[i] === '*') i++;
  return i === p.length;
}
