import { EigenError } from '../../util/errors.ts';
import type { Database } from './database.ts';
import { MIGRATIONS } from './migrations/index.ts';

/** Any number: what all controllers lock while the tables change. */
const LOCK = 0x65_77_6d_67;

/**
 * Brings the tables to what this version knows, in one transaction. Migrations that were released are never changed: a new one changes
 * what they made.
 * @throws EigenError EW5204_DATABASE_NEWER when a later version was here.
 */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (db) => {
    await db.query('select pg_advisory_xact_lock($1::bigint)', [LOCK]);
    await db.query('create table if not exists migrations (number int primary key, name text not null)');
    const done = new Set((await db.query<{ number: number }>('select number from migrations')).map((m) => m.number));
    const unknown = [...done].filter((number) => !MIGRATIONS.some((m) => m.number === number));
    if (unknown.length > 0)
      throw new EigenError(
        'EW5204_DATABASE_NEWER',
        `the database has tables of a later version (${unknown.join(', ')})`,
        {
          hint: 'Update this controller; versions do not go back.',
          details: { unknown },
        },
      );
    for (const { number, name, statements } of MIGRATIONS) {
      if (done.has(number)) continue;
      for (const statement of statements) await db.query(statement);
      await db.query('insert into migrations values ($1, $2)', [number, name]);
    }
  });
}
