import { createHmac } from 'node:crypto';
import type { Database } from '../database/index.ts';

/** Something that somebody did, or tried, that others may ask about later. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Who: `token:ID`, `device:NAME`, `rollout:ID`, `controller`. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** Nothing secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

interface Row extends Required<Omit<AuditEntry, 'details'>> {
  readonly n: number;
  readonly details: string;
  readonly previous: string;
  readonly hash: string;
}

export type Chained = Omit<Row, 'details'> & { readonly details: Readonly<Record<string, unknown>> };

/** What is wrong with the log, by the entry where it shows. */
export interface AuditProblem {
  readonly n: number;
  readonly problem: string;
}

const FIRST = '0'.repeat(64);
const PAGE = 1000;

/**
 * The audit log. Every entry has the hash of the one before, and the last is known apart: what is edited, removed, inserted or cut off is found.
 * The hashes have a key that is not in the database, so that who can write to the database alone cannot mend the chain.
 */
export class AuditLog {
  private readonly database: Database;
  private readonly key: Uint8Array;

  constructor(database: Database, key: Uint8Array) {
    this.database = database;
    this.key = key;
  }

  /** Adds entries: in the transaction of what they are about, where one is given. */
  async add(entries: readonly AuditEntry[], db: Database = this.database): Promise<void> {
    if (entries.length === 0) return;
    await db.transaction(async (tx) => {
      await tx.query('insert into audit_head (n, hash) values (0, $1) on conflict do nothing', [
        this.hashOfHead(0, FIRST),
      ]);
      // Entries are added one after another, whoever adds them.
      await tx.query('select 1 from audit_head for update');
      const [last] = await tx.query<{ n: number; hash: string }>('select n, hash from audit order by n desc limit 1');
      let { n, hash } = last ?? { n: 0, hash: FIRST };
      const rows = entries.map((entry) => {
        const row = { ...entry, n: n + 1, details: JSON.stringify(entry.details ?? {}), previous: hash };
        n = row.n;
        hash = this.hashOf(row);
        return { ...row, hash };
      });
      await tx.query(
        `insert into audit select n, at, actor, action, subject, details, previous, hash from jsonb_to_recordset($1::jsonb)
           as a(n bigint, at bigint, actor text, action text, subject text, details text, previous text, hash text)`,
        [JSON.stringify(rows)],
      );
      await tx.query('update audit_head set n = $1, hash = $2', [n, this.hashOfHead(n, hash)]);
    });
  }

  /** The newest first. */
  async list(before: number | undefined, most: number): Promise<Chained[]> {
    const rows = await this.database.query<Row>(
      'select * from audit where n < coalesce($1::bigint, 9007199254740991) order by n desc limit $2',
      [before ?? null, most],
    );
    return rows.map((row) => ({ ...row, details: JSON.parse(row.details) }));
  }

  /** Goes through the whole log; the problems that it finds, at most 100, and how many entries there are. */
  async verify(): Promise<{ entries: number; problems: AuditProblem[] }> {
    const problems: AuditProblem[] = [];
    let last = { n: 0, hash: FIRST };
    for (;;) {
      const rows = await this.database.query<Row>('select * from audit where n > $1 order by n limit $2', [
        last.n,
        PAGE,
      ]);
      for (const row of rows) {
        if (problems.length === 100) return { entries: row.n, problems };
        const found = this.problemOf(row, last);
        if (found) problems.push({ n: row.n, problem: found });
        last = row;
      }
      if (rows.length < PAGE) break;
    }
    const [head] = await this.database.query<{ n: number; hash: string }>('select n, hash from audit_head');
    if (head ? head.n !== last.n || head.hash !== this.hashOfHead(last.n, last.hash) : last.n > 0)
      problems.push({
        n: last.n,
        problem: `the log ends with entry ${last.n}, it was ${head?.n ?? 'empty'} that was written last`,
      });
    return { entries: last.n, problems };
  }

  private problemOf(row: Row, last: { n: number; hash: string }): string | undefined {
    if (row.n !== last.n + 1) return `entries ${last.n + 1} to ${row.n - 1} are missing`;
    if (row.previous !== last.hash) return 'the entry before it is another than when it was written';
    return row.hash === this.hashOf(row) ? undefined : 'it was changed';
  }

  private hashOf({ n, at, actor, action, subject, details, previous }: Omit<Row, 'hash'>): string {
    return this.hash(JSON.stringify([n, at, actor, action, subject, details, previous]));
  }

  private hashOfHead(n: number, hash: string): string {
    return this.hash(JSON.stringify(['head', n, hash]));
  }

  private hash(text: string): string {
    return createHmac('sha256', this.key).update(text).digest('hex');
  }
}
