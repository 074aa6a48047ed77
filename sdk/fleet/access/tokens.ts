import type { Database } from '../database/index.ts';
import { hashOfSecret, newId, newSecret } from './secrets.ts';

/** What the holder of a token may do: look; change things; approve what others want to change; give out tokens. */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly created: number;
  readonly expires: number | null;
  readonly revoked: number | null;
}

/** Tokens of the API. Their secrets are told once and kept as hashes. */
export class ApiTokens {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async create(name: string, role: Role, now: number, expires?: number): Promise<{ token: ApiToken; secret: string }> {
    const secret = `ewt_${newSecret()}`;
    const token: ApiToken = { id: newId(), name, role, created: now, expires: expires ?? null, revoked: null };
    await this.database.query(
      'insert into api_tokens (id, name, role, hash, created, expires) values ($1, $2, $3, $4, $5, $6)',
      [token.id, name, role, hashOfSecret(secret), now, token.expires],
    );
    return { token, secret };
  }

  /** Whose secret it is; undefined when it is nobody's any more. */
  async find(secret: string, now: number): Promise<ApiToken | undefined> {
    const [token] = await this.database.query<ApiToken>(
      `select id, name, role, created, expires, revoked from api_tokens
       where hash = $1 and revoked is null and coalesce(expires, $2::bigint + 1) > $2::bigint`,
      [hashOfSecret(secret), now],
    );
    return token;
  }

  list(): Promise<ApiToken[]> {
    return this.database.query('select id, name, role, created, expires, revoked from api_tokens order by created, id');
  }

  /** Whether there was such a token. */
  async revoke(id: string, now: number): Promise<boolean> {
    const rows = await this.database.query(
      'update api_tokens set revoked = coalesce(revoked, $2::bigint) where id = $1 returning id',
      [id, now],
    );
    return rows.length > 0;
  }
}
