import { Fetcher } from '../../sdk/device/agent/fetch.ts';
import { ChunkSource } from '../../sdk/device/link/index.ts';
import { BlobStore } from '../../sdk/device/store/blobs.ts';
import { BlobServer } from '../../sdk/fleet/blobs/index.ts';
import { MemoryBroker, type MemoryTransport, type NetworkFaults } from '../../sdk/testing/memory-broker.ts';
import { MemoryDeviceFileSystem } from '../../sdk/testing/memory-device-fs.ts';
import { SimulatedClock } from '../../sdk/testing/simulated-clock.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { Rng } from '../../sdk/util/rng.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';
import type { MemoryBlobs } from './link.ts';

/** Loses 30 % of all messages, doubles 20 %, delays 20 % beyond others, changes a byte in 1 %. */
export const BAD: NetworkFaults = {
  latency: 25,
  loss: 0.3,
  duplicates: 0.2,
  reordered: 0.2,
  reorderedBy: 100,
  corrupt: 0.01,
};

export interface Fetched {
  /** Bytes of messages with chunks that the server sent, by bytes of the blob. */
  readonly share: number;
  /** Simulated. */
  readonly seconds: number;
  readonly attempts: number;
  readonly cuts: number;
}

/** How long a device waits after an attempt that failed, milliseconds. */
const RETRY = 30_000;

/** Fetches a blob through a network that is bad and half of the time not there, in simulated time. */
export async function fetchBadly(blobs: MemoryBlobs, spec: BlobSpec, seed: number): Promise<Fetched> {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker(clock, { ...BAD, seed });
  const rng = new Rng(seed + 1_000_000);
  const random = (): number => rng.uniform();
  const parts = { namespace: 'test', clock, random };
  await BlobServer.start({ ...parts, transport: broker.connect('server'), blobs, metadata: blobs });
  const transport = broker.connect('device');
  const source = new ChunkSource({ ...parts, transport, device: 'device' });
  const fs = new MemoryDeviceFileSystem();
  await fs.makeFolder('blobs');
  const store = new BlobStore(fs, 'blobs');
  const fetcher = new Fetcher(store, source);
  const weather = new Weather(transport, clock, random);
  let attempts = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      attempts++;
      try {
        await fetcher.fetch({ blob: spec, held: [] });
        return await store.accept(spec);
      } catch (e) {
        if (!isEigenError(e)) throw e;
        await new Promise<void>((resolve) => void clock.after(RETRY, resolve));
      }
    }
  };
  await clock.run(work());
  const sent = broker.sent.get('ch')!.bytes;
  return { share: sent / spec.bytes, seconds: clock.monotonic() / 1000, attempts, cuts: weather.cuts };
}

/** Cuts a connection again and again: it is there for 1 to 10 seconds, and away for as long. */
class Weather {
  cuts = 0;

  constructor(transport: MemoryTransport, clock: SimulatedClock, random: () => number) {
    const time = (): number => 1000 + 9000 * random();
    const change = (): void => {
      const away = time();
      this.cuts++;
      transport.cut(away);
      clock.after(away + time(), change);
    };
    clock.after(time(), change);
  }
}
