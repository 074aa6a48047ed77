/** The devices of `npm run bench:fleet`: a process that does what its parent says. */
import { parseConfig } from '../../sdk/device/service/config.ts';
import { SimulatedDevice } from './device.ts';

export interface Setup {
  readonly kind: 'setup';
  /** Of the broker. */
  readonly port: number;
  readonly namespace: string;
  /** Names; the password of each is its name with `pw-` before. */
  readonly devices: readonly string[];
  readonly board: string;
  /** File of the root that they are delivered with. */
  readonly root: string;
}

export type Order = Setup | { readonly kind: 'cut' } | { readonly kind: 'look' };

export interface Look {
  readonly connected: number;
  readonly rss: number;
  /** What went wrong on devices since the last look, by event, and how often. */
  readonly problems: Readonly<Record<string, number>>;
}

/** Devices that begin at the same time. */
const AT_A_TIME = 200;
const PING_EVERY = 120_000;

const devices: SimulatedDevice[] = [];
let problems: Record<string, number> = {};

async function setUp({ port, namespace, devices: names, board, root }: Setup): Promise<void> {
  const queue = [...names];
  const log = (level: string, event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (level === 'info') return;
    const what = `${event} ${fields.code ?? fields.attack ?? ''}`.trim();
    problems[what] = (problems[what] ?? 0) + 1;
  };
  const work = async (): Promise<void> => {
    for (let device = queue.pop(); device !== undefined; device = queue.pop()) {
      const controller = { namespace, root, mqtt: { url: `mqtt://127.0.0.1:${port}` } };
      const config = parseConfig(JSON.stringify({ device, board, state: '.', controller }), root);
      devices.push(await SimulatedDevice.start({ config, port, password: `pw-${device}`, log }));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  setInterval(() => {
    for (const { transport } of devices) transport.ping();
  }, PING_EVERY).unref();
}

process.on('message', async (order: Order) => {
  if (order.kind === 'setup') await setUp(order);
  if (order.kind === 'cut') for (const { transport } of devices) transport.cut();
  const connected = devices.filter((d) => d.transport.connected).length;
  const look: Look = { connected, rss: process.memoryUsage.rss(), problems };
  problems = {};
  process.send?.(look);
});
process.on('disconnect', () => process.exit());
