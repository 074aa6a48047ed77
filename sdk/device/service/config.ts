import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { EigenError } from '../../util/errors.ts';
import { nearest } from '../../util/nearest.ts';
import { isTopicName } from '../../wire/protocol/topics.ts';

const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const path = v.pipe(v.string(), v.nonEmpty('must be a path'));
const time = v.pipe(v.string(), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, HH:MM'));
const command = v.pipe(v.array(v.string()), v.minLength(1, 'must name a program'));
const pem = { ca: v.optional(path), cert: v.optional(path), key: v.optional(path) };
const reading = v.strictObject({ file: path, least: v.optional(v.number()), most: v.optional(v.number()) });

const schema = v.strictObject({
  device: v.pipe(v.string(), v.check(isTopicName, "must be 1 to 64 letters, digits, '-' or '_'")),
  board: v.pipe(v.string(), v.nonEmpty('must be the id of a board')),
  state: path,
  socket: v.optional(path),
  threads: v.optional(count, 1),
  exchangeSeconds: v.optional(positive, 60),
  folder: v.optional(path),
  controller: v.optional(
    v.strictObject({
      namespace: v.optional(
        v.pipe(v.string(), v.check(isTopicName, "must be 1 to 64 letters, digits, '-' or '_'")),
        'default',
      ),
      root: path,
      mqtt: v.strictObject({
        url: v.pipe(v.string(), v.regex(/^(mqtts?|wss?):\/\//, 'must be a mqtt://, mqtts://, ws:// or wss:// address')),
        version: v.optional(v.picklist([4, 5])),
        username: v.optional(v.string()),
        passwordFile: v.optional(path),
        ...pem,
      }),
      http: v.optional(v.strictObject({ url: v.string(), ...pem })),
      fallbackBytes: v.optional(count),
    }),
  ),
  conditions: v.optional(
    v.strictObject({
      window: v.optional(v.strictObject({ from: time, to: time })),
      temperature: v.optional(reading),
      power: v.optional(reading),
      command: v.optional(command),
    }),
    {},
  ),
  health: v.optional(
    v.strictObject({
      p95Milliseconds: v.optional(positive),
      residentBytes: v.optional(count),
      command: v.optional(command),
    }),
    {},
  ),
});

/** The configuration of an agent. Paths are absolute: in the file they are relative to its folder. */
export type AgentConfig = v.InferOutput<typeof schema>;

/** PEM: whom the other side's certificate must come from, and who this side is. */
export interface PemFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Reads a configuration.
 * @param file where the text is from: its folder is what paths start from.
 * @throws EigenError EW1005_CONFIG_INVALID naming the field.
 */
export function parseConfig(text: string, file: string): AgentConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, `it is no JSON: ${cause instanceof Error ? cause.message : cause}`, undefined, cause);
  }
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw invalid(file, `${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`, guessFor(issue));
  }
  const config = result.output;
  if ((config.folder === undefined) === (config.controller === undefined))
    throw invalid(file, "one of 'folder' and 'controller' says where models come from");
  return withPaths(config, dirname(resolve(file)));
}

/** Fields that name files and folders, wherever they are. */
const PATHS = new Set(['state', 'socket', 'folder', 'root', 'passwordFile', 'ca', 'cert', 'key']);

function withPaths<T extends object>(values: T, folder: string): T {
  const entries = Object.entries(values).map(([name, value]): [string, unknown] => {
    if (typeof value === 'string' && PATHS.has(name)) return [name, resolve(folder, value)];
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [name, nested ? withPaths(value, folder) : value];
  });
  return Object.fromEntries(entries) as T;
}

/** The known field that an unknown one looks like. */
function guessFor(issue: v.BaseIssue<unknown>): string | undefined {
  if (issue.type !== 'strict_object' || issue.expected !== 'never') return undefined;
  const [name] = issue.path?.slice(-1) ?? [];
  const guess = nearest(String(name?.key), Object.keys(schema.entries));
  return guess && `did you mean '${guess}'?`;
}

function invalid(
  file: string,
  message: string,
  hint = 'See the README, "The agent of a device".',
  cause?: unknown,
): EigenError {
  return new EigenError('EW1005_CONFIG_INVALID', `${file}: ${message}`, { hint, details: { file }, cause });
}
