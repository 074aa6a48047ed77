import type { Message } from '../../sdk/wire/protocol/messages.ts';
import { CHANNELS, type Channel } from '../../sdk/wire/protocol/topics.ts';

const digest = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** Every kind of message, with all of its members and with as few as it can have. */
export const MESSAGES: { readonly [C in Channel]: readonly Message<C>[] } = {
  up: [
    {
      type: 'birth',
      epoch: 3,
      rev: 7,
      agent: '0.1.0',
      board: 'raspberry-pi-5',
      profile: digest(1),
      self: digest(4),
      running: digest(2),
      slots: [digest(2), digest(3)],
      metadata: { root: 1, timestamp: 2, snapshot: 3, targets: 4 },
    },
    {
      type: 'birth',
      epoch: 0,
      rev: 0,
      agent: '0.1.0',
      board: 'host',
      slots: [],
      metadata: { root: 1, timestamp: 0, snapshot: 0, targets: 0 },
    },
    { type: 'status', epoch: 3, seq: 1, rev: 8, step: 'fetch', done: 61440, total: 250000 },
    {
      type: 'status',
      epoch: 3,
      seq: 2,
      rev: 8,
      step: 'idle',
      done: 0,
      total: 0,
      why: 'updates begin between 01:00 and 05:00',
    },
    {
      type: 'report',
      epoch: 3,
      seq: 9,
      rev: 8,
      outcome: 'refused',
      running: digest(2),
      code: 'EW6008_DELTA_INVALID',
      attack: 'mix-and-match',
      step: 'fetch',
      reason: 'delta: 3 pieces of what it makes are wrong',
      received: 70000,
      p95: 1500,
      memory: 2 ** 21,
    },
    { type: 'report', epoch: 3, seq: 9, rev: 8, outcome: 'committed', received: 0 },
    {
      type: 'health',
      epoch: 3,
      seq: 10,
      running: digest(3),
      runs: 1000,
      failures: 0,
      p95: 1400,
      memory: 2 ** 21,
      temperature: 51.5,
      metrics: { confidence: 0.875, 'drift-z': -0.25 },
    },
    { type: 'health', epoch: 3, seq: 10, running: digest(3), runs: 0, failures: 0 },
  ],
  dn: [
    { type: 'desired', rev: 8, action: 'install', target: digest(3) },
    { type: 'desired', rev: 9, action: 'abort', target: digest(3) },
  ],
  st: [{ type: 'presence', epoch: 3, online: true, rev: 8 }],
  rq: [
    { type: 'request-chunks', id: 5, blob: digest(3), from: 16, bitmap: Uint8Array.of(0xff, 0x03), credit: 8 },
    { type: 'request-metadata', role: 'timestamp', from: 0 },
    { type: 'request-metadata', role: 'root', version: 2, from: 61440 },
  ],
  ch: [
    { type: 'chunk', blob: digest(3), index: 17, bytes: Uint8Array.of(1, 2, 3) },
    { type: 'metadata', role: 'root', version: 2, from: 0, total: 4, bytes: Uint8Array.of(0x7b, 0x7d, 10, 10) },
    { type: 'metadata', role: 'root', version: 0, from: 0, total: 0, bytes: new Uint8Array(0) },
    { type: 'busy', id: 5, blob: digest(3), retry: 1500 },
    { type: 'missing', blob: digest(3) },
  ],
};

/** All of them with their channels. */
export const EVERY_MESSAGE = CHANNELS.flatMap((channel) => MESSAGES[channel].map((message) => ({ channel, message })));
