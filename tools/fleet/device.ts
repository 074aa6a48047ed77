import { Agent } from '../../sdk/device/agent/agent.ts';
import type { ModelLoader } from '../../sdk/device/agent/model.ts';
import { ChunkSource, DeviceLink, Scheduler } from '../../sdk/device/link/index.ts';
import { MemoryDeviceFileSystem } from '../../sdk/testing/memory-device-fs.ts';
import { systemClock } from '../../sdk/util/clock.ts';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import { RawTransport } from './raw-transport.ts';

export interface SimulatedOptions {
  readonly port: number;
  readonly namespace: string;
  readonly device: string;
  readonly password: string;
  /** What a target means: what a director would have signed. */
  readonly assignments: ReadonlyMap<string, Assignment>;
}

export const BOARD = 'raspberry-pi-5';

/** In place of a model: what counts here is how it comes to the device. */
const loader: ModelLoader = {
  load: async (bundle) => ({
    signature: { inputs: [], outputs: [] },
    modelBytes: bundle.length,
    run: async () => ({}),
    runGolden: async () => [1],
    close: () => undefined,
  }),
};

/** A device with the agent, its link and its store, whose storage is memory. */
export class SimulatedDevice {
  transport!: RawTransport;
  private readonly options: SimulatedOptions;
  private agent!: Agent;
  private link!: DeviceLink;
  private working = false;
  private received = 0;

  private constructor(options: SimulatedOptions) {
    this.options = options;
  }

  static async start(options: SimulatedOptions): Promise<SimulatedDevice> {
    const device = new SimulatedDevice(options);
    await device.start();
    return device;
  }

  private async start(): Promise<void> {
    const { port, namespace, device, password } = this.options;
    const fs = new MemoryDeviceFileSystem();
    const digests = (names: readonly (string | undefined)[]): Uint8Array[] =>
      names.flatMap((name) => (name === undefined ? [] : [new Uint8Array(Buffer.from(name, 'hex'))]));
    this.link = await DeviceLink.open({
      ...{ namespace, device, fs, folder: 'link', clock: systemClock },
      connect: (will) => {
        this.transport = new RawTransport({ port, clientId: device, password, will });
        return this.transport;
      },
      birth: async () => {
        const running = digests([this.agent?.host.serving]);
        return {
          agent: 'bench',
          board: BOARD,
          slots: running,
          ...(running[0] ? { running: running[0] } : {}),
          metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
        };
      },
    });
    const { transport } = this;
    const parts = { transport, namespace, device, clock: systemClock, random: Math.random };
    const source = new Scheduler([new ChunkSource(parts)], systemClock, Math.random);
    this.agent = await Agent.start({
      ...{ device, board: BOARD, fs, loader, source },
      clock: systemClock,
      conditions: async () => undefined,
      health: async () => undefined,
      report: async ({ kind }) => {
        const running = digests([this.agent.host.serving]);
        await this.link.report({
          outcome: kind,
          ...(running[0] ? { running: running[0] } : {}),
          received: this.received,
        });
      },
    });
    this.link.onDesired(() => void this.work());
  }

  /** Takes steps until there are none, for what is wanted then. */
  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      for (;;) {
        const target = this.link.desired && Buffer.from(this.link.desired.target).toString('hex');
        const assignment = target === undefined ? undefined : this.options.assignments.get(target);
        const taken = await this.agent.step(assignment);
        if (taken.step.name === 'CHECK')
          await this.link.status({ step: 'fetch', done: 0, total: assignment!.blob.bytes });
        if (taken.step.name === 'FETCH') this.received = assignment!.blob.bytes;
        if (taken.ended === 'failed') await new Promise((resume) => setTimeout(resume, 1000));
        if (taken.step.name === 'IDLE') return;
      }
    } finally {
      this.working = false;
    }
  }
}
