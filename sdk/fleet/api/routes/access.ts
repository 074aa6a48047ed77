import * as v from 'valibot';
import { EigenError } from '../../../util/errors.ts';
import { ROLES } from '../../access/tokens.ts';
import { defineRoute, type Route } from '../route.ts';
import { count, done, label, queryCount, time } from '../schemas.ts';

const token = v.strictObject({
  id: v.string(),
  name: label,
  role: v.picklist(ROLES),
  created: time,
  expires: v.nullable(time),
  revoked: v.nullable(time),
});

const DAY = 86_400_000;

const listTokens = defineRoute({
  method: 'GET',
  path: '/v1/tokens',
  summary: 'Tokens of the API, without their secrets',
  role: 'admin',
  reply: v.strictObject({ tokens: v.array(token) }),
  handle: async (_, { tokens }) => ({ tokens: await tokens.list() }),
});

const createToken = defineRoute({
  method: 'POST',
  path: '/v1/tokens',
  summary: 'Make a token of the API; its secret is told this once',
  role: 'admin',
  status: 201,
  body: v.strictObject({
    name: label,
    role: v.picklist(ROLES),
    days: v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(3650))),
  }),
  reply: v.strictObject({ token, secret: v.string() }),
  async handle({ body, caller }, { tokens, audit, clock }) {
    const now = clock.now();
    const expires = body.days === undefined ? undefined : Math.round(now + body.days * DAY);
    const made = await tokens.create(body.name, body.role, now, expires);
    await audit.add([{ at: now, actor: caller.actor, action: 'token-create', subject: made.token.id, details: body }]);
    return made;
  },
});

const revokeToken = defineRoute({
  method: 'DELETE',
  path: '/v1/tokens/{id}',
  summary: 'Revoke a token of the API',
  role: 'admin',
  params: v.strictObject({ id: label }),
  reply: done,
  async handle({ params, caller }, { tokens, audit, clock }) {
    if (!(await tokens.revoke(params.id, clock.now())))
      throw new EigenError('EW2102_NOT_FOUND', `there is no token '${params.id}'`);
    await audit.add([{ at: clock.now(), actor: caller.actor, action: 'token-revoke', subject: params.id }]);
    return { done: true };
  },
});

const entry = v.strictObject({
  n: count,
  at: time,
  actor: v.string(),
  action: v.string(),
  subject: v.string(),
  details: v.record(v.string(), v.unknown()),
  previous: v.string(),
  hash: v.string(),
});

const listAudit = defineRoute({
  method: 'GET',
  path: '/v1/audit',
  summary: 'What was done by whom, the newest first',
  role: 'viewer',
  query: v.strictObject({
    before: v.optional(queryCount(Number.MAX_SAFE_INTEGER)),
    limit: v.optional(queryCount(1000)),
  }),
  reply: v.strictObject({ entries: v.array(entry) }),
  handle: async ({ query }, { audit }) => ({ entries: await audit.list(query.before, query.limit ?? 100) }),
});

const verifyAudit = defineRoute({
  method: 'GET',
  path: '/v1/audit/verify',
  summary: 'Whether the audit log is what was written',
  role: 'viewer',
  reply: v.strictObject({ entries: count, problems: v.array(v.strictObject({ n: count, problem: v.string() })) }),
  handle: (_, { audit }) => audit.verify(),
});

export const accessRoutes: readonly Route[] = [listTokens, createToken, revokeToken, listAudit, verifyAudit];
