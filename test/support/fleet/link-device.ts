import { DeviceLink, type Report } from '../../../sdk/device/link/index.ts';
import { MemoryDeviceFileSystem } from '../../../sdk/testing/memory-device-fs.ts';
import { connectMqtt, type MqttOptions } from '../../../sdk/transport/index.ts';
import { systemClock } from '../../../sdk/util/clock.ts';

export interface LinkDeviceOptions {
  readonly namespace: string;
  readonly device: string;
  readonly board: string;
  /** SHA-256 of what it runs. */
  readonly running: string;
  readonly mqtt: Omit<MqttOptions, 'clientId'>;
  /** How what it is told ends. */
  ends?(target: string): Report['outcome'];
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** A device with the link of a real one; in place of an agent it says at once how what it is told ends. */
export class LinkDevice {
  readonly device: string;
  /** SHA-256 of what it runs. */
  running: string;
  /** What it was told, each once. */
  readonly told: { readonly rev: number; readonly target: string }[] = [];
  private readonly options: LinkDeviceOptions;
  private link: DeviceLink | undefined;
  private readonly fs = new MemoryDeviceFileSystem();

  constructor(options: LinkDeviceOptions) {
    this.options = options;
    this.device = options.device;
    this.running = options.running;
  }

  /** Begins to connect; after `leave` it knows what it knew before. */
  async connect(): Promise<void> {
    const { namespace, device, board, mqtt } = this.options;
    const metadata = { root: 1, timestamp: 1, snapshot: 1, targets: 1 };
    this.link = await DeviceLink.open({
      ...{ namespace, device, fs: this.fs, folder: 'link', clock: systemClock },
      connect: (will) => connectMqtt({ random: () => 0.05, ...mqtt, clientId: device, will }),
      birth: async () => ({ agent: '1', board, slots: [], metadata, running: bytes(this.running) }),
    });
    this.link.onDesired(({ rev, target }) => void this.obey(rev, Buffer.from(target).toString('hex')));
  }

  get connected(): boolean {
    return this.link?.transport.connected ?? false;
  }

  /** Says that it leaves, and ends the connection. */
  async leave(): Promise<void> {
    await this.link?.close();
    this.link = undefined;
  }

  private async obey(rev: number, target: string): Promise<void> {
    this.told.push({ rev, target });
    const outcome = this.options.ends?.(target) ?? 'committed';
    if (outcome === 'committed') this.running = target;
    // Where there is no connection, it is said again later, unless something else is wanted by then.
    for (const link = this.link; link && this.link === link && link.desired?.rev === rev; ) {
      try {
        await link.report({ outcome, received: 1, running: bytes(this.running) });
        return await link.announce();
      } catch {
        await new Promise((resume) => setTimeout(resume, 50));
      }
    }
  }
}
