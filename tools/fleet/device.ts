import { Agent } from '../../sdk/device/agent/agent.ts';
import type { ModelLoader } from '../../sdk/device/agent/model.ts';
import { systemHooks } from '../../sdk/device/service/conditions.ts';
import type { AgentConfig } from '../../sdk/device/service/config.ts';
import { commonParts, loopOf } from '../../sdk/device/service/context.ts';
import { ControllerUpstream } from '../../sdk/device/service/controller.ts';
import { InterruptibleSource } from '../../sdk/device/service/interrupt.ts';
import type { Log } from '../../sdk/device/service/log.ts';
import { Monitor } from '../../sdk/device/service/monitor.ts';
import type { Facts } from '../../sdk/device/service/upstream.ts';
import { MemoryDeviceFileSystem } from '../../sdk/testing/memory-device-fs.ts';
import { systemClock } from '../../sdk/util/clock.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { RawTransport } from './raw-transport.ts';

export interface SimulatedOptions {
  readonly config: AgentConfig;
  readonly port: number;
  readonly password: string;
  readonly log: Log;
}

/** All of them are of one kind. */
const PROFILE = sha256('simulated');

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

/** The service of a device with its trust, agent, loop and link. Its storage is memory, its connection a bare socket, and its models do nothing. */
export class SimulatedDevice {
  readonly transport: RawTransport;

  private constructor(transport: RawTransport) {
    this.transport = transport;
  }

  static async start({ config, port, password, log }: SimulatedOptions): Promise<SimulatedDevice> {
    const { device, controller } = config;
    const fs = new MemoryDeviceFileSystem();
    const random = Math.random;
    let agent: Agent | undefined;
    let transport: RawTransport | undefined;
    const upstream = await ControllerUpstream.open({
      ...{ config, controller: controller!, profile: PROFILE, fs, clock: systemClock, random, log },
      facts: Promise.resolve((): Facts => factsOf(agent)),
      connect: (will) => {
        transport = new RawTransport({ port, clientId: device, password, will });
        return transport;
      },
    });
    const source = new InterruptibleSource(upstream.source);
    const context = { config, fs, upstream, source, log, hooks: systemHooks, random };
    agent = await Agent.start({ ...commonParts(context, 'model'), loader, health: async () => undefined });
    const monotonic = (): number => systemClock.monotonic();
    const monitor = new Monitor(agent.host, { residentBytes: () => 0, monotonic });
    const loop = loopOf(context, 'model', agent, () => upstream.health(monitor.take()));
    upstream.onChange(() => {
      loop.exchange();
      source.interrupt();
    });
    void loop.run(new AbortController().signal);
    return new SimulatedDevice(transport!);
  }
}

function factsOf(agent: Agent | undefined): Facts {
  const running = agent?.host.serving;
  return running === undefined ? { installed: [] } : { running, installed: [running] };
}
