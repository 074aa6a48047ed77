import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openEmbedded } from '../../../sdk/fleet/database/index.ts';
import type { DeviceFacts } from '../../../sdk/fleet/rollout/facts.ts';
import {
  conditionOf,
  type FactColumns,
  matches,
  parseQuery,
  printQuery,
  type Query,
} from '../../../sdk/fleet/rollout/query/index.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';

/** Few of them, so that they are met; with what patterns and SQL have a meaning for. */
const text = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'a%', 'a_b', "it's", '!', '\\', 'A', 'é', '😀', 'a b', 'NULL'),
  fc.string({ unit: 'grapheme', maxLength: 4 }).filter((s) => !s.includes('\0') && !/\p{Surrogate}/u.test(s)),
);
const pattern = fc.oneof(
  text,
  fc.array(fc.oneof(fc.constantFrom('*', '?', '%', '_', '!'), text), { maxLength: 4 }).map((p) => p.join('')),
);
const number = fc.constantFrom(0, 0.5, 1, 1.1, 12.345, 1e6);
const source = fc.oneof(
  fc.constantFrom('device', 'board', 'agent', 'profile', 'running').map((field) => ({ field: field as 'board' })),
  fc.constantFrom('site', 'x-1').map((tag) => ({ tag })),
);
const field = fc.constantFrom('p95' as const, 'memory' as const);

const queries = fc.letrec<{ query: Query }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<Query>({ kind: 'all' }, { kind: 'flag', field: 'online' }),
    fc.record({ kind: fc.constant('in' as const), source, values: fc.array(text, { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant('like' as const), source, pattern }),
    fc.record({
      kind: fc.constant('has' as const),
      what: fc.oneof(
        source,
        field.map((n) => ({ number: n })),
      ),
    }),
    fc.record({
      kind: fc.constant('number' as const),
      field,
      order: fc.constantFrom('=' as const, '!=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const),
      value: number,
    }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('query'), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('query') }),
  ),
})).query;

const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const facts = fc
  .record({
    device: text,
    board: text,
    agent: maybe(text),
    profile: maybe(text),
    running: maybe(text),
    online: fc.boolean(),
    tags: fc.dictionary(fc.constantFrom('site', 'x-1', 'other'), text),
    p95: maybe(number),
    memory: maybe(number),
  })
  .map(
    (f) => Object.fromEntries(Object.entries(f).filter(([, value]) => value !== undefined)) as unknown as DeviceFacts,
  );

test('query: what is printed reads as the same query', () => {
  fc.assert(
    fc.property(queries, (query) => {
      assert.equal(parseQuery(printQuery(query)), structuredClone(query));
    }),
    { numRuns: 300 },
  );
});

test('query: any text is a query or is refused with a position in it', () => {
  const words = fc.constantFrom(
    'board',
    'tag.x',
    '=',
    '~',
    '(',
    ')',
    'and',
    'or',
    'not',
    'in',
    "'a'",
    "'",
    '3ms',
    ',',
    'has',
    'online',
    ' ',
  );
  const texts = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((w) => w.join(' ')),
  );
  fc.assert(
    fc.property(texts, (query) => {
      try {
        parseQuery(query);
      } catch (e) {
        assert.ok(isEigenError(e) && e.code === 'EW1011_QUERY_INVALID', String(e));
        const position = e.details.position as number;
        assert.ok(position >= 1 && position <= query.length + 1, `${position} of ${query.length}`);
      }
    }),
    { numRuns: 2000 },
  );
});

const COLUMNS: FactColumns = {
  fields: {
    device: "f ->> 'device'",
    board: "f ->> 'board'",
    agent: "f ->> 'agent'",
    profile: "f ->> 'profile'",
    running: "f ->> 'running'",
    online: "(f ->> 'online')::boolean",
    p95: "(f ->> 'p95')::double precision",
    memory: "(f ->> 'memory')::double precision",
  },
  tag: (name) => `(f -> 'tags' ->> ${name})`,
};

test('query: the database says what the program says', async () => {
  const database = await openEmbedded();
  try {
    const fleet = fc.array(facts, { minLength: 20, maxLength: 20 });
    const run = async (query: Query, all: DeviceFacts[]): Promise<void> => {
      const { sql, parameters } = conditionOf(query, COLUMNS, 2);
      const rows = await database.query<{ holds: boolean }>(
        `select ${sql} as holds from jsonb_array_elements($1::jsonb) with ordinality as t(f, n) order by n`,
        [JSON.stringify(all), ...parameters],
      );
      assert.equal(
        rows.map((r) => r.holds),
        all.map((f) => matches(query, f)),
        printQuery(query),
      );
    };
    await fc.assert(fc.asyncProperty(queries, fleet, run), { numRuns: 150 });
  } finally {
    await database.close();
  }
});

test.run();
