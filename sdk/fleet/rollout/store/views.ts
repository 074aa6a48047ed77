import type { Database } from '../../database/index.ts';
import { SILENCE } from '../../registry/presence.ts';
import type { DeviceFacts } from '../facts.ts';
import { conditionOf, type FactColumns, parseQuery, type Query } from '../query/index.ts';
import type { RolloutSpec } from '../spec.ts';
import type { DeviceView, Member, Rollout, Told } from '../state.ts';
import { healthOf } from './health.ts';

/** Where the registry has the facts that queries ask for; `d` are devices, $1 is the time. */
const COLUMNS: FactColumns = {
  fields: {
    device: 'd.name',
    board: "coalesce(d.board, '')",
    agent: 'd.agent',
    profile: 'd.profile',
    running: 'd.running',
    online: `(not d.closed and d.last_seen > $1::bigint - ${SILENCE})`,
    p95: '(d.p95::double precision / 1000)',
    memory: 'd.memory::double precision',
  },
  tag: (name) => `(d.tags ->> ${name})`,
};

const FACTS = `d.name as device, coalesce(d.board, '') as board, d.agent, d.profile, d.self, d.running, d.tags, d.last_seen,
  ${COLUMNS.fields.online} as online, ${COLUMNS.fields.p95} as p95, ${COLUMNS.fields.memory} as memory`;

/** Of a rollout `r`: those from before there were others brought models. */
const KIND = "coalesce(r.spec ->> 'kind', 'model')";

/** Of a rollout `r`: it goes on, and has its devices for itself. */
const ACTIVE = "r.phase in ('CANARY', 'WAVE', 'PAUSED', 'ABORTING')";

/**
 * Whether a device `d` is another's than the rollout $2 that was done at a time: a rollout's that goes on or, of the same kind, was done
 * later, or a person's who has told it something since; or it is still at an update of the other kind. What was told by a rollout that was
 * taken back does not count.
 */
const takenSince = (kind: RolloutSpec['kind'], ended: number): string => `(
  exists (select 1 from rollout_members o join rollouts r on r.id = o.rollout
    where o.device = d.name and r.id <> $2 and (${ACTIVE}
      or (r.phase = 'DONE' and ${KIND} = '${kind}' and (r.state ->> 'ended')::bigint > ${ended})))
  or exists (select 1 from desired s join decisions c on c.key = s.key join rollouts r on c.source = 'rollout/' || r.id
    where s.device = d.name and s.action = 'install' and s.ended is null and ${KIND} <> '${kind}')
  or exists (select 1 from desired s join decisions c on c.key = s.key
    where s.device = d.name and s.at >= ${ended} and not starts_with(c.source, 'rollout/')))`;

interface FactRow {
  readonly device: string;
  readonly board: string;
  readonly agent: string | null;
  readonly profile: string | null;
  readonly self: string | null;
  readonly running: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly last_seen: number;
  readonly online: boolean;
  readonly p95: number | null;
  readonly memory: number | null;
}

interface Row extends FactRow {
  readonly taken: boolean;
  readonly wave: number | null;
  readonly late: boolean;
  readonly member_state: Member['state'];
  readonly undone: boolean;
  readonly attempt: number;
  readonly failures: number;
  readonly target: string | null;
  readonly previous: string | null;
  readonly refused: readonly string[];
  readonly offered: number | null;
  readonly contacted: number | null;
  readonly not_before: number | null;
  readonly member_code: string | null;
  readonly member_reason: string | null;
  readonly told_key: string | null;
  readonly told_state: Told['state'];
  readonly told_code: string | null;
  readonly told_reason: string | null;
}

/** Devices for which a query holds, with what is known of them. */
export async function findDevices(db: Database, query: Query, now: number): Promise<DeviceFacts[]> {
  const { sql, parameters } = conditionOf(query, COLUMNS, 2);
  const rows = await db.query<FactRow>(`select ${FACTS} from devices d where ${sql} order by d.name`, [
    now,
    ...parameters,
  ]);
  return rows.map(factsOf);
}

/** Names of devices that rollouts which go on have. */
export async function takenDevices(db: Database): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ device: string }>(
    `select m.device from rollout_members m join rollouts r on r.id = m.rollout where ${ACTIVE}`,
  );
  return new Set(rows.map((r) => r.device));
}

/**
 * The devices of a rollout, and others that its query finds and no other rollout that goes on has, with all that decisions are made from.
 * @param withHealth also what they measured in the wave: where metrics are to be looked at.
 */
export async function viewDevices(
  db: Database,
  rollout: Rollout,
  now: number,
  withHealth = false,
): Promise<DeviceView[]> {
  const { sql, parameters } = conditionOf(parseQuery(rollout.spec.query), COLUMNS, 3);
  const { ended, spec } = rollout;
  const rows = await db.query<Row>(
    `select ${FACTS}, ${ended === undefined ? 'false' : takenSince(spec.kind, ended)} as taken, m.wave, m.late, m.state as member_state, m.undone, m.attempt, m.failures, m.target, m.previous, m.refused,
       m.offered, m.contacted, m.not_before, m.code as member_code, m.reason as member_reason, t.key as told_key, t.state as told_state, t.code as told_code,
       t.reason as told_reason
     from devices d
     left join rollout_members m on m.rollout = $2 and m.device = d.name
     left join desired t on t.device = d.name
     where m.device is not null or (${sql} and not exists (
       select 1 from rollout_members o join rollouts r on r.id = o.rollout
       where o.device = d.name and r.id <> $2 and ${ACTIVE}))
     order by d.name`,
    [now, rollout.id, ...parameters],
  );
  const health = withHealth ? await healthOf(db, rollout) : undefined;
  return rows.map((row) => {
    const measured = health?.get(row.device);
    return { ...viewOf(row, rollout.id), ...(measured ? { health: measured } : {}) };
  });
}

function factsOf(row: FactRow): DeviceFacts {
  const { device, board, online, tags } = row;
  const { agent, profile, self, running, p95, memory } = row;
  return { device, board, online, tags, ...present({ agent, profile, self, running, p95, memory }) };
}

function viewOf(row: Row, rollout: string): DeviceView {
  const member = memberOf(row);
  const prefix = `${rollout}/`;
  const { told_key: key, told_state: state } = row;
  const mine = key?.startsWith(prefix);
  const told: Told | undefined =
    key === null
      ? undefined
      : {
          key: mine ? key.slice(prefix.length) : '',
          state,
          ...present({ code: row.told_code, reason: row.told_reason }),
        };
  return {
    facts: factsOf(row),
    lastSeen: row.last_seen,
    ...(member ? { member } : {}),
    ...(told ? { told } : {}),
    ...(row.taken ? { taken: true } : {}),
  };
}

/** Whether a rollout that is done may have something to tell a device: one that came later, or whose time had not come. */
export async function hasLateDevices(db: Database, { id, spec, ended }: Rollout, now: number): Promise<boolean> {
  const { sql, parameters } = conditionOf(parseQuery(spec.query), COLUMNS, 4);
  const boards = JSON.stringify(spec.variants.map((v) => v.board));
  const rows = await db.query(
    `select 1 as one from devices d left join rollout_members m on m.rollout = $2 and m.device = d.name
     where (m.state = 'WAITING' or (m.device is null and $1::bigint is not null
       and d.board in (select jsonb_array_elements_text($3::jsonb)) and ${sql})) and not ${takenSince(spec.kind, ended!)}
     limit 1`,
    [now, id, boards, ...parameters],
  );
  return rows.length > 0;
}

function memberOf(row: Row): Member | undefined {
  const { device, wave, late, member_state: state, undone, attempt, failures, refused } = row;
  if (wave === null) return undefined;
  const { target, previous, offered, contacted, not_before: notBefore, member_code: code, member_reason: reason } = row;
  const known = present({ target, previous, offered, contacted, notBefore, code, reason });
  return { device, wave, late, state, undone, attempt, failures, refused, ...known };
}

/** Without what a row does not have. Done twice for every device at every look: without lists of entries. */
function present<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const known: { [K in keyof T]?: NonNullable<T[K]> } = {};
  for (const name of Object.keys(values) as (keyof T)[]) {
    const value = values[name];
    if (value !== null && value !== undefined) known[name] = value;
  }
  return known;
}
