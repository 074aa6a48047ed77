/** The devices of `npm run bench:fleet`: a process that does what its parent says. */
import type { Assignment } from '../../sdk/wire/assignment.ts';
import { SimulatedDevice } from './device.ts';

export interface Setup {
  readonly kind: 'setup';
  readonly port: number;
  readonly namespace: string;
  /** Names; the password of each is its name with `pw-` before. */
  readonly devices: readonly string[];
  readonly assignments: readonly Assignment[];
}

export type Order = Setup | { readonly kind: 'cut' } | { readonly kind: 'connected' };

/** Devices that begin at the same time. */
const AT_A_TIME = 200;
const PING_EVERY = 120_000;

const devices: SimulatedDevice[] = [];

async function setUp({ port, namespace, devices: names, assignments }: Setup): Promise<void> {
  const table = new Map(assignments.map((a) => [a.blob.sha256, a]));
  const queue = [...names];
  const work = async (): Promise<void> => {
    for (let device = queue.pop(); device !== undefined; device = queue.pop())
      devices.push(
        await SimulatedDevice.start({ port, namespace, device, password: `pw-${device}`, assignments: table }),
      );
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  setInterval(() => {
    for (const { transport } of devices) transport.ping();
  }, PING_EVERY).unref();
}

process.on('message', async (order: Order) => {
  if (order.kind === 'setup') await setUp(order);
  if (order.kind === 'cut') for (const { transport } of devices) transport.cut();
  process.send?.({
    connected: devices.filter((d) => d.transport.connected).length,
    rss: process.memoryUsage.rss(),
  });
});
process.on('disconnect', () => process.exit());
