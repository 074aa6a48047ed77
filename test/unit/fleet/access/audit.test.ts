// timeout: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AuditLog } from '../../../../sdk/fleet/access/audit.ts';
import { type Database, openEmbedded } from '../../../../sdk/fleet/database/index.ts';

const test = suite<{ db: Database; log: AuditLog }>('audit');

test.before(async (context) => {
  context.db = await openEmbedded();
});
test.after(({ db }) => db.close());
test.before.each(async (context) => {
  await context.db.query('delete from audit');
  await context.db.query('delete from audit_head');
  context.log = new AuditLog(context.db, new Uint8Array([1, 2, 3]));
  const entry = (i: number) => ({ at: i, actor: 'token:a', action: 'device-tag', subject: `d${i}`, details: { n: i } });
  await context.log.add([entry(1), entry(2)]);
  await Promise.all([3, 4, 5, 6].map((i) => context.log.add([entry(i)])));
});

test('a log that nobody touched is whole', async ({ log }) => {
  assert.equal(await log.verify(), { entries: 6, problems: [] });
  const [last] = await log.list(undefined, 1);
  assert.is(last?.n, 6);
  assert.equal(
    (await log.list(3, 10)).map((e) => e.n),
    [2, 1],
  );
});

const ATTACKS: Readonly<Record<string, readonly string[]>> = {
  'a text is edited': [`update audit set details = '{"n":7}' where n = 3`],
  'an actor is edited': [`update audit set actor = 'token:b' where n = 3`],
  'an entry is removed': ['delete from audit where n = 3'],
  'the first entry is removed': ['delete from audit where n = 1'],
  'an entry is removed and the rest renumbered': [
    'delete from audit where n = 3',
    'update audit set n = n + 1000 where n > 3',
    'update audit set n = n - 1001 where n > 1000',
  ],
  'the last entry is cut off': ['delete from audit where n = 6'],
  'the last entry is cut off, and the head set to the one before': [
    'delete from audit where n = 6',
    'update audit_head set n = 5, hash = (select hash from audit where n = 5)',
  ],
  'everything is removed': ['delete from audit'],
  'the head is removed': ['delete from audit_head'],
  'an entry is added': [
    `insert into audit select 7, at, actor, action, subject, details, hash, repeat('a', 64) from audit where n = 6`,
    `update audit_head set n = 7, hash = repeat('a', 64)`,
  ],
  'two entries change places': [
    'update audit set n = -1 where n = 2',
    'update audit set n = 2 where n = 3',
    'update audit set n = 3 where n = -1',
  ],
};

for (const [name, statements] of Object.entries(ATTACKS))
  test(`it is found when ${name}`, async ({ db, log }) => {
    for (const statement of statements) await db.query(statement);
    const { problems } = await log.verify();
    assert.ok(problems.length > 0);
  });

test('it is found when somebody without the key writes the whole chain anew', async ({ db, log }) => {
  const entries = await log.list(undefined, 10);
  await db.query('delete from audit');
  await db.query('delete from audit_head');
  const forged = new AuditLog(db, new Uint8Array([9]));
  await forged.add(
    entries.reverse().map(({ at, action, subject, details }) => ({ at, actor: 'token:b', action, subject, details })),
  );
  assert.equal((await forged.verify()).problems, []);
  assert.equal((await log.verify()).problems.length, 7);
});

test.run();
