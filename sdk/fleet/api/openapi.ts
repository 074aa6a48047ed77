import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import type { Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

/** Of every answer that is not a good one. */
const PROBLEM: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        hint: { type: 'string' },
        details: { type: 'object' },
      },
    },
  },
};

/** Any bytes. */
const FILE: Json = { 'application/octet-stream': {} };

const FAILURES: Readonly<Record<string, string>> = {
  '400': 'The request is not as it should be',
  '401': 'No valid token',
  '403': 'The role of the token may not do this',
};

/** The OpenAPI 3.1 document of these routes, from the schemas that check them. */
export function openApi(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'EigenWeights controller',
      version: '1',
      description: 'Times are milliseconds since 1970, digests SHA-256 in hex.',
    },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM },
    },
  };
}

function operation(route: Route): Json {
  const open = route.role === 'anyone';
  const failures = Object.entries(FAILURES).filter(([status]) => !open || status === '400');
  return {
    summary: route.summary,
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+/g, '_')}`,
    ...(open ? {} : { security: [{ token: [] }], 'x-role': route.role }),
    ...parametersOf(route),
    ...(route.body ? { requestBody: { required: true, content: json(schemaOf(route.body, 'input')) } } : {}),
    ...(route.upload ? { requestBody: { required: true, content: FILE } } : {}),
    responses: {
      [route.status ?? 200]: { description: 'Done', content: json(schemaOf(route.reply, 'output')) },
      ...Object.fromEntries(
        failures.map(([status, description]) => [
          status,
          { description, content: json({ $ref: '#/components/schemas/Problem' }) },
        ]),
      ),
    },
  };
}

function parametersOf({ params, query }: Route): Json {
  const parameters = [...parametersIn('path', params), ...parametersIn('query', query)];
  return parameters.length > 0 ? { parameters } : {};
}

function parametersIn(where: 'path' | 'query', schema: v.GenericSchema | undefined): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema: of,
  }));
}

/** What only code can check (`check`, `transform`) is left out: JSON Schema has no word for it. */
function schemaOf(schema: v.GenericSchema, typeMode: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = toJsonSchema(schema, { target: 'draft-2020-12', typeMode, errorMode: 'ignore' });
  return rest;
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}
