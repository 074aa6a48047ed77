import * as v from 'valibot';
import { decide } from '../../desired/decide.ts';
import { SILENCE } from '../../registry/presence.ts';
import { defineRoute, type Route } from '../route.ts';
import { count, deviceName, digest, label, queryCount, time } from '../schemas.ts';

const MOST_DEVICES = 10_000;

const assign = defineRoute({
  method: 'POST',
  path: '/v1/desired',
  summary: 'Say what devices are to do, without a rollout; once under its key',
  role: 'admin',
  status: 202,
  body: v.strictObject({
    key: v.pipe(label, v.description('A request that is repeated under its key does nothing more')),
    devices: v.pipe(v.array(deviceName), v.minLength(1), v.maxLength(MOST_DEVICES)),
    action: v.picklist(['install', 'pause', 'abort']),
    target: digest,
    deadline: v.optional(time),
  }),
  reply: v.strictObject({ decided: v.array(v.strictObject({ key: v.string(), device: deviceName, rev: count })) }),
  async handle({ body, caller }, { database, controller, audit, metrics, clock }) {
    const { key, devices, action, target, deadline } = body;
    const now = clock.now();
    const decisions = [...new Set(devices)].map((device) => ({
      key: `${caller.actor}/${key}/${device}`,
      device,
      action,
      target,
      source: caller.actor,
      ...(deadline === undefined ? {} : { deadline }),
    }));
    const decided = await database.transaction(async (db) => {
      const taken = await decide(db, decisions, now);
      const details = { key, action, target, devices: taken.length };
      if (taken.length > 0)
        await audit.add([{ at: now, actor: caller.actor, action: 'desired', subject: target, details }], db);
      return taken;
    });
    metrics.decided.inc({ action }, decided.length);
    controller.publishSoon();
    return { decided };
  },
});

const decision = v.strictObject({
  key: v.string(),
  device: deviceName,
  rev: count,
  action: v.string(),
  target: digest,
  source: v.string(),
  at: time,
});

const decisions = defineRoute({
  method: 'GET',
  path: '/v1/decisions',
  summary: 'What was decided for a device, the newest first',
  role: 'viewer',
  query: v.strictObject({ device: deviceName, limit: v.optional(queryCount(1000)) }),
  reply: v.strictObject({ decisions: v.array(decision) }),
  async handle({ query }, { database }) {
    const sql =
      'select key, device, rev, action, target, source, at from decisions where device = $1 order by rev desc limit $2';
    return { decisions: await database.query<v.InferOutput<typeof decision>>(sql, [query.device, query.limit ?? 100]) };
  },
});

const counts = v.record(v.string(), count);

const overview = defineRoute({
  method: 'GET',
  path: '/v1/fleet',
  summary: 'The fleet in numbers',
  role: 'viewer',
  reply: v.strictObject({ devices: count, online: count, boards: counts, desired: counts, running: counts }),
  async handle(_, { database, clock }) {
    const [all] = await database.query<{ devices: number; online: number }>(
      `select count(*) as devices, count(*) filter (where not closed and last_seen > $1::bigint - ${SILENCE}) as online from devices`,
      [clock.now()],
    );
    const grouped = async (sql: string): Promise<Record<string, number>> => {
      const rows = await database.query<{ name: string; count: number }>(sql);
      return Object.fromEntries(rows.map((row) => [row.name, row.count]));
    };
    return {
      ...all!,
      boards: await grouped(
        `select coalesce(board, 'unknown') as name, count(*) as count from devices group by 1 order by 1`,
      ),
      desired: await grouped('select state as name, count(*) as count from desired group by 1 order by 1'),
      running: await grouped(
        `select coalesce(running, 'none') as name, count(*) as count from devices group by 1 order by 1`,
      ),
    };
  },
});

export const desiredRoutes: readonly Route[] = [assign, decisions, overview];
