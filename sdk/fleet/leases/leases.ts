import type { Database } from '../database/index.ts';

/** A controller whose beat is older is taken for dead, milliseconds. Together with one beat it is how long a takeover takes. */
export const LIFETIME = 5000;
/** Between two beats, milliseconds. */
export const BEAT = 1500;

/** Time of the database, the same for all controllers whatever their clocks say. */
const NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint';

/** Somebody else holds what this controller was about to write for: what it knows may be old. Nothing is written. */
export class LeaseLost extends Error {
  constructor(names: readonly string[]) {
    super(`no longer held: ${names.join(', ')}`);
    this.name = 'LeaseLost';
  }
}

export interface LeaseOptions {
  /** Of this controller, different from that of any other that ever was. */
  readonly id: string;
  /** Everything that is shared out. */
  readonly names: readonly string[];
}

/**
 * Shares work among the controllers of one database. Each takes its part of the names, gives up what is too much when others come, and
 * takes over from those whose beat has stopped. A lease has a token that grows with every holder, and `fence` holds it still for the length
 * of a transaction: a controller that was thought dead, and was only slow, writes nothing any more.
 */
export class Leases {
  private readonly database: Database;
  private readonly options: LeaseOptions;
  private tokens: ReadonlyMap<string, number> = new Map();
  private known = false;

  constructor(database: Database, options: LeaseOptions) {
    this.database = database;
    this.options = options;
  }

  /** Whether this controller holds a name, as of its last beat. */
  holds(name: string): boolean {
    return this.tokens.has(name);
  }

  /** How many it holds. */
  get size(): number {
    return this.tokens.size;
  }

  /** Says that this controller lives, and takes or gives up what it has to; returns what is newly held. */
  async beat(): Promise<string[]> {
    const before = this.tokens;
    this.tokens = await this.database.transaction((db) => this.share(db));
    return [...this.tokens.keys()].filter((name) => before.get(name) !== this.tokens.get(name));
  }

  /** Gives everything up, for the others to take at once. */
  async release(): Promise<void> {
    this.tokens = new Map();
    await this.database.query('delete from controllers where id = $1', [this.options.id]);
  }

  /**
   * To be called in a transaction that writes on behalf of these names.
   * @throws LeaseLost when one is not held by this controller any more.
   */
  async fence(db: Database, names: Iterable<string>): Promise<void> {
    const wanted = [...new Set(names)].map((name) => ({ name, token: this.tokens.get(name) ?? -1 }));
    const rows = await db.query<{ name: string }>(
      `select l.name from leases l
       join jsonb_to_recordset($1::jsonb) as w(name text, token bigint) on w.name = l.name and w.token = l.token
       where l.holder = $2 order by l.name for share of l`,
      [JSON.stringify(wanted), this.options.id],
    );
    const good = new Set(rows.map((row) => row.name));
    const lost = wanted.filter(({ name }) => !good.has(name)).map(({ name }) => name);
    if (lost.length > 0) throw new LeaseLost(lost);
  }

  private async share(db: Database): Promise<Map<string, number>> {
    const { id, names } = this.options;
    await this.introduce(db);
    await db.query(
      `insert into controllers values ($1, ${NOW}) on conflict (id) do update set beat = greatest(controllers.beat, ${NOW})`,
      [id],
    );
    await db.query(`delete from controllers where beat < ${NOW} - ${LIFETIME} and id <> $1`, [id]);
    const [live] = await db.query<{ count: number }>('select count(*) as count from controllers');
    const mine = await db.query<{ name: string; token: number }>(
      'select name, token from leases where holder = $1 order by name',
      [id],
    );
    const fair = Math.ceil(names.length / live!.count);
    const surplus = mine.slice(fair);
    if (surplus.length > 0)
      await db.query(
        `update leases set holder = '' where holder = $1 and name in (select jsonb_array_elements_text($2::jsonb))`,
        [id, JSON.stringify(surplus.map((l) => l.name))],
      );
    const taken = fair > mine.length ? await this.take(db, fair - mine.length) : [];
    return new Map([...mine.slice(0, fair), ...taken].map(({ name, token }) => [name, token]));
  }

  private take(db: Database, most: number): Promise<{ name: string; token: number }[]> {
    return db.query(
      `update leases set holder = $1, token = token + 1 where name in (
         select name from leases l where not exists (select 1 from controllers c where c.id = l.holder)
         order by name limit $2 for update skip locked)
       returning name, token`,
      [this.options.id, most],
    );
  }

  private async introduce(db: Database): Promise<void> {
    if (this.known) return;
    await db.query(
      `insert into leases select value, '', 0 from jsonb_array_elements_text($1::jsonb) order by value on conflict do nothing`,
      [JSON.stringify(this.options.names)],
    );
    this.known = true;
  }
}
