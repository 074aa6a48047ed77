import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceFacts } from '../../../../../sdk/fleet/rollout/facts.ts';
import { conditionOf, matches, parseQuery, printQuery } from '../../../../../sdk/fleet/rollout/query/index.ts';
import { isEigenError } from '../../../../../sdk/util/errors.ts';

const pi: DeviceFacts = {
  device: 'kitchen-1',
  board: 'raspberry-pi-5',
  online: true,
  tags: { site: 'berlin', floor: '2' },
  p95: 12.5,
};
const orin: DeviceFacts = { device: 'gate-7', board: 'jetson-orin-nano-8gb', online: false, tags: {}, memory: 3e6 };

const cases: readonly [string, boolean, boolean][] = [
  ['all', true, true],
  ['online', true, false],
  ['not online', false, true],
  ['board = raspberry-pi-5', true, false],
  ["board ~ 'raspberry-pi-*'", true, false],
  ['board ~ *-orin-*', false, true],
  ['device ~ gate-?', false, true],
  ['tag.site = berlin and tag.floor = 2', true, false],
  ['tag.site != berlin', false, true],
  ['tag.site !~ b*', false, true],
  ['has tag.site', true, false],
  ['has p95 or has memory', true, true],
  ['p95 < 20ms', true, false],
  ['p95 <= 0.0125s', true, false],
  ['p95 != 12.5', false, true],
  ['memory >= 3MB', false, true],
  ['device in (gate-7, "kitchen-1")', true, true],
  ['device not in (gate-7)', true, false],
  ['online and board = x or device = gate-7', false, true],
  ['online and (board = x or device = gate-7)', false, false],
  ['not not online', true, false],
];

test('queries say of devices what they read as', () => {
  for (const [text, first, second] of cases) {
    const query = parseQuery(text);
    assert.is(matches(query, pi), first, text);
    assert.is(matches(query, orin), second, text);
    assert.equal(parseQuery(printQuery(query)), query, text);
  }
});

const wrong: readonly [string, number, RegExp][] = [
  ['', 1, /a fact is missing/],
  ['bord = x', 1, /'bord' is no fact; did you mean board\?/],
  ['online and', 11, /a fact is missing/],
  ['board < x', 7, /one of = != ~ !~ in/],
  ['p95 ~ 3', 5, /p95 is a number/],
  ['p95 < fast', 7, /a number is expected/],
  ['p95 < 3 furlongs', 9, /'and', 'or' or the end/],
  ['p95 < 3furlongs', 7, /'furlongs' is no unit/],
  ["tag.site = 'berlin", 12, /does not end/],
  ['tag.site = (', 12, /a text is expected/],
  ['(online', 8, /'\)' is expected/],
  ['device in (a b)', 14, /'\)' is expected/],
  ['has online', 5, /every device has 'online'/],
  ['online & x', 8, /'&' has no meaning/],
  [`${'('.repeat(70)}online`, 65, /more than 64 levels/],
  ["device = '\0'", 10, /is not Unicode/],
  ["device = '\ud800'", 10, /is not Unicode/],
  ['p95 < 1e999', 7, /too large/],
  ['constructor = x', 1, /is no fact/],
];

test('what cannot be read is refused with its position', () => {
  for (const [text, position, message] of wrong) {
    let error: unknown;
    try {
      parseQuery(text);
    } catch (e) {
      error = e;
    }
    assert.ok(isEigenError(error) && error.code === 'EW1011_QUERY_INVALID', text);
    assert.match(error.message, message);
    assert.is(error.details.position, position, text);
  }
});

test('a pattern full of stars takes no time', () => {
  const query = parseQuery(`device ~ '${'*a'.repeat(1000)}*b'`);
  assert.not(matches(query, { ...pi, device: 'a'.repeat(2000) }));
});

test('values are parameters, never part of the SQL', () => {
  const columns = {
    fields: {
      device: 'device',
      board: 'board',
      agent: 'agent',
      profile: 'profile',
      running: 'running',
      online: 'online',
      p95: 'p95',
      memory: 'memory',
    },
    tag: (name: string) => `tags ->> ${name}`,
  };
  const { sql, parameters } = conditionOf(parseQuery("tag.x ~ '50%*' and p95 < 3 or device = ''';--'"), columns, 3);
  assert.is(
    sql,
    "((COALESCE(tags ->> $3::text LIKE $4::text ESCAPE '!', FALSE) AND COALESCE(p95 < $5::double precision, FALSE))" +
      ' OR COALESCE(device = ANY($6::text[]), FALSE))',
  );
  assert.equal(parameters, ['x', '50!%%', 3, ["';--"]]);
});

test.run();
