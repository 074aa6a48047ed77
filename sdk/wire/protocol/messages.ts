import * as v from 'valibot';
import { EigenError } from '../../util/errors.ts';
import { type CborMap, type CborValue, decodeCbor, encodeCbor, invalidMessage } from '../cbor.ts';
import type { Channel } from './topics.ts';

/**
 * Messages of the update protocol; messages.cddl says the same for other implementations, and what the fields mean. State, not
 * commands: whatever is lost, doubled or late is made good by the next birth or desired state.
 */
export const PROTOCOL_VERSION = 1;

/** Largest piece of a blob or of metadata in one message. */
export const MAX_PIECE = 262_144;
/** What all brokers and gateways known to us carry. */
export const DEFAULT_PIECE = 61_440;

/** Longest text for people, bytes. */
export const MAX_TEXT = 256;

/** Chunks that one request can name. */
export const MAX_REQUESTED = 8 * 4096;
export const MAX_CREDIT = 32;

/** Of a whole message, by channel: more is refused before it is looked at. */
const MAX_BYTES: Readonly<Record<Channel, number>> = {
  up: 16_384,
  dn: 4096,
  st: 1024,
  rq: 8192,
  ch: MAX_PIECE + 1024,
};

const version = v.literal(PROTOCOL_VERSION);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const name = textOfSize(128);
const text = textOfSize(MAX_TEXT);
const digest = bytesOfSize(32, 32);
const finite = v.pipe(v.number(), v.finite());

/** Byte counts, as CDDL's .size has them. What databases take for no text is none: the character 0, half of a surrogate pair. */
function textOfSize(most: number) {
  const isText = (value: string): boolean => {
    const size = new TextEncoder().encode(value).length;
    return size >= 1 && size <= most && !value.includes('\0') && !/\p{Surrogate}/u.test(value);
  };
  return v.pipe(v.string(), v.check(isText, `must be a text of 1 to ${most} bytes without U+0000`));
}

/** Arrays and byte strings are objects too. */
function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function bytesOfSize(least: number, most: number) {
  return v.pipe(
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes'),
    v.check((b) => b.length >= least && b.length <= most, `must be ${least} to ${most} bytes`),
  );
}

const STEPS = [
  'idle',
  'check',
  'preflight',
  'fetch',
  'verify',
  'load',
  'gate',
  'shadow',
  'swap',
  'probation',
  'commit',
  'rollback',
] as const;

const birth = v.strictObject({
  v: version,
  type: v.literal('birth'),
  epoch: count,
  rev: count,
  agent: name,
  board: name,
  profile: v.optional(digest),
  self: v.optional(digest),
  running: v.optional(digest),
  slots: v.array(digest),
  metadata: v.strictObject({ root: count, timestamp: count, snapshot: count, targets: count }),
});

const status = v.strictObject({
  v: version,
  type: v.literal('status'),
  epoch: count,
  seq: count,
  rev: count,
  step: v.picklist(STEPS),
  done: count,
  total: count,
  why: v.optional(text),
});

const report = v.strictObject({
  v: version,
  type: v.literal('report'),
  epoch: count,
  seq: count,
  rev: count,
  outcome: v.picklist(['committed', 'rolled-back', 'refused', 'failed']),
  running: v.optional(digest),
  code: v.optional(name),
  attack: v.optional(name),
  step: v.optional(v.picklist(STEPS)),
  reason: v.optional(text),
  received: count,
  p95: v.optional(count),
  memory: v.optional(count),
});

const health = v.strictObject({
  v: version,
  type: v.literal('health'),
  epoch: count,
  seq: count,
  running: digest,
  runs: count,
  failures: count,
  p95: v.optional(count),
  memory: v.optional(count),
  temperature: v.optional(finite),
  metrics: v.optional(v.pipe(v.custom<CborMap>(isMap, 'must be a map'), v.record(name, finite))),
});

const desired = v.strictObject({
  v: version,
  type: v.literal('desired'),
  rev: count,
  action: v.picklist(['install', 'pause', 'abort']),
  target: digest,
});

const presence = v.strictObject({
  v: version,
  type: v.literal('presence'),
  epoch: count,
  online: v.boolean(),
  rev: count,
});

const requestChunks = v.strictObject({
  v: version,
  type: v.literal('request-chunks'),
  id: count,
  blob: digest,
  from: count,
  bitmap: bytesOfSize(1, MAX_REQUESTED / 8),
  credit: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MAX_CREDIT)),
});

const requestMetadata = v.strictObject({
  v: version,
  type: v.literal('request-metadata'),
  role: name,
  version: v.optional(count),
  from: count,
});

const chunk = v.strictObject({
  v: version,
  type: v.literal('chunk'),
  blob: digest,
  index: count,
  bytes: bytesOfSize(1, MAX_PIECE),
});

const metadata = v.strictObject({
  v: version,
  type: v.literal('metadata'),
  role: name,
  version: count,
  from: count,
  total: count,
  bytes: bytesOfSize(0, MAX_PIECE),
});

const busy = v.strictObject({ v: version, type: v.literal('busy'), id: count, blob: digest, retry: count });

const missing = v.strictObject({ v: version, type: v.literal('missing'), blob: digest });

/** What may come on a channel. */
const SCHEMAS = {
  up: v.variant('type', [birth, status, report, health]),
  dn: v.variant('type', [desired]),
  st: v.variant('type', [presence]),
  rq: v.variant('type', [requestChunks, requestMetadata]),
  ch: v.variant('type', [chunk, metadata, busy, missing]),
} satisfies Record<Channel, v.GenericSchema<unknown, unknown>>;

/** A message of a channel, without its version. */
export type Message<C extends Channel> = Unversioned<v.InferOutput<(typeof SCHEMAS)[C]>>;
type Unversioned<T> = T extends { readonly v: number } ? Readonly<Omit<T, 'v'>> : never;

export type UpdateStep = (typeof STEPS)[number];

/**
 * The bytes of a message; members that are undefined are left out.
 * @throws RangeError for a message that the other side would refuse.
 */
export function encodeMessage<C extends Channel>(channel: C, message: Message<C>): Uint8Array {
  const given = Object.entries(message as CborMap).filter(([, value]) => value !== undefined);
  const whole: CborMap = { v: PROTOCOL_VERSION, ...Object.fromEntries(given) };
  const result = v.safeParse(SCHEMAS[channel], whole);
  if (!result.success) throw new RangeError(`message: ${describe(result.issues[0])}`);
  const bytes = encodeCbor(whole);
  if (bytes.length > MAX_BYTES[channel])
    throw new RangeError(`message: ${bytes.length} bytes on ${channel}, at most ${MAX_BYTES[channel]}`);
  return bytes;
}

/**
 * The message in bytes that anybody may have sent. Byte strings are views of them.
 * @throws EigenError EW6006_MESSAGE_INVALID naming the field, EW6007_MESSAGE_VERSION for a version that is not known.
 */
export function decodeMessage<C extends Channel>(channel: C, bytes: Uint8Array): Message<C> {
  if (bytes.length > MAX_BYTES[channel])
    throw invalidMessage(`${bytes.length} bytes on ${channel}, at most ${MAX_BYTES[channel]}`);
  const value = decodeCbor(bytes);
  checkVersion(value);
  const result = v.safeParse(SCHEMAS[channel], value, { abortEarly: true });
  if (!result.success) throw invalidMessage(describe(result.issues[0]));
  const { v: _, ...message } = result.output;
  return message as Message<C>;
}

function checkVersion(value: CborValue): void {
  const found = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
  if (typeof found !== 'number') throw invalidMessage('it has no version');
  if (found !== PROTOCOL_VERSION)
    throw new EigenError('EW6007_MESSAGE_VERSION', `message: version ${found}, this side knows ${PROTOCOL_VERSION}`, {
      hint: 'Update the older side: the agent of the device, or the controller.',
      details: { found, known: PROTOCOL_VERSION },
    });
}

function describe(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`.slice(0, 256);
}
