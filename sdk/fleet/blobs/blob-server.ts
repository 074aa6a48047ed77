import type { Incoming, Transport } from '../../transport/transport.ts';
import { Turns } from '../../transport/turns.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { type BlobSpec, offsetsOf } from '../../wire/blob.ts';
import { decodeMessage, encodeMessage, type Message } from '../../wire/protocol/messages.ts';
import { deviceTopic, everyDevice, parseTopic } from '../../wire/protocol/topics.ts';
import { MetadataAnswers } from './metadata-answers.ts';
import { Seen } from './seen.ts';
import type { BlobSource, MetadataFiles } from './source.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

export interface BlobServerParts {
  readonly transport: Transport;
  readonly namespace: string;
  readonly blobs: BlobSource;
  readonly metadata: MetadataFiles;
  /** Whether a device is answered here: another controller may have its shard. All are where it is absent. */
  readonly serves?: (device: string) => boolean;
  /** Limits of what is sent; those of `DEFAULT_RATES` where absent. */
  readonly rates?: Rates;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export interface Rates {
  readonly device: Rate;
  readonly total: Rate;
}

const MB = 1e6;
export const DEFAULT_RATES: Rates = {
  device: { perSecond: 64 * MB, most: 8 * MB },
  total: { perSecond: 256 * MB, most: 64 * MB },
};

/** Requests that are answered at a time, and that wait for it. */
const AT_A_TIME = 64;
const WAITING = 512;
/** What a device is told to wait that comes when too many wait, milliseconds. */
const CROWDED = 2000;
/** Devices whose last requests are remembered. */
const MOST_DEVICES = 65_536;

interface DeviceState {
  readonly seen: Seen;
  readonly bucket: TokenBucket;
}

type Request = Message<'rq'>;
type ChunkRequest = Extract<Request, { type: 'request-chunks' }>;

/** What was asked and answered since the start. */
export interface BlobServerCounts {
  requests: number;
  /** Not understood, or seen before. */
  dropped: number;
  busy: number;
  missing: number;
  chunks: number;
  bytes: number;
}

/**
 * Answers what devices ask for over a transport: chunks of blobs, and pieces of metadata. Remembers nothing but rates and the last
 * requests: an answer that is lost is asked for again, of this server or of another.
 */
export class BlobServer {
  readonly counts: BlobServerCounts = { requests: 0, dropped: 0, busy: 0, missing: 0, chunks: 0, bytes: 0 };
  private readonly parts: BlobServerParts;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly rates: Rates;
  private readonly total: TokenBucket;
  private readonly turns = new Turns(AT_A_TIME, WAITING);
  private readonly metadata: MetadataAnswers;
  /** In the order of their last request. */
  private readonly devices = new Map<string, DeviceState>();
  private readonly leave: () => void;

  private constructor(parts: BlobServerParts) {
    this.parts = parts;
    this.clock = parts.clock ?? systemClock;
    this.random = parts.random ?? Math.random;
    this.rates = parts.rates ?? DEFAULT_RATES;
    this.total = new TokenBucket(this.rates.total, this.clock);
    this.metadata = new MetadataAnswers(parts.metadata, (device, message) => this.send(device, message));
    this.leave = parts.transport.onMessage((message) => this.hear(message));
  }

  /** Begins to answer. The transport stays the caller's. */
  static async start(parts: BlobServerParts): Promise<BlobServer> {
    const server = new BlobServer(parts);
    await parts.transport.subscribe(everyDevice(parts.namespace, 'rq'), 0);
    return server;
  }

  close(): void {
    this.leave();
  }

  /** Requests that wait for those before them. */
  get waiting(): number {
    return this.turns.size + this.metadata.waiting;
  }

  private hear({ topic, payload }: Incoming): void {
    if (!topic.endsWith('/rq')) return;
    let device: string;
    let request: Request;
    try {
      const parsed = parseTopic(topic);
      if (parsed.namespace !== this.parts.namespace) return;
      device = parsed.device;
      if (this.parts.serves && !this.parts.serves(device)) return;
      request = decodeMessage('rq', payload);
    } catch (e) {
      if (!isEigenError(e)) throw e;
      this.counts.dropped++;
      return;
    }
    this.counts.requests++;
    void this.answer(device, request);
  }

  /** Whatever fails is as if the answer was lost. */
  private async answer(device: string, request: Request): Promise<void> {
    if (request.type === 'request-metadata') return this.metadata.answer(device, request).catch(() => undefined);
    const state = this.stateOf(device);
    if (!state.seen.take(request.id)) {
      this.counts.dropped++;
      return;
    }
    try {
      await this.turns.take(() => this.sendChunks(device, state, request));
    } catch (e) {
      if (!isEigenError(e) || e.code !== 'EW7102_LINK_FULL') return;
      await this.sendBusy(device, request, CROWDED).catch(() => undefined);
    }
  }

  private async sendChunks(device: string, state: DeviceState, request: ChunkRequest): Promise<void> {
    const name = Buffer.from(request.blob).toString('hex');
    const spec = await this.parts.blobs.spec(name);
    if (!spec) {
      this.counts.missing++;
      await this.send(device, { type: 'missing', blob: request.blob });
      return;
    }
    const indices = wanted(request, spec.pieces.length);
    const bytes = indices.reduce((sum, i) => sum + spec.pieces[i]!.bytes, 0);
    const wait = Math.max(state.bucket.wait(bytes), this.total.wait(bytes));
    if (wait > 0) return this.sendBusy(device, request, wait);
    state.bucket.take(bytes);
    this.total.take(bytes);
    for (const index of indices) await this.sendChunk(device, request.blob, spec, index);
  }

  private async sendChunk(device: string, blob: Uint8Array, spec: BlobSpec, index: number): Promise<void> {
    const size = spec.pieces[index]!.bytes;
    const bytes = await this.parts.blobs.read(spec.sha256, offsetOf(spec, index), size);
    if (bytes.length !== size) return;
    await this.send(device, { type: 'chunk', blob, index, bytes });
    this.counts.chunks++;
    this.counts.bytes += size;
  }

  /** Not all come back at the same time. */
  private async sendBusy(device: string, { id, blob }: ChunkRequest, wait: number): Promise<void> {
    this.counts.busy++;
    await this.send(device, { type: 'busy', id, blob, retry: Math.ceil(wait * (1 + this.random())) });
  }

  private async send(device: string, message: Message<'ch'>): Promise<void> {
    const { transport, namespace } = this.parts;
    await transport.publish(deviceTopic({ namespace, device, channel: 'ch' }), encodeMessage('ch', message));
  }

  private stateOf(device: string): DeviceState {
    const known = this.devices.get(device);
    this.devices.delete(device);
    const state = known ?? { seen: new Seen(), bucket: new TokenBucket(this.rates.device, this.clock) };
    this.devices.set(device, state);
    if (this.devices.size > MOST_DEVICES) this.devices.delete(this.devices.keys().next().value!);
    return state;
  }
}

/** The first `credit` chunks that a request names and that there are. */
function wanted({ from, bitmap, credit }: ChunkRequest, count: number): number[] {
  const indices: number[] = [];
  for (let i = 0; i < 8 * bitmap.length && indices.length < credit && from + i < count; i++)
    if ((bitmap[i >> 3]! >> (i & 7)) & 1) indices.push(from + i);
  return indices;
}

const offsets = new WeakMap<BlobSpec, number[]>();

function offsetOf(spec: BlobSpec, index: number): number {
  let list = offsets.get(spec);
  if (!list) {
    list = offsetsOf(spec.pieces);
    offsets.set(spec, list);
  }
  return list[index]!;
}
