import { type Incoming, notConnected, type Transport } from '../../transport/transport.ts';
import type { Clock } from '../../util/clock.ts';
import { type EigenError, isEigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import { decodeMessage, encodeMessage, MAX_CREDIT, MAX_REQUESTED, type Message } from '../../wire/protocol/messages.ts';
import { deviceTopic } from '../../wire/protocol/topics.ts';
import type { TransportSourceParts } from './chunk-source.ts';
import { Pace } from './pace.ts';
import { sourceFailed } from './source-failed.ts';
import type { Window } from './window.ts';

/** On the way at most, whatever the window: twice what 25 MiB/s need at a round trip of 50 ms, since a blob of 16 MiB begins with less. */
const MOST_BYTES = 3 << 20;
/** How long a connection is waited for, milliseconds. */
const OFFLINE_PATIENCE = 300_000;
/** Longest wait that a server may ask for, milliseconds. */
const MOST_RETRY = 120_000;
/** Wrong chunks that are asked for again: so many, and a share of all. */
const WRONG_CHUNKS = 16;
const WRONG_SHARE = 1 / 4;

interface Asked {
  readonly at: number;
  readonly id: number;
  readonly deadline: number;
  /** Not the first time. */
  readonly again: boolean;
}

/**
 * One blob on its way: which chunks are wanted, which are asked for, which have come and are not taken. What is not taken counts as on
 * the way, so that a slow disk slows the network.
 */
export class ChunkFetch {
  private readonly transport: Transport;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly topics: { readonly rq: string; readonly ch: string };
  private readonly window: Window;
  private readonly blob: BlobSpec;
  private readonly digest: Uint8Array;
  private readonly pace: Pace;
  private readonly leave: (() => void)[];
  /** Indices that have not come, and of these: in order those to be asked for, those that were asked for and may come. */
  private readonly wanted: Set<number>;
  private todo: number[];
  private readonly asked = new Map<number, Asked>();
  /** Asked for once at least. */
  private readonly begun = new Set<number>();
  private bytesAsked = 0;
  private readonly come: { readonly index: number; readonly bytes: Uint8Array }[] = [];
  private wrong = 0;
  private readonly mostWrong: number;
  private notBefore = 0;
  private offlineSince: number | undefined;
  private failure: EigenError | undefined;
  private wake: () => void = () => undefined;

  constructor(parts: TransportSourceParts, window: Window, blob: BlobSpec, pieces: readonly number[]) {
    const { transport, clock, random, namespace, device } = parts;
    this.transport = transport;
    this.clock = clock;
    this.random = random;
    this.window = window;
    this.blob = blob;
    this.digest = new Uint8Array(Buffer.from(blob.sha256, 'hex'));
    this.topics = {
      rq: deviceTopic({ namespace, device, channel: 'rq' }),
      ch: deviceTopic({ namespace, device, channel: 'ch' }),
    };
    this.pace = new Pace(clock);
    this.wanted = new Set(pieces);
    this.todo = [...pieces];
    this.mostWrong = WRONG_CHUNKS + pieces.length * WRONG_SHARE;
    this.leave = [transport.onMessage((m) => this.hear(m)), transport.onState(() => this.wake())];
  }

  /** The next piece that has come; undefined when all have. */
  async next(): Promise<{ readonly index: number; readonly bytes: Uint8Array } | undefined> {
    for (;;) {
      const wait = this.ask();
      const piece = this.come.shift();
      if (piece) return piece;
      if (this.wanted.size === 0) return undefined;
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(wait, resolve);
        this.wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  end(): void {
    for (const leave of this.leave) leave();
  }

  /** Asks for what there is room for; gives the milliseconds until it is to be called again. */
  private ask(): number {
    const now = this.clock.monotonic();
    this.pace.hold(!this.transport.connected);
    if (!this.transport.connected) return this.waitForConnection(now);
    this.offlineSince = undefined;
    try {
      this.pace.check();
    } catch (e) {
      if (!isEigenError(e)) throw e;
      this.failure = e;
    }
    this.expire(now);
    if (now < this.notBefore) return this.notBefore - now;
    for (let indices = this.choose(); indices.length > 0; indices = this.choose()) this.request(indices, now);
    let next = this.pace.left;
    for (const { deadline } of this.asked.values()) next = Math.min(next, deadline - now);
    return Math.max(1, next);
  }

  /** What was on the way does not come any more. */
  private waitForConnection(now: number): number {
    this.again([...this.asked.keys()]);
    this.offlineSince ??= now;
    const left = this.offlineSince + OFFLINE_PATIENCE - now;
    if (left <= 0) this.failure = notConnected('there was no connection while something was to be fetched');
    return Math.max(1, left);
  }

  private expire(now: number): void {
    const late = [...this.asked].filter(([, a]) => a.deadline <= now);
    if (late.length === 0) return;
    this.window.lost(Math.max(...late.map(([, a]) => a.at)));
    this.again(late.map(([index]) => index));
  }

  /** Puts chunks back to those to be asked for, first. */
  private again(indices: readonly number[]): void {
    if (indices.length === 0) return;
    for (const index of indices) this.forget(index);
    this.todo = [...indices, ...this.todo];
  }

  private forget(index: number): void {
    if (this.asked.delete(index)) this.bytesAsked -= this.blob.pieces[index]!.bytes;
  }

  /** A few small requests would cost more than they gain: waits until an eighth of the window is free. */
  private choose(): number[] {
    const free = this.window.size - this.asked.size - this.come.length;
    if (free < Math.max(1, this.window.size >> 3) && this.asked.size > 0) return [];
    const room = Math.min(free, MAX_CREDIT);
    const [first] = this.todo;
    const chosen: number[] = [];
    let bytes = this.bytesAsked;
    for (const index of this.todo) {
      bytes += this.blob.pieces[index]!.bytes;
      if (chosen.length >= room || (bytes > MOST_BYTES && chosen.length + this.asked.size > 0)) break;
      if (Math.abs(index - first!) >= MAX_REQUESTED / 2) break;
      chosen.push(index);
    }
    return chosen;
  }

  private request(indices: readonly number[], now: number): void {
    this.todo.splice(0, indices.length);
    const from = Math.min(...indices);
    const bitmap = new Uint8Array(((Math.max(...indices) - from) >> 3) + 1);
    for (const i of indices) bitmap[(i - from) >> 3]! |= 1 << ((i - from) & 7);
    const id = Math.floor(this.random() * 2 ** 48);
    for (const index of indices) {
      this.asked.set(index, { at: now, id, deadline: now + this.window.timeout, again: this.begun.has(index) });
      this.begun.add(index);
      this.bytesAsked += this.blob.pieces[index]!.bytes;
    }
    const credit = indices.length;
    const request = encodeMessage('rq', { type: 'request-chunks', id, blob: this.digest, from, bitmap, credit });
    const expirySeconds = Math.ceil(this.window.timeout / 1000);
    // A request that was not sent is one that was lost.
    this.transport.publish(this.topics.rq, request, { expirySeconds }).catch(() => undefined);
  }

  private hear({ topic, payload }: Incoming): void {
    if (topic !== this.topics.ch) return;
    let message: Message<'ch'>;
    try {
      message = decodeMessage('ch', payload);
    } catch (e) {
      if (isEigenError(e)) return;
      throw e;
    }
    if (!('blob' in message) || Buffer.compare(message.blob, this.digest) !== 0) return;
    if (message.type === 'chunk') this.take(message.index, message.bytes);
    else if (message.type === 'busy') this.waitUntilFree(message.id, message.retry);
    else this.failure = sourceFailed(`it does not have blob ${this.blob.sha256}`, 'withheld');
    this.wake();
  }

  /** Also one that had been given up; not one that was never asked for, nor one that is there. */
  private take(index: number, bytes: Uint8Array): void {
    if (!this.wanted.has(index) || !this.begun.has(index)) return;
    const piece = this.blob.pieces[index]!;
    const asked = this.asked.get(index);
    if (bytes.length !== piece.bytes || sha256(bytes) !== piece.sha256) {
      if (++this.wrong > this.mostWrong)
        this.failure = sourceFailed(`${this.wrong} chunks were wrong`, 'arbitrary-installation');
      if (asked) this.again([index]);
      return;
    }
    this.forget(index);
    this.wanted.delete(index);
    if (!asked) this.todo = this.todo.filter((i) => i !== index);
    this.window.arrived(asked && this.clock.monotonic() - asked.at, asked?.again ?? true);
    this.pace.note(bytes.length);
    this.come.push({ index, bytes });
  }

  private waitUntilFree(id: number, retry: number): void {
    const refused = [...this.asked].filter(([, a]) => a.id === id).map(([index]) => index);
    if (refused.length === 0) return;
    this.again(refused);
    this.window.shrink();
    this.notBefore = this.clock.monotonic() + Math.min(MOST_RETRY, retry) * (1 + this.random() / 4);
  }
}
