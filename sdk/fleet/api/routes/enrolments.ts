import * as v from 'valibot';
import { isEigenError } from '../../../util/errors.ts';
import { defineRoute, type Route } from '../route.ts';
import { deviceName, label, tags, time } from '../schemas.ts';

const invitation = v.strictObject({
  id: v.string(),
  tags,
  created: time,
  expires: time,
  usedAt: v.nullable(time),
  usedBy: v.nullable(deviceName),
});

const HOUR = 3_600_000;
const MOST_HOURS = 24 * 365;

const list = defineRoute({
  method: 'GET',
  path: '/v1/enrolments',
  summary: 'Enrolment tokens, without their secrets',
  role: 'viewer',
  reply: v.strictObject({ enrolments: v.array(invitation) }),
  handle: async (_, { enrolment }) => ({ enrolments: await enrolment.list() }),
});

const create = defineRoute({
  method: 'POST',
  path: '/v1/enrolments',
  summary: 'Make a token with which one device enrols; its secret is told this once',
  role: 'operator',
  status: 201,
  body: v.strictObject({
    tags: v.optional(tags, {}),
    hours: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(MOST_HOURS)), 24),
  }),
  reply: v.strictObject({ enrolment: invitation, token: v.string() }),
  async handle({ body, caller }, { enrolment, audit, clock }) {
    const now = clock.now();
    const made = await enrolment.invite(body.tags, now, Math.round(body.hours * HOUR));
    const details = { tags: body.tags, expires: made.invitation.expires };
    await audit.add([
      { at: now, actor: caller.actor, action: 'enrolment-create', subject: made.invitation.id, details },
    ]);
    return { enrolment: made.invitation, token: made.secret };
  },
});

const enrol = defineRoute({
  method: 'POST',
  path: '/v1/enrol',
  summary: 'What a device asks with its token: credentials for the broker',
  role: 'anyone',
  status: 201,
  body: v.strictObject({
    token: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
    device: label,
    request: v.optional(
      v.pipe(
        v.string(),
        v.maxLength(16_384),
        v.description('PKCS #10 request in PEM, where the controller gives out certificates'),
      ),
    ),
  }),
  reply: v.strictObject({
    device: deviceName,
    namespace: v.string(),
    broker: v.string(),
    password: v.optional(v.string()),
    certificate: v.optional(v.string()),
    ca: v.optional(v.string()),
  }),
  async handle({ body }, { enrolment, audit, metrics, clock, namespace, brokerUrl, expel }) {
    const { device, token, request } = body;
    const now = clock.now();
    try {
      const given = await enrolment.enrol({ token, device, ...(request === undefined ? {} : { request }) }, now);
      await audit.add([{ at: now, actor: `device:${device}`, action: 'device-enrol', subject: device }]);
      metrics.enrolled.inc({ result: 'enrolled' });
      // Who was connected under this name has credentials that hold no more.
      expel(device);
      return { device, namespace, broker: brokerUrl, ...given };
    } catch (e) {
      if (isEigenError(e)) metrics.enrolled.inc({ result: e.code });
      throw e;
    }
  },
});

export const enrolmentRoutes: readonly Route[] = [list, create, enrol];
