import * as v from 'valibot';
import { AGENT_FAMILY } from '../../../wire/assignment.ts';
import type { AuditEntry } from '../../access/audit.ts';
import type { Fleet } from '../../fleet.ts';
import { ACTIONS, RolloutService } from '../../rollout/service.ts';
import { type RolloutSpec, rolloutInvalid, rolloutSchema } from '../../rollout/spec.ts';
import { MEMBER_STATES, PHASES } from '../../rollout/state.ts';
import { type Caller, defineRoute, type Route } from '../route.ts';
import { count, deviceName, digest, queryCount, time } from '../schemas.ts';

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(80));
const named = v.strictObject({ id });
const phase = v.picklist(PHASES);
const text = v.string();

const wave = v.strictObject({
  name: text,
  number: count,
  devices: count,
  committed: count,
  failed: count,
  stalled: v.pipe(count, v.description('Were there, were told, and never said how it went')),
  absent: v.pipe(count, v.description('Were told, and not there since')),
  open: count,
  skipped: v.pipe(count, v.description('No bundle of the release is for them')),
  reverting: count,
  reverted: count,
});

const comparison = v.strictObject({
  metric: text,
  loss: v.pipe(v.number(), v.description('Share of its value that it is worse by than on devices that were held back')),
  low: v.number(),
  high: v.number(),
  margin: v.number(),
  devices: v.strictObject({ treated: count, control: count }),
});

const summary = v.strictObject({
  id,
  phase,
  wave: text,
  reason: v.optional(text),
  waits: v.optional(text),
  started: v.optional(time),
  waves: v.array(wave),
  comparisons: v.array(comparison),
  failures: v.array(
    v.strictObject({
      device: deviceName,
      state: v.picklist(MEMBER_STATES),
      code: v.optional(text),
      reason: v.optional(v.pipe(text, v.description('In the words of the device'))),
    }),
  ),
});

const preview = v.strictObject({
  waves: v.array(
    v.strictObject({
      name: text,
      devices: v.array(
        v.strictObject({
          device: deviceName,
          board: text,
          online: v.boolean(),
          running: v.optional(digest),
          bundle: digest,
        }),
      ),
    }),
  ),
  warnings: v.array(text),
});

const event = v.strictObject({ n: count, at: time, decision: v.looseObject({ kind: text }) });

function serviceOf({ database, clock }: Fleet): RolloutService {
  return new RolloutService(database, () => clock.now());
}

function entryOf(caller: Caller, { clock }: Fleet, action: string, subject: string, details = {}): AuditEntry {
  return { at: clock.now(), actor: caller.actor, action: `rollout-${action}`, subject, details };
}

/** What is an agent is gone back from to an agent. @throws EigenError EW1012_ROLLOUT_INVALID. */
async function checkKind({ kind, variants }: RolloutSpec, { listed }: Fleet): Promise<void> {
  const agents = [...(await listed()).values()].filter(({ family }) => family === AGENT_FAMILY);
  const wrong = variants.find((v) => (kind === 'agent') !== agents.some(({ blob }) => blob.sha256 === v.sha256));
  if (wrong === undefined) return;
  throw rolloutInvalid('kind', `${wrong.sha256} is listed as ${kind === 'agent' ? 'no agent' : 'an agent'}`);
}

const list = defineRoute({
  method: 'GET',
  path: '/v1/rollouts',
  summary: 'Rollouts, the newest first',
  role: 'viewer',
  reply: v.strictObject({ rollouts: v.array(v.strictObject({ id, phase, created: time, createdBy: text })) }),
  handle: async (_, fleet) => ({ rollouts: await serviceOf(fleet).list() }),
});

const plan = defineRoute({
  method: 'POST',
  path: '/v1/rollouts/plan',
  summary: 'Who would get what when; nothing is written',
  role: 'viewer',
  body: rolloutSchema,
  reply: preview,
  async handle({ body }, fleet) {
    await checkKind(body, fleet);
    return serviceOf(fleet).preview(body);
  },
});

const create = defineRoute({
  method: 'POST',
  path: '/v1/rollouts',
  summary: 'Write down a rollout; it is started by an action',
  role: 'operator',
  status: 201,
  body: rolloutSchema,
  reply: summary,
  async handle({ body, caller }, fleet) {
    await checkKind(body, fleet);
    return serviceOf(fleet).create(body, caller.actor, (db, made) =>
      fleet.audit.add([entryOf(caller, fleet, 'create', made, { spec: body })], db),
    );
  },
});

const show = defineRoute({
  method: 'GET',
  path: '/v1/rollouts/{id}',
  summary: 'How a rollout stands',
  role: 'viewer',
  params: named,
  reply: summary,
  handle: ({ params }, fleet) => serviceOf(fleet).summary(params.id),
});

const events = defineRoute({
  method: 'GET',
  path: '/v1/rollouts/{id}/events',
  summary: 'What was decided, in order',
  role: 'viewer',
  params: named,
  query: v.strictObject({
    after: v.optional(queryCount(Number.MAX_SAFE_INTEGER)),
    limit: v.optional(queryCount(10_000)),
  }),
  reply: v.strictObject({ events: v.array(event) }),
  handle: async ({ params, query }, fleet) => ({
    events: await serviceOf(fleet).events(params.id, query.after ?? 0, query.limit ?? 1000),
  }),
});

const approve = defineRoute({
  method: 'POST',
  path: '/v1/rollouts/{id}/approve',
  summary: 'Approve a rollout that asks for it; not for who made it',
  role: 'approver',
  params: named,
  reply: summary,
  handle: ({ params, caller }, fleet) =>
    serviceOf(fleet).act(params.id, { action: 'approve', by: caller.actor }, (db) =>
      fleet.audit.add([entryOf(caller, fleet, 'approve', params.id)], db),
    ),
});

const act = defineRoute({
  method: 'POST',
  path: '/v1/rollouts/{id}/actions',
  summary: 'Start, pause, resume, abort or roll back',
  role: 'operator',
  params: named,
  body: v.strictObject({
    action: v.picklist(ACTIONS.filter((a) => a !== 'approve')),
    reason: v.optional(v.pipe(text, v.maxLength(512))),
    leave: v.optional(v.pipe(v.boolean(), v.description('Of abort: devices that have the bundle keep it'))),
  }),
  reply: summary,
  handle({ params, body, caller }, fleet) {
    const { action, ...details } = body;
    return serviceOf(fleet).act(params.id, { ...body, by: caller.actor }, (db) =>
      fleet.audit.add([entryOf(caller, fleet, action, params.id, details)], db),
    );
  },
});

export const rolloutRoutes: readonly Route[] = [list, plan, create, show, events, approve, act];
