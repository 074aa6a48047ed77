import { join } from 'node:path';
import { FleetClient, initKeys, publishBundle, serveFleet } from 'eigenweights';
import { Device, type DeviceOptions } from './device.ts';
import type { Windows } from './signals.ts';

/** What a controller gives a device that enrols. */
interface Enrolled {
  readonly namespace: string;
  readonly broker: string;
  readonly password: string;
}

/** Batches that two devices' recordings are apart. */
const APART = 7;

/** A controller with its broker and database, its keys, and devices, all on this machine. */
export class Fleet {
  readonly client: FleetClient;
  readonly devices: Device[] = [];
  private readonly folder: string;
  private readonly url: string;
  private readonly stop: AbortController;
  private readonly served: Promise<unknown>;

  private constructor(parts: {
    folder: string;
    url: string;
    client: FleetClient;
    stop: AbortController;
    served: Promise<unknown>;
  }) {
    this.folder = parts.folder;
    this.url = parts.url;
    this.client = parts.client;
    this.stop = parts.stop;
    this.served = parts.served;
  }

  /** @param folder where everything of the fleet is put. */
  static async start(folder: string): Promise<Fleet> {
    const data = join(folder, 'controller');
    await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
    const stop = new AbortController();
    const where = { host: '127.0.0.1', port: 0, mqttPort: 0, names: ['127.0.0.1'], namespace: 'demo', tls: false };
    let served: Promise<unknown> = Promise.resolve();
    const url = await new Promise<string>((resolve, reject) => {
      const log = (line: string): void => {
        const { event, url: address } = JSON.parse(line) as { event: string; url: string };
        if (event === 'started') resolve(address);
      };
      served = serveFleet({ data, ...where }, { signal: stop.signal, log });
      served.catch(reject);
    });
    return new Fleet({ folder, url, client: await FleetClient.open({ data }, {}), stop, served });
  }

  /** Enrols devices with one-time tokens, and starts their agents. */
  async add(names: readonly string[], agent: string, onLog: DeviceOptions['onLog']): Promise<void> {
    const root = join(this.folder, 'controller/metadata/1.root.json');
    for (const [i, name] of names.entries()) {
      const { token } = await this.client.ask<{ token: string }>('POST', '/v1/enrolments', { tags: { site: 'demo' } });
      const enrolled = await this.client.ask<Enrolled>('POST', '/v1/enrol', { token, device: name });
      // One half fetches over HTTP, the other over MQTT.
      const http = i % 2 === 0 ? { http: this.url } : {};
      this.devices.push(
        await Device.start({ name, folder: join(this.folder, name), agent, enrolled, root, ...http, onLog }),
      );
    }
  }

  /** Returns when so many devices are connected. */
  async connected(count: number, pause: () => Promise<void>): Promise<void> {
    for (;;) {
      const { online } = await this.client.ask<{ online: number }>('GET', '/v1/fleet');
      if (online >= count) return;
      await pause();
    }
  }

  /** Applications begin to use the model. */
  use(windows: Windows): void {
    for (const [i, device] of this.devices.entries()) device.use(windows, i * APART);
  }

  /** Lists a bundle as one that devices may run. @returns its SHA-256. */
  async publish(bundle: string): Promise<string> {
    const { sha256 } = await publishBundle({ folder: join(this.folder, 'controller'), bundle, family: 'motor' });
    return sha256;
  }

  /** Where the controller has the file of a bundle. */
  blob(sha256: string): string {
    return join(this.folder, 'controller/blobs', sha256);
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((d) => d.close()));
    this.stop.abort();
    await this.served;
  }
}
