import { shardOf } from '../../wire/protocol/topics.ts';
import type { Database } from '../database/index.ts';
import type { DeviceChange } from './change.ts';

/** What follows from changes that were stored. */
export interface Stored {
  /** Devices that were not known before. */
  readonly appeared: number;
  /** Reports that were not known before. */
  readonly reports: readonly { readonly device: string; readonly outcome: string; readonly attack: string | null }[];
  /** Desired states that are to be published at once. */
  readonly due: number;
}

/** Writes what was heard. Doing it twice, or in another order, comes to the same. */
export async function storeChanges(db: Database, changes: readonly DeviceChange[]): Promise<Stored> {
  const rows = changes.map(rowOf);
  const appeared = await db.query(INSERT_DEVICES, [columns(rows, 'name', 'shard', 'last_seen')]);
  await db.query(UPDATE_DEVICES, [JSON.stringify(rows)]);
  const reports = changes.flatMap((c) => c.reports.map((r) => ({ ...withHex(r), device: c.device })));
  const fresh =
    reports.length === 0 ? [] : await db.query<Stored['reports'][number]>(INSERT_REPORTS, [JSON.stringify(reports)]);
  const healths = changes.flatMap((c) => c.healths.map((h) => ({ ...withHex(h), device: c.device })));
  if (healths.length > 0) await db.query(INSERT_HEALTH, [JSON.stringify(healths)]);
  const told = await db.query<{ due: boolean }>(UPDATE_DESIRED, [columns(rows, 'name', 'birth_epoch', 'last_seen')]);
  if (fresh.length > 0) await db.query(END_DESIRED, [JSON.stringify(fresh)]);
  return { appeared: appeared.length, reports: fresh, due: told.filter((t) => t.due).length };
}

function rowOf({ device, lastSeen, presence, rev, birth, status, newest }: DeviceChange) {
  return {
    name: device,
    shard: shardOf(device),
    last_seen: lastSeen,
    ...presence,
    rev,
    birth_epoch: birth?.epoch ?? -1,
    ...(birth
      ? {
          birth_rev: birth.rev,
          agent: birth.agent,
          board: birth.board,
          profile: hexOf(birth.profile),
          self: hexOf(birth.self),
          running: hexOf(birth.running),
          slots: birth.slots.map((slot) => hexOf(slot)),
          metadata: birth.metadata,
        }
      : {}),
    status_epoch: status?.epoch ?? -1,
    status_seq: status?.seq ?? -1,
    ...(status ? { step: status.step, done: status.done, total: status.total, why: status.why } : {}),
    health_epoch: newest?.epoch ?? -1,
    health_seq: newest?.seq ?? -1,
    ...(newest
      ? { serving: hexOf(newest.running), p95: newest.p95, memory: newest.memory, temperature: newest.temperature }
      : {}),
  };
}

/** Some of what is in rows, as JSON. */
function columns<T extends object>(rows: readonly T[], ...names: readonly (keyof T & string)[]): string {
  return JSON.stringify(rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name]]))));
}

function hexOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function withHex<T extends { readonly running?: Uint8Array | undefined }>(message: T) {
  return { ...message, running: hexOf(message.running) };
}

/** Milliseconds after which a device that knows its desired state is asked what became of it. */
const FIRST_QUESTION = 120_000;

const INSERT_DEVICES = `
  insert into devices (name, shard, first_seen, last_seen)
  select name, shard, last_seen, last_seen from jsonb_to_recordset($1::jsonb) as m(name text, shard text, last_seen bigint)
  on conflict (name) do nothing
  returning name`;

const ROW = `m(name text, last_seen bigint, epoch bigint, closed boolean, rev bigint,
  birth_epoch bigint, birth_rev bigint, agent text, board text, profile text, self text, running text, slots jsonb, metadata jsonb,
  status_epoch bigint, status_seq bigint, step text, done bigint, total bigint, why text,
  health_epoch bigint, health_seq bigint, serving text, p95 bigint, memory bigint, temperature double precision)`;

/** A birth of an earlier connection says nothing about this one. */
const BORN = 'm.birth_epoch >= 0 and m.birth_epoch >= d.epoch';
const STEPPED = '(m.status_epoch, m.status_seq) > (d.status_epoch, d.status_seq) and m.status_epoch >= d.epoch';
const MEASURED = '(m.health_epoch, m.health_seq) > (d.health_epoch, d.health_seq) and m.health_epoch >= d.epoch';

const UPDATE_DEVICES = `
  update devices d set
    last_seen = greatest(d.last_seen, m.last_seen),
    epoch = greatest(d.epoch, m.epoch),
    closed = case when m.epoch > d.epoch then m.closed when m.epoch = d.epoch then d.closed or m.closed else d.closed end,
    -- A device that starts anew may know less than before.
    rev = case when ${BORN} and m.birth_epoch > d.epoch then greatest(m.birth_rev, m.rev) else greatest(d.rev, m.rev) end,
    agent = case when ${BORN} then m.agent else d.agent end,
    board = case when ${BORN} then m.board else d.board end,
    profile = case when ${BORN} then m.profile else d.profile end,
    self = case when ${BORN} then m.self else d.self end,
    slots = case when ${BORN} then m.slots else d.slots end,
    metadata = case when ${BORN} then m.metadata else d.metadata end,
    running = case when ${MEASURED} then m.serving when ${BORN} then m.running else d.running end,
    status_epoch = case when ${STEPPED} then m.status_epoch else d.status_epoch end,
    status_seq = case when ${STEPPED} then m.status_seq else d.status_seq end,
    step = case when ${STEPPED} then m.step else d.step end,
    done = case when ${STEPPED} then m.done else d.done end,
    total = case when ${STEPPED} then m.total else d.total end,
    why = case when ${STEPPED} then m.why else d.why end,
    health_epoch = case when ${MEASURED} then m.health_epoch else d.health_epoch end,
    health_seq = case when ${MEASURED} then m.health_seq else d.health_seq end,
    p95 = case when ${MEASURED} then m.p95 else d.p95 end,
    memory = case when ${MEASURED} then m.memory else d.memory end,
    temperature = case when ${MEASURED} then m.temperature else d.temperature end
  from jsonb_to_recordset($1::jsonb) as ${ROW}
  where d.name = m.name`;

const INSERT_REPORTS = `
  insert into reports (device, epoch, seq, at, rev, outcome, running, code, attack, step, reason, received, p95, memory)
  select device, epoch, seq, at, rev, outcome, running, code, attack, step, reason, received, p95, memory
  from jsonb_to_recordset($1::jsonb) as r(device text, epoch bigint, seq bigint, at bigint, rev bigint, outcome text, running text,
    code text, attack text, step text, reason text, received bigint, p95 bigint, memory bigint)
  on conflict do nothing
  returning device, outcome, attack`;

const INSERT_HEALTH = `
  insert into health (device, epoch, seq, at, running, runs, failures, p95, memory, temperature, metrics)
  select device, epoch, seq, at, running, runs, failures, p95, memory, temperature, coalesce(metrics, '{}')
  from jsonb_to_recordset($1::jsonb) as h(device text, epoch bigint, seq bigint, at bigint, running text, runs bigint, failures bigint,
    p95 bigint, memory bigint, temperature double precision, metrics jsonb)
  on conflict do nothing`;

/**
 * Who was born without it is told at once, and what had ended begins again there. Who knows it is asked for the end of it now and then, until
 * there is one: the report of it may be lost.
 */
const UPDATE_DESIRED = `
  update desired t set
    state = case when t.state = 'stalled' then 'stalled' when d.rev < t.rev then 'pending' when t.state = 'pending' then 'delivered' else t.state end,
    code = case when d.rev < t.rev and t.state <> 'stalled' then null else t.code end,
    reason = case when d.rev < t.rev and t.state <> 'stalled' then null else t.reason end,
    ended = case when d.rev < t.rev and t.state <> 'stalled' then null else t.ended end,
    attempts = 0,
    next_at = case when d.rev < t.rev then 0 when t.ended is null then m.last_seen + ${FIRST_QUESTION} end
  from jsonb_to_recordset($1::jsonb) as m(name text, birth_epoch bigint, last_seen bigint)
  join devices d on d.name = m.name
  where t.device = m.name and (
    (d.rev < t.rev and m.birth_epoch = d.epoch)
    or (d.rev >= t.rev and (t.state = 'pending' or (t.ended is not null and t.next_at is not null))))
  returning t.next_at = 0 as due`;

/** How the newest report has it; also for one that was given up. */
const END_DESIRED = `
  update desired t set state = r.outcome, code = r.code, reason = r.reason, ended = r.at, next_at = null
  from (
    select distinct on (device, rev) device, rev, outcome, code, reason, at from reports
    where device in (select device from jsonb_to_recordset($1::jsonb) as f(device text))
    order by device, rev, epoch desc, seq desc
  ) r
  where t.device = r.device and t.rev = r.rev`;
