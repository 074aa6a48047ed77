import { notConnected } from '../../transport/transport.ts';
import { pause } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../wire/protocol/messages.ts';
import { deviceTopic } from '../../wire/protocol/topics.ts';
import type { MetadataSource } from '../trust/source.ts';
import type { TransportSourceParts } from './chunk-source.ts';
import type { HttpFolder } from './http.ts';
import { sourceFailed } from './source-failed.ts';

type Piece = Extract<Message<'ch'>, { type: 'metadata' }>;

/** How often a piece is asked for, and how long the first answer is waited for; later ones twice as long each. Milliseconds. */
const TRIES = 7;
const FIRST_WAIT = 1000;

/** Metadata over a transport, a piece at a time. */
export function transportMetadata(parts: TransportSourceParts): MetadataSource {
  const { namespace, device, transport } = parts;
  return {
    async fetch(role, version, most) {
      await transport.subscribe(deviceTopic({ namespace, device, channel: 'ch' }), 0);
      const first = await askPiece(parts, { role, version, from: 0 });
      const { total } = first;
      if (total === 0) return undefined;
      if (total > most) throw tooLong(role, total, most);
      const bytes = new Uint8Array(total);
      let piece = first;
      for (let at = 0; ; ) {
        if (piece.total !== total || piece.bytes.length === 0 || at + piece.bytes.length > total)
          throw sourceFailed(`the pieces of ${role} ${piece.version} do not fit together`, 'malformed-metadata');
        bytes.set(piece.bytes, at);
        at += piece.bytes.length;
        if (at === total) return bytes;
        // Of the version that was begun, whatever is the newest by now.
        piece = await askPiece(parts, { role, version: first.version, from: at });
      }
    },
  };
}

interface Question {
  readonly role: string;
  readonly version: number | undefined;
  readonly from: number;
}

/** Asks until there is an answer. */
async function askPiece(
  { transport, namespace, device, clock, random }: TransportSourceParts,
  { role, version, from }: Question,
): Promise<Piece> {
  const topics = {
    rq: deviceTopic({ namespace, device, channel: 'rq' }),
    ch: deviceTopic({ namespace, device, channel: 'ch' }),
  };
  const request = encodeMessage('rq', {
    type: 'request-metadata',
    role,
    from,
    ...(version === undefined ? {} : { version }),
  });
  let answer: Piece | undefined;
  let asked = new AbortController();
  const leave = transport.onMessage(({ topic, payload }) => {
    const piece = topic === topics.ch ? pieceIn(payload) : undefined;
    if (piece?.role !== role || piece.from !== from || (version !== undefined && piece.version !== version)) return;
    answer = { ...piece, bytes: piece.bytes.slice() };
    asked.abort();
  });
  let connected = false;
  try {
    for (let tries = 0; tries < TRIES && !answer; tries++) {
      asked = new AbortController();
      connected = await transport.publish(topics.rq, request).then(
        () => true,
        () => false,
      );
      await pause(clock, FIRST_WAIT * 2 ** tries * (1 + random()), asked.signal);
    }
  } finally {
    leave();
  }
  if (answer) return answer;
  if (!connected) throw notConnected('there was no connection while metadata was to be fetched');
  throw sourceFailed(`nothing came when ${role} was asked for`, 'withheld');
}

function pieceIn(payload: Uint8Array): Piece | undefined {
  try {
    const message = decodeMessage('ch', payload);
    return message.type === 'metadata' ? message : undefined;
  } catch (e) {
    if (isEigenError(e)) return undefined;
    throw e;
  }
}

/** Metadata from any web server that has `metadata/<version>.<role>.json`, and `metadata/<role>.json` for the newest. */
export function httpMetadata(folder: HttpFolder): MetadataSource {
  return {
    async fetch(role, version, most) {
      const path = `metadata/${version === undefined ? '' : `${version}.`}${role}.json`;
      const response = await folder.get(path);
      try {
        if (response.statusCode === 404 || response.statusCode === 410) {
          response.resume();
          return undefined;
        }
        if (response.statusCode !== 200) throw sourceFailed(`${path}: the server answers ${response.statusCode}`);
        const parts: Buffer[] = [];
        let total = 0;
        for await (const part of response as AsyncIterable<Buffer>) {
          total += part.length;
          if (total > most) throw tooLong(role, total, most);
          parts.push(part);
        }
        return Buffer.concat(parts);
      } catch (e) {
        if (isEigenError(e)) throw e;
        throw sourceFailed(`${path}: ${e instanceof Error ? e.message : String(e)}`);
      } finally {
        if (!response.complete) response.destroy();
      }
    },
  };
}

function tooLong(role: string, found: number, most: number) {
  return sourceFailed(`metadata of ${role} has ${found} bytes or more, at most ${most} are read`, 'endless-data');
}
