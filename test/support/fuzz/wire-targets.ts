import { FrameReader, frameOf } from '../../../sdk/device/client/frames.ts';
import { decodeRequest, encodeFrame, packTensors } from '../../../sdk/device/client/messages.ts';
import { FrameLimit } from '../../../sdk/fleet/broker/frames.ts';
import type { Rng } from '../../../sdk/util/rng.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../../../sdk/wire/cbor.ts';
import { decodeMessage, encodeMessage } from '../../../sdk/wire/protocol/messages.ts';
import { CHANNELS, deviceTopic, parseTopic } from '../../../sdk/wire/protocol/topics.ts';
import { EVERY_MESSAGE } from '../messages.ts';
import { mutated, mutatedTree, oneOf, randomBytes } from './mutate.ts';
import { type FuzzTarget, refusing, sameBytes } from './target.ts';

const INVALID = /^EW600[67]/;

const MESSAGES = EVERY_MESSAGE.map(({ channel, message }) => ({ channel, bytes: encodeMessage(channel, message) }));
const BYTES = MESSAGES.map((m) => m.bytes);

/** The bytes of a value that is nearly this one. */
function nearly(bytes: Uint8Array, rng: Rng): Uint8Array {
  if (rng.below(2) === 0) return mutated(bytes, BYTES, rng);
  try {
    return encodeCbor(mutatedTree(decodeCbor(bytes), rng) as CborValue);
  } catch {
    // A value that has no encoding.
    return mutated(bytes, BYTES, rng);
  }
}

const cbor: FuzzTarget = {
  name: 'CBOR',
  share: 170,
  once(rng) {
    const bytes = rng.below(8) === 0 ? randomBytes(rng, rng.below(60)) : nearly(oneOf(BYTES, rng), rng);
    const value = refusing(INVALID, () => decodeCbor(bytes));
    if (value === undefined) return 'refused';
    sameBytes('what it encodes to', encodeCbor(value), bytes);
    return 'taken';
  },
};

const messages: FuzzTarget = {
  name: 'messages',
  share: 250,
  once(rng) {
    const { channel, bytes } = oneOf(MESSAGES, rng);
    const [on, sent] = [rng.below(10) === 0 ? oneOf(CHANNELS, rng) : channel, nearly(bytes, rng)];
    const message = refusing(INVALID, () => decodeMessage(on, sent));
    if (message === undefined) return 'refused';
    sameBytes('the message', encodeMessage(on, message), sent);
    return 'taken';
  },
};

const TOPICS = CHANNELS.map((channel) => deviceTopic({ namespace: 'default', device: 'camera-7', channel }));
const TOPIC_BYTES = TOPICS.map((topic) => new TextEncoder().encode(topic));

const topics: FuzzTarget = {
  name: 'topics',
  share: 50,
  once(rng) {
    const topic = new TextDecoder().decode(mutated(oneOf(TOPIC_BYTES, rng), TOPIC_BYTES, rng));
    const parsed = refusing(INVALID, () => parseTopic(topic));
    if (parsed === undefined) return 'refused';
    if (deviceTopic(parsed) !== topic) throw new Error(`'${topic}' is taken for ${deviceTopic(parsed)}`);
    return 'taken';
  },
};

const REQUESTS = [
  encodeFrame({ op: 'run', id: 1, inputs: packTensors({ x: tensor('f32', [1, 4], [1, 2, 3, 4]) }) }),
  encodeFrame({ op: 'measure', id: 2, values: { accuracy: 0.5 } }),
];
const MOST_FRAME = 4096;

const applications: FuzzTarget = {
  name: 'local API',
  share: 60,
  once(rng) {
    const request = oneOf(REQUESTS, rng);
    // A frame of the right length around something wrong, or anything.
    const frame = rng.below(2) === 0 ? frameOf(nearly(request.subarray(4), rng)) : mutated(request, REQUESTS, rng);
    const reader = new FrameReader(() => MOST_FRAME);
    const cut = rng.below(frame.length + 1);
    const bodies = refusing(INVALID, () =>
      [frame.subarray(0, cut), frame.subarray(cut)].flatMap((part) => [...reader.push(part)]),
    );
    const requests = bodies?.map((body) => refusing(INVALID, () => decodeRequest(body))) ?? [];
    return requests.length > 0 && requests.every((r) => r !== undefined) ? 'taken' : 'refused';
  },
};

/** Fixed headers of MQTT: the packets themselves are read by the library. */
const PACKETS = [0, 2, 127, 128, 300].map((length) => mqttPacket(length));
const MOST_PACKET = 256;

function mqttPacket(length: number): Uint8Array {
  const head = length < 128 ? [0x30, length] : [0x30, (length & 127) | 128, length >> 7];
  return Uint8Array.from([...head, ...new Array<number>(length).fill(7)]);
}

const mqtt: FuzzTarget = {
  name: 'frames of MQTT',
  share: 40,
  once(rng) {
    const bytes = mutated(oneOf(PACKETS, rng), PACKETS, rng);
    const [whole, parts] = [new FrameLimit(MOST_PACKET), new FrameLimit(MOST_PACKET)];
    const fits = whole.take(bytes);
    let inParts = true;
    for (let at = 0; at < bytes.length && inParts; ) {
      const step = 1 + rng.below(9);
      inParts = parts.take(bytes.subarray(at, at + step));
      at += step;
    }
    if (fits !== inParts) throw new Error('it depends on how the bytes are cut whether they fit');
    return fits ? 'taken' : 'refused';
  },
};

export const WIRE_TARGETS: readonly FuzzTarget[] = [cbor, messages, topics, applications, mqtt];
