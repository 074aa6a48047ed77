import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import * as v from 'valibot';
import { EigenError, isEigenError } from '../../util/errors.ts';
import type { Role } from '../access/tokens.ts';
import type { Fleet } from '../fleet.ts';
import { openApi } from './openapi.ts';
import { allows, type Caller, type Route, type Upload } from './route.ts';
import { ROUTES } from './routes/index.ts';

const MOST_BODY = 4 * 2 ** 20;

/** The API as a function from requests to answers. */
export function apiOf(fleet: Fleet, routes: readonly Route[] = ROUTES): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ alive: true }));
  app.get('/readyz', async (c) => {
    const answers = await fleet.database.query('select 1').then(
      () => true,
      () => false,
    );
    const ready = answers && fleet.controller.ready;
    return c.json({ ready, database: answers, work: fleet.controller.ready }, ready ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    await callerOf(c, 'viewer', fleet);
    return c.body(await fleet.metrics.registry.metrics(), 200, { 'content-type': fleet.metrics.registry.contentType });
  });
  const document = openApi(routes);
  app.get('/v1/openapi.json', (c) => c.json(document));
  for (const route of routes)
    app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => answer(c, route, fleet));
  app.notFound((c) => problem(c, 404, new EigenError('EW2102_NOT_FOUND', `there is no ${c.req.method} ${c.req.path}`)));
  app.onError((e, c) => {
    if (isEigenError(e)) return problem(c, statusOf(e), e);
    fleet.log.error('request-failed', { method: c.req.method, path: c.req.path, error: e });
    return c.json({ error: { code: 'internal', message: 'the controller failed; its log says why' } }, 500);
  });
  return app;
}

async function answer(c: Context, route: Route, fleet: Fleet): Promise<Response> {
  const from = fleet.clock.monotonic();
  let status = 500;
  try {
    const caller = await callerOf(c, route.role, fleet);
    const request = {
      params: checked(route.params, c.req.param(), 'path'),
      query: checked(route.query ?? v.strictObject({}), c.req.query(), 'query'),
      body: route.body ? checked(route.body, await bodyOf(c), 'body') : undefined,
      upload: route.upload && uploadOf(c),
      caller,
    };
    const reply = await route.handle(request, fleet);
    status = route.status ?? 200;
    return c.json(reply as object, status as ContentfulStatusCode);
  } catch (e) {
    if (isEigenError(e)) status = statusOf(e);
    throw e;
  } finally {
    const labels = { method: route.method, route: route.path, status: String(status) };
    fleet.metrics.requests.observe(labels, (fleet.clock.monotonic() - from) / 1000);
  }
}

/** @throws EigenError EW6201_TOKEN_REFUSED, EW6202_NOT_ALLOWED. */
async function callerOf(c: Context, needed: Role | 'anyone', fleet: Fleet): Promise<Caller> {
  if (needed === 'anyone') return { actor: 'anyone', role: undefined };
  const secret = /^Bearer (\S{1,200})$/.exec(c.req.header('authorization') ?? '')?.[1];
  const token = secret === undefined ? undefined : await fleet.tokens.find(secret, fleet.clock.now());
  if (!token)
    throw new EigenError('EW6201_TOKEN_REFUSED', 'there is no valid token in the Authorization header', {
      hint: 'Send `Authorization: Bearer TOKEN`.',
    });
  if (!allows(token.role, needed))
    throw new EigenError('EW6202_NOT_ALLOWED', `${token.role} '${token.name}' may not do this: it takes ${needed}`, {
      details: { role: token.role, needed },
    });
  return { actor: `token:${token.id}`, role: token.role };
}

function uploadOf(c: Context): Upload {
  const length = c.req.header('content-length');
  return { bytes: length === undefined ? undefined : Number(length), chunks: c.req.raw.body ?? none() };
}

async function* none(): AsyncGenerator<Uint8Array> {
  // A request without a body.
}

async function bodyOf(c: Context): Promise<unknown> {
  // Node reads no more than what is announced.
  const length = Number(c.req.header('content-length') ?? Number.NaN);
  if (!(length <= MOST_BODY)) throw invalid(`body: its length has to be given, and at most ${MOST_BODY} bytes`);
  try {
    return await c.req.json();
  } catch {
    throw invalid('body: is not JSON');
  }
}

function checked(schema: v.GenericSchema<unknown, unknown> | undefined, value: unknown, where: string): unknown {
  if (!schema) return undefined;
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(`${where}: ${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`);
}

function invalid(message: string): EigenError {
  return new EigenError('EW2101_REQUEST_INVALID', message, { hint: 'GET /v1/openapi.json says what is expected.' });
}

const STATUS: Readonly<Record<string, number>> = {
  EW2102_NOT_FOUND: 404,
  EW7301_ROLLOUT_STATE: 409,
  EW8106_TARGETS_OUTDATED: 409,
  EW8104_METADATA_IN_USE: 503,
  EW6201_TOKEN_REFUSED: 401,
  EW6202_NOT_ALLOWED: 403,
  EW5201_DATABASE_UNAVAILABLE: 503,
};

function statusOf(e: EigenError): number {
  return STATUS[e.code] ?? 400;
}

function problem(c: Context, status: number, e: EigenError): Response {
  const { code, message, hint, details } = e;
  const headers = status === 401 ? { 'www-authenticate': 'Bearer' } : undefined;
  return c.json(
    { error: { code, message, ...(hint ? { hint } : {}), details } },
    status as ContentfulStatusCode,
    headers,
  );
}
