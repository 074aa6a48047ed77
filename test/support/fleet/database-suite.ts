import * as assert from 'uvu/assert';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import { migrate } from '../../../sdk/fleet/database/migrate.ts';
import type { DatabaseKind } from './databases.ts';

/** Runs what every database has to do alike. */
export async function checkDatabase(kind: DatabaseKind): Promise<void> {
  const db = await kind.open();
  try {
    for (const [name, run] of Object.entries(CASES)) {
      await db.query('drop table if exists t');
      await db.query('create table t (id int primary key, n bigint, j jsonb)');
      await run(db).catch((e: Error) => {
        throw new Error(`${name}: ${e.message}`, { cause: e });
      });
    }
  } finally {
    await db.close();
  }
}

/** By name; each gets an empty table t. */
const CASES: Readonly<Record<string, (db: Database) => Promise<void>>> = {
  'a bigint is a number, a jsonb what it holds': async (db) => {
    const rows = await db.query('insert into t values ($1, $2, $3::jsonb) returning *', [
      1,
      2 ** 53 - 1,
      '{"a":[1,"x"]}',
    ]);
    assert.equal(rows, [{ id: 1, n: 2 ** 53 - 1, j: { a: [1, 'x'] } }]);
  },
  'counts are numbers, what is absent is null': async (db) => {
    assert.equal(await db.query('select count(*) as rows, max(n) as most from t'), [{ rows: 0, most: null }]);
  },
  'an integer beyond the exact ones is an error': async (db) => {
    await rejects(() => db.query('select 9007199254740993::bigint as n'), /does not fit/);
  },
  'lists go in as one JSON text': async (db) => {
    const list = JSON.stringify([
      { id: 1, n: 10, j: { x: 'a' } },
      { id: 2, n: 20, j: null },
    ]);
    await db.query('insert into t select id, n, j from jsonb_to_recordset($1::jsonb) as r(id int, n bigint, j jsonb)', [
      list,
    ]);
    await db.query(
      'insert into t select id, n + 1, j from jsonb_to_recordset($1::jsonb) as r(id int, n bigint, j jsonb) on conflict (id) do update set n = excluded.n',
      [list],
    );
    assert.equal(await db.query('select id, n, j from t order by id'), [
      { id: 1, n: 11, j: { x: 'a' } },
      { id: 2, n: 21, j: null },
    ]);
  },
  'a transaction is all or nothing': async (db) => {
    await db.transaction(async (tx) => {
      await tx.query('insert into t values (1, 1, null)');
      await tx.transaction((inner) => inner.query('insert into t values (2, 2, null)'));
    });
    await rejects(
      () =>
        db.transaction(async (tx) => {
          await tx.query('delete from t');
          throw new Error('thought better of it');
        }),
      /thought better/,
    );
    assert.equal(await db.query('select id from t order by id'), [{ id: 1 }, { id: 2 }]);
  },
  'a failed statement fails its transaction': async (db) => {
    await rejects(
      () =>
        db.transaction(async (tx) => {
          await tx.query('insert into t values (1, 1, null)');
          await tx.query('insert into t values (1, 1, null)');
        }),
      /duplicate key/,
    );
    assert.equal(await db.query('select id from t'), []);
  },
  'transactions that count the same row lose nothing': async (db) => {
    await db.query('insert into t values (1, 0, null)');
    const add = (): Promise<void> =>
      db.transaction(async (tx) => {
        const [row] = await tx.query<{ n: number }>('select n from t where id = 1 for update');
        await tx.query('update t set n = $1 where id = 1', [row!.n + 1]);
      });
    await Promise.all(Array.from({ length: 20 }, add));
    assert.equal(await db.query('select n from t'), [{ n: 20 }]);
  },
  'transactions that lock each other out run again': async (db) => {
    await db.query('insert into t values (1, 0, null), (2, 0, null)');
    const both = (first: number, second: number): Promise<void> =>
      db.transaction(async (tx) => {
        await tx.query('update t set n = n + 1 where id = $1', [first]);
        await tx.query('update t set n = n + 1 where id = $1', [second]);
      });
    await Promise.all([both(1, 2), both(2, 1), both(1, 2), both(2, 1)]);
    assert.equal(await db.query('select n from t'), [{ n: 4 }, { n: 4 }]);
  },
  'migrations that are done are not done again; later ones are refused': async (db) => {
    await Promise.all([migrate(db), migrate(db)]);
    await db.query(`insert into migrations values (999999, 'of the future')`);
    await rejects(() => migrate(db), /later version/);
  },
};

async function rejects(work: () => Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work().then(
    () => undefined,
    (e: unknown) => e,
  );
  assert.instance(error, Error);
  assert.match((error as Error).message, message);
}
