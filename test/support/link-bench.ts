import { ChunkSource, type TransportSourceParts } from '../../sdk/device/link/index.ts';
import { BlobServer, type Rates } from '../../sdk/fleet/blobs/index.ts';
import { MemoryBroker, type MemoryTransport, type NetworkFaults } from '../../sdk/testing/memory-broker.ts';
import { SimulatedClock } from '../../sdk/testing/simulated-clock.ts';
import { Rng } from '../../sdk/util/rng.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';
import { encodeMessage, type Message } from '../../sdk/wire/protocol/messages.ts';
import { deviceTopic } from '../../sdk/wire/protocol/topics.ts';
import { MemoryBlobs } from './link.ts';

export const NAMES = { namespace: 'test', device: 'd1' } as const;

/** A device's end of a network in simulated time, and a blob server at the other. */
export class LinkBench {
  readonly clock = new SimulatedClock();
  readonly broker: MemoryBroker;
  readonly blobs = new MemoryBlobs();
  readonly transport: MemoryTransport;
  readonly parts: TransportSourceParts;
  /** Somebody else at the same broker. */
  readonly other: MemoryTransport;
  readonly source: ChunkSource;
  server: BlobServer | undefined;

  constructor(faults: NetworkFaults = { latency: 5 }) {
    const rng = new Rng(faults.seed ?? 7);
    const random = (): number => rng.uniform();
    this.broker = new MemoryBroker(this.clock, faults);
    this.transport = this.broker.connect('d1');
    this.other = this.broker.connect('other');
    this.parts = { ...NAMES, transport: this.transport, clock: this.clock, random };
    this.source = new ChunkSource(this.parts);
  }

  async serve(rates?: Rates): Promise<void> {
    this.server = await BlobServer.start({
      ...this.parts,
      transport: this.broker.connect('server'),
      blobs: this.blobs,
      metadata: this.blobs,
      ...(rates ? { rates } : {}),
    });
    await this.clock.pass(20);
  }

  /** Lets somebody else say something to the device. */
  async say(message: Message<'ch'>, device: string = NAMES.device): Promise<void> {
    await this.other.publish(deviceTopic({ ...NAMES, device, channel: 'ch' }), encodeMessage('ch', message));
  }

  /** What a source gives, in simulated time. */
  async collect(
    spec: BlobSpec,
    pieces: readonly number[] = spec.pieces.map((_, i) => i),
  ): Promise<Map<number, Uint8Array>> {
    const all = new Map<number, Uint8Array>();
    const work = async (): Promise<void> => {
      for await (const { index, bytes } of this.source.fetch(spec, pieces)) all.set(index, bytes);
    };
    await this.clock.run(work());
    return all;
  }
}

/** The whole of a blob from its pieces. */
export function joined(pieces: ReadonlyMap<number, Uint8Array>): Uint8Array {
  return Buffer.concat([...pieces].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
}

export const digestBytes = (sha256: string): Uint8Array => new Uint8Array(Buffer.from(sha256, 'hex'));
