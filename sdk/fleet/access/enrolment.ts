import { EigenError } from '../../util/errors.ts';
import { isTopicName, shardOf } from '../../wire/protocol/topics.ts';
import type { Database } from '../database/index.ts';
import type { Authority } from './authority.ts';
import { hashOfSecret, newId, newSecret } from './secrets.ts';

export interface Invitation {
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
  readonly usedAt: number | null;
  readonly usedBy: string | null;
}

export interface EnrolRequest {
  /** The one-time token. */
  readonly token: string;
  readonly device: string;
  /** PEM of a certificate signing request; the device's key stays on the device. */
  readonly request?: string;
}

/** What a device logs in with from now on: a certificate where the controller has an authority, else a password. */
export type Enrolled = { readonly certificate: string; readonly ca: string } | { readonly password: string };

/** Lets devices in, each by a token that works once. */
export class Enrolment {
  private readonly database: Database;
  private readonly authority: Authority | undefined;

  constructor(database: Database, authority?: Authority) {
    this.database = database;
    this.authority = authority;
  }

  async invite(
    tags: Readonly<Record<string, string>>,
    now: number,
    milliseconds: number,
  ): Promise<{ invitation: Invitation; secret: string }> {
    const secret = `ewe_${newSecret()}`;
    const invitation: Invitation = {
      id: newId(),
      tags,
      created: now,
      expires: now + milliseconds,
      usedAt: null,
      usedBy: null,
    };
    await this.database.query(
      'insert into enrolments (id, hash, tags, created, expires) values ($1, $2, $3::jsonb, $4, $5)',
      [invitation.id, hashOfSecret(secret), JSON.stringify(tags), now, invitation.expires],
    );
    return { invitation, secret };
  }

  list(): Promise<Invitation[]> {
    return this.database.query(
      'select id, tags, created, expires, used_at as "usedAt", used_by as "usedBy" from enrolments order by created desc, id',
    );
  }

  /**
   * Gives a device its credentials. A device that enrols again begins anew: the credentials that it had hold no more, and its count of
   * connections starts from what it says next.
   * @throws EigenError EW6201_TOKEN_REFUSED; EW2101_REQUEST_INVALID for a name or certificate request that is none.
   */
  async enrol({ token, device, request }: EnrolRequest, now: number): Promise<Enrolled> {
    if (!isTopicName(device))
      throw new EigenError('EW2101_REQUEST_INVALID', `'${device}' cannot name a device`, {
        hint: 'Use 1 to 64 letters, digits, - and _.',
      });
    const given = await this.credentials(device, request, now);
    await this.database.transaction(async (db) => {
      const [used] = await db.query<{ tags: Readonly<Record<string, string>> }>(
        `update enrolments set used_at = $2, used_by = $3 where hash = $1 and used_at is null and expires > $2 returning tags`,
        [hashOfSecret(token), now, device],
      );
      if (!used) throw refused();
      await db.query(
        `insert into devices (name, shard, tags, first_seen, last_seen) values ($1, $2, $3::jsonb, $4, $4)
         on conflict (name) do update set tags = devices.tags || excluded.tags, epoch = -1, closed = true, status_epoch = -1, health_epoch = -1`,
        [device, shardOf(device), JSON.stringify(used.tags), now],
      );
      await db.query(
        `insert into credentials (device, kind, hash, created) values ($1, $2, $3, $4)
         on conflict (device) do update set kind = excluded.kind, hash = excluded.hash, created = excluded.created, revoked = null`,
        [device, given.kind, given.hash, now],
      );
    });
    return given.enrolled;
  }

  /** Whether the device had credentials that held. */
  async revoke(device: string, now: number): Promise<boolean> {
    const rows = await this.database.query(
      'update credentials set revoked = $2 where device = $1 and revoked is null returning device',
      [device, now],
    );
    return rows.length > 0;
  }

  private async credentials(device: string, request: string | undefined, now: number) {
    if (!this.authority) {
      const password = newSecret();
      const enrolled: Enrolled = { password };
      return { kind: 'password', hash: hashOfSecret(password), enrolled };
    }
    if (request === undefined)
      throw new EigenError('EW2101_REQUEST_INVALID', 'a certificate signing request is missing', {
        hint: 'This controller gives out certificates: send `request`, in PEM.',
      });
    const { certificate, sha256 } = await this.authority.issue(request, device, now);
    const enrolled: Enrolled = { certificate, ca: this.authority.certificate };
    return { kind: 'certificate', hash: sha256, enrolled };
  }
}

/** The same for a token that never was, was used or is over: nobody is told which. */
function refused(): EigenError {
  return new EigenError('EW6201_TOKEN_REFUSED', 'the enrolment token is not valid, was used, or is over', {
    hint: 'Make a new one with eigenweights enrol.',
  });
}
