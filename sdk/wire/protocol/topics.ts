import { sha256 } from '../../util/hash.ts';
import { invalidMessage } from '../cbor.ts';

/**
 * Topics of the update protocol. They use what every MQTT 3.1.1 broker has: five levels at most, letters, digits, `-` and `_` (a dot is a
 * separator to some brokers). A device has topics of its own only, so that one rule on its name is its access control.
 *
 *   ew1/{namespace}/{shard}/{device}/up   device -> controller: birth, status, report, health
 *   ew1/{namespace}/{shard}/{device}/dn   controller -> device: desired state
 *   ew1/{namespace}/{shard}/{device}/st   presence, retained and last will
 *   ew1/{namespace}/{shard}/{device}/rq   device -> blob server: requests for chunks and metadata
 *   ew1/{namespace}/{shard}/{device}/ch   blob server -> device: chunks and metadata
 */
export const CHANNELS = ['up', 'dn', 'st', 'rq', 'ch'] as const;
export type Channel = (typeof CHANNELS)[number];

const ROOT = 'ew1';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export interface DeviceTopic {
  readonly namespace: string;
  readonly device: string;
  readonly channel: Channel;
}

/** Whether a text can name a device or a namespace. */
export function isTopicName(name: string): boolean {
  return NAME.test(name);
}

/** Of devices that were asked for: every message asks. */
const shards = new Map<string, string>();
const MOST_SHARDS = 1 << 16;

/** Shards spread devices over controllers: the first byte of SHA-256 of the name, two hex digits. */
export function shardOf(device: string): string {
  const known = shards.get(device);
  if (known !== undefined) return known;
  const shard = sha256(device).slice(0, 2);
  if (shards.size >= MOST_SHARDS) shards.clear();
  shards.set(device, shard);
  return shard;
}

/** @throws RangeError for a name that cannot stand in a topic. */
export function deviceTopic({ namespace, device, channel }: DeviceTopic): string {
  for (const name of [namespace, device])
    if (!isTopicName(name)) throw new RangeError(`'${name}' cannot stand in a topic`);
  return [ROOT, namespace, shardOf(device), device, channel].join('/');
}

/** What controllers subscribe to: a channel of all devices. */
export function everyDevice(namespace: string, channel: Channel): string {
  if (!isTopicName(namespace)) throw new RangeError(`'${namespace}' is no namespace`);
  return [ROOT, namespace, '+', '+', channel].join('/');
}

/**
 * The parts of a topic.
 * @throws EigenError EW6006_MESSAGE_INVALID for any other topic, a device in a shard that is not its own included.
 */
export function parseTopic(topic: string): DeviceTopic {
  const [root, namespace = '', shard = '', name = '', last, ...rest] = topic.split('/');
  const known = root === ROOT && isTopicName(namespace) && rest.length === 0;
  const channel = CHANNELS.find((c) => c === last);
  if (known && channel && isTopicName(name) && shard === shardOf(name)) return { namespace, device: name, channel };
  throw invalidMessage(`'${topic.slice(0, 128)}' is no topic of the protocol`);
}
