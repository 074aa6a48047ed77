import * as v from 'valibot';
import { EigenError } from '../../../util/errors.ts';
import type { Database } from '../../database/index.ts';
import { SILENCE } from '../../registry/presence.ts';
import { defineRoute, type Route } from '../route.ts';
import { count, deviceName, digest, done, label, queryCount, tags, time } from '../schemas.ts';

const nullable = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);

const desired = v.strictObject({
  rev: count,
  action: v.picklist(['install', 'pause', 'abort']),
  target: digest,
  key: v.string(),
  at: time,
  deadline: nullable(time),
  state: v.picklist(['pending', 'delivered', 'committed', 'rolled-back', 'refused', 'failed', 'stalled']),
  code: nullable(v.string()),
  reason: nullable(v.pipe(v.string(), v.description('Why it ended badly, in the words of the device'))),
  ended: nullable(time),
});

const device = v.strictObject({
  name: deviceName,
  board: nullable(v.string()),
  agent: nullable(v.string()),
  online: v.boolean(),
  revoked: v.pipe(v.boolean(), v.description('Its credentials hold no more')),
  tags,
  firstSeen: time,
  lastSeen: time,
  profile: nullable(digest),
  self: nullable(v.pipe(digest, v.description('Its agent, where it came by an update'))),
  running: nullable(digest),
  rev: v.pipe(count, v.description('Of the desired state that it knows')),
  step: nullable(v.string()),
  done: nullable(v.pipe(count, v.description('Bytes of total, while it fetches'))),
  total: nullable(count),
  why: nullable(v.pipe(v.string(), v.description('What it waits for, in its own words'))),
  p95: nullable(v.pipe(count, v.description('Microseconds'))),
  memory: nullable(v.pipe(count, v.description('Bytes'))),
  temperature: nullable(v.number()),
  desired: nullable(desired),
});

const report = v.strictObject({
  at: time,
  rev: count,
  outcome: v.string(),
  running: nullable(digest),
  code: nullable(v.string()),
  attack: nullable(v.string()),
  step: nullable(v.string()),
  reason: nullable(v.string()),
  received: count,
});

const SELECT = `
  select d.name, d.board, d.agent, not d.closed and d.last_seen > $1::bigint - ${SILENCE} as online,
    exists (select from credentials c where c.device = d.name and c.revoked is not null) as revoked, d.tags,
    d.first_seen as "firstSeen", d.last_seen as "lastSeen", d.profile, d.self, d.running, d.rev, d.step, d.done, d.total, d.why, d.p95, d.memory, d.temperature,
    case when t.device is null then null else jsonb_build_object('rev', t.rev, 'action', t.action, 'target', t.target, 'key', t.key,
      'at', t.at, 'deadline', t.deadline, 'state', t.state, 'code', t.code, 'reason', t.reason, 'ended', t.ended) end as desired
  from devices d left join desired t on t.device = d.name`;

type Device = v.InferOutput<typeof device>;
const named = v.strictObject({ name: deviceName });

async function find(database: Database, name: string, now: number): Promise<Device> {
  const [found] = await database.query<Device>(`${SELECT} where d.name = $2`, [now, name]);
  if (!found) throw noDevice(name);
  return found;
}

function noDevice(name: string): EigenError {
  return new EigenError('EW2102_NOT_FOUND', `there is no device '${name}'`, {
    hint: 'GET /v1/devices lists those that there are.',
  });
}

const list = defineRoute({
  method: 'GET',
  path: '/v1/devices',
  summary: 'Devices in the order of their names',
  role: 'viewer',
  query: v.strictObject({
    after: v.optional(deviceName),
    limit: v.optional(queryCount(1000)),
    board: v.optional(label),
    online: v.optional(v.picklist(['true', 'false'])),
    state: v.optional(label),
    tag: v.optional(v.pipe(v.string(), v.regex(/^[^=]+=.*$/, 'must be NAME=VALUE'))),
  }),
  reply: v.strictObject({ devices: v.array(device), next: nullable(deviceName) }),
  async handle({ query }, { database, clock }) {
    const { after = '', limit = 100, board, online, state, tag } = query;
    const [, key, value] = /^([^=]+)=(.*)$/.exec(tag ?? '') ?? [];
    const devices = await database.query<Device>(
      `select * from (${SELECT}) d where name > $2 and ($3::text is null or board = $3) and ($4::boolean is null or online = $4)
         and ($5::text is null or desired ->> 'state' = $5) and ($6::text is null or tags ->> $6 = $7)
       order by name limit $8`,
      [
        clock.now(),
        after,
        board ?? null,
        online === undefined ? null : online === 'true',
        state ?? null,
        key ?? null,
        value ?? null,
        limit,
      ],
    );
    return { devices, next: devices.length === limit ? (devices.at(-1)?.name ?? null) : null };
  },
});

const show = defineRoute({
  method: 'GET',
  path: '/v1/devices/{name}',
  summary: 'A device and its last reports',
  role: 'viewer',
  params: named,
  reply: v.strictObject({ device, reports: v.array(report) }),
  async handle({ params }, { database, clock }) {
    const found = await find(database, params.name, clock.now());
    const reports = await database.query<v.InferOutput<typeof report>>(
      'select at, rev, outcome, running, code, attack, step, reason, received from reports where device = $1 order by epoch desc, seq desc limit 20',
      [params.name],
    );
    return { device: found, reports };
  },
});

const retag = defineRoute({
  method: 'PATCH',
  path: '/v1/devices/{name}',
  summary: 'Replace the tags of a device',
  role: 'operator',
  params: named,
  body: v.strictObject({ tags }),
  reply: v.strictObject({ device }),
  async handle({ params, body, caller }, { database, audit, clock }) {
    await database.transaction(async (db) => {
      await db.query('update devices set tags = $2::jsonb where name = $1', [params.name, JSON.stringify(body.tags)]);
      await audit.add(
        [{ at: clock.now(), actor: caller.actor, action: 'device-tag', subject: params.name, details: body }],
        db,
      );
    });
    return { device: await find(database, params.name, clock.now()) };
  },
});

const revoke = defineRoute({
  method: 'POST',
  path: '/v1/devices/{name}/revoke',
  summary: 'Take the credentials of a device back, and end its connection',
  role: 'operator',
  params: named,
  reply: done,
  async handle({ params, caller }, { enrolment, audit, clock, expel }) {
    const had = await enrolment.revoke(params.name, clock.now());
    if (had) await audit.add([{ at: clock.now(), actor: caller.actor, action: 'device-revoke', subject: params.name }]);
    expel(params.name);
    return { done: had };
  },
});

const remove = defineRoute({
  method: 'DELETE',
  path: '/v1/devices/{name}',
  summary: 'Forget a device and everything about it but the audit log',
  role: 'operator',
  params: named,
  reply: done,
  async handle({ params, caller }, { database, audit, clock, expel }) {
    await database.transaction(async (db) => {
      const gone = await db.query('delete from devices where name = $1 returning name', [params.name]);
      if (gone.length === 0) throw noDevice(params.name);
      await audit.add([{ at: clock.now(), actor: caller.actor, action: 'device-remove', subject: params.name }], db);
    });
    expel(params.name);
    return { done: true };
  },
});

export const deviceRoutes: readonly Route[] = [list, show, retag, revoke, remove];
