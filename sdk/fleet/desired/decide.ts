import type { Message } from '../../wire/protocol/messages.ts';
import type { Database } from '../database/index.ts';

/** What a device is to do from now on. */
export interface Decision {
  /** Decided once under it, however often it is tried. */
  readonly key: string;
  readonly device: string;
  readonly action: Message<'dn'>['action'];
  /** SHA-256 of the bundle, 64 hex digits. */
  readonly target: string;
  /** Who or what wants it: a rollout, an operator. */
  readonly source: string;
  /** When it is given up, milliseconds since 1970. */
  readonly deadline?: number;
}

export interface Decided {
  readonly key: string;
  readonly device: string;
  /** Of the device's desired state; each decision has a higher one. */
  readonly rev: number;
}

/**
 * Takes decisions, and returns those that were not taken before. They are published by whoever holds the device's shard. One call has at most
 * one decision a device; a device that is not known is left out.
 */
export async function decide(db: Database, decisions: readonly Decision[], at: number): Promise<Decided[]> {
  if (decisions.length === 0) return [];
  return db.transaction(async (tx) => {
    const rows = [...decisions].sort((a, b) => (a.device < b.device ? -1 : 1));
    // First the devices, in a statement of its own: the next one then sees what others decided for them meanwhile.
    await tx.query(LOCK, [JSON.stringify(rows.map((r) => r.device))]);
    return tx.query<Decided>(DECIDE, [JSON.stringify(rows), at]);
  });
}

const LOCK = `
  select name from devices where name in (select jsonb_array_elements_text($1::jsonb)) order by name for update`;

const DECIDE = `
  with wanted as (
    select w.* from jsonb_to_recordset($1::jsonb)
      as w(key text, device text, action text, target text, source text, deadline bigint)
    join devices d on d.name = w.device
    order by w.device
  ), taken as (
    insert into decisions (key, device, rev, action, target, source, at)
    select w.key, w.device, coalesce((select max(rev) from decisions o where o.device = w.device), 0) + 1, w.action, w.target, w.source, $2::bigint
    from wanted w
    on conflict (key) do nothing
    returning key, device, rev, action, target
  )
  insert into desired as t (device, rev, action, target, key, at, deadline, state, next_at)
  select k.device, k.rev, k.action, k.target, k.key, $2::bigint, w.deadline, 'pending', 0
  from taken k join wanted w on w.key = k.key
  on conflict (device) do update set
    rev = excluded.rev, action = excluded.action, target = excluded.target, key = excluded.key, at = excluded.at,
    deadline = excluded.deadline, state = 'pending', code = null, reason = null, ended = null, attempts = 0, next_at = 0
  returning t.key, t.device, t.rev`;
