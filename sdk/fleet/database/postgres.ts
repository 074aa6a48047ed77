import pg from 'pg';
import { EigenError } from '../../util/errors.ts';
import { type Database, exactNumber } from './database.ts';
import { migrate } from './migrate.ts';

/** serialization_failure, deadlock_detected: the work may run again. */
const AGAIN = new Set(['40001', '40P01']);
const MOST_TRIES = 5;
/** Connections of one controller. */
const MOST_CONNECTIONS = 8;

export interface ServerOptions {
  /** postgres://user@host:port/database; the password from it, from PGPASSWORD or from ~/.pgpass. */
  readonly url: string;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? exactNumber
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/**
 * A database on a PostgreSQL server, which several controllers may share.
 * @throws EigenError EW5201_DATABASE_UNAVAILABLE when it is not reachable.
 */
export async function openServer({ url }: ServerOptions): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: MOST_CONNECTIONS, types, connectionTimeoutMillis: 10_000 });
  // A connection that breaks while nobody uses it is opened again by the next query.
  pool.on('error', () => undefined);
  const database: Database = {
    query: (sql, params = []) => rowsOf(pool, sql, params),
    transaction: (work) => transaction(pool, work),
    close: () => pool.end(),
  };
  try {
    await migrate(database);
  } catch (e) {
    await pool.end();
    throw e;
  }
  return database;
}

async function rowsOf<T>(runner: pg.Pool | pg.PoolClient, sql: string, params: readonly unknown[]): Promise<T[]> {
  try {
    return (await runner.query(sql, [...params])).rows;
  } catch (e) {
    throw unavailable(e) ?? e;
  }
}

async function transaction<T>(pool: pg.Pool, work: (db: Database) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(pool, work);
    } catch (e) {
      if (attempt === MOST_TRIES || !AGAIN.has(codeOf(e))) throw e;
    }
  }
}

async function attemptOnce<T>(pool: pg.Pool, work: (db: Database) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((e: unknown) => {
    throw unavailable(e) ?? e;
  });
  // What breaks the connection fails the statement that runs; without a listener it would end the process too.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  const inside: Database = {
    query: (sql, params = []) => rowsOf(client, sql, params),
    transaction: (more) => more(inside),
    close: async () => undefined,
  };
  let broken: Error | undefined;
  try {
    await inside.query('begin');
    const result = await work(inside);
    await inside.query('commit');
    return result;
  } catch (e) {
    await client.query('rollback').catch((error: Error) => {
      broken = error;
    });
    throw e;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

function codeOf(e: unknown): string {
  return e instanceof Error && 'code' in e ? String(e.code) : '';
}

/** The server is not there, is starting or ending, does not know us, or has no such database; or the connection broke. */
const UNAVAILABLE = /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|08|28|3D000|53300|57P0)/;

function unavailable(e: unknown): EigenError | undefined {
  const lost = e instanceof Error && /^(Connection terminated|timeout exceeded when trying to connect)/.test(e.message);
  if (!lost && !UNAVAILABLE.test(codeOf(e))) return undefined;
  const reason = e instanceof Error && e.message ? e.message : codeOf(e);
  return new EigenError('EW5201_DATABASE_UNAVAILABLE', `the database server does not answer: ${reason}`, {
    hint: 'Look at whether the server runs, whether the address is right, and whether user and password are known to it.',
    cause: e,
  });
}
