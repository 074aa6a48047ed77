/**
 * What the controller keeps its state in: PGlite in a folder or in memory, or a PostgreSQL server. Both speak one subset of SQL, so that
 * the same statements run on both: times are bigint milliseconds since 1970, digests text of hex digits, structures jsonb, and lists go in
 * as one JSON text (`jsonb_to_recordset($1::jsonb)`). A bigint comes back as a number, a jsonb as what it holds.
 */
export interface Database {
  /**
   * Rows of one statement with parameters $1, $2, ... Inside `transaction`, use the database that the work is given.
   * @throws EigenError EW5201_DATABASE_UNAVAILABLE when the server is not reachable.
   */
  query<T>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  /**
   * All of the work or none of it. A server that finds two transactions in each other's way ends one, and its work runs again: it must have
   * no other effects. A transaction inside another is part of it.
   */
  transaction<T>(work: (db: Database) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Integers in SQL are exact up to 2^63, numbers up to 2^53: what is beyond is a bug, not a rounding. */
export function exactNumber(text: string | bigint): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a number`);
  return value;
}

/** Whether a statement failed for a value that it was given (SQLSTATE 22: data exception): it would fail again. */
export function isRefusedValue(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^22...$/.test(String(error.code));
}
