import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../util/clock.ts';
import { makeFolder } from '../../util/folders.ts';
import type { Agent } from '../agent/agent.ts';
import { localModel } from '../client/local-client.ts';
import type { ModelClient } from '../client/model-client.ts';
import { NodeDeviceFileSystem } from '../fs/node.ts';
import { probeHost } from '../probe.ts';
import { profileDigest } from '../profile-digest.ts';
import type { Ended } from './boot.ts';
import { type Hooks, systemHooks } from './conditions.ts';
import type { AgentConfig } from './config.ts';
import type { Context } from './context.ts';
import { ControllerUpstream } from './controller.ts';
import { folderUpstream } from './depot.ts';
import { InterruptibleSource } from './interrupt.ts';
import { LocalApi } from './local-api.ts';
import { lockFolder } from './lock.ts';
import type { Log } from './log.ts';
import type { Loop } from './loop.ts';
import { type ModelLane, startModelLane } from './model-lane.ts';
import { type Self, startSelfLane } from './self-lane.ts';
import type { Facts, Upstream } from './upstream.ts';

/** What a service needs of the process around it. */
export interface Surroundings {
  readonly log: Log;
  /** Present where the agent itself is kept up to date too. */
  readonly self?: Self;
  readonly clock?: Clock;
  readonly hooks?: Hooks;
  /** In [0, 1). */
  readonly random?: () => number;
}

interface ServiceParts {
  readonly upstream: Upstream;
  readonly model: ModelClient;
  readonly loops: readonly Loop[];
  readonly source: InterruptibleSource;
  readonly api: LocalApi | undefined;
  readonly log: Log;
  /** Aborted when another version of the agent is to run. */
  readonly outdated: AbortSignal;
}

/** The work of a device: the model that it is assigned, kept up to date and served to applications. */
export class DeviceService {
  private readonly parts: ServiceParts;

  private constructor(parts: ServiceParts) {
    this.parts = parts;
  }

  /** Starts what is installed and serves it; `run` brings it up to date. The state folder is there, and locked: see `lockFolder`. */
  static async start(config: AgentConfig, around: Surroundings): Promise<DeviceService> {
    const { log, self, clock = systemClock, hooks = systemHooks, random = Math.random } = around;
    const fs = new NodeDeviceFileSystem(config.state);
    let know = (_facts: () => Facts): void => undefined;
    const facts = new Promise<() => Facts>((resolve) => {
      know = resolve;
    });
    const { controller, folder } = config;
    const profile = profileDigest(probeHost());
    const upstream = controller
      ? await ControllerUpstream.open({ config, controller, profile, fs, clock, random, log, facts })
      : folderUpstream(new NodeDeviceFileSystem(folder!), clock);
    try {
      return await DeviceService.assemble({ config, fs, upstream, log, hooks, random }, self, know);
    } catch (e) {
      know(() => ({ installed: [] }));
      await upstream.close();
      throw e;
    }
  }

  private static async assemble(
    parts: Omit<Context, 'source'>,
    self: Self | undefined,
    know: (facts: () => Facts) => void,
  ): Promise<DeviceService> {
    const { config, upstream, log } = parts;
    const source = new InterruptibleSource(upstream.source);
    const context: Context = { ...parts, source };
    const outdated = new AbortController();
    const lane = await startModelLane(context);
    know(() => factsOf(lane.agent, self));
    const own = self && (await startSelfLane(context, self, () => outdated.abort()));
    const api = config.socket === undefined ? undefined : await openApi(config.socket, lane);
    log('info', 'started', { device: config.device, agent: self?.running?.sha256 });
    const service = new DeviceService({
      upstream,
      model: localModel(lane.agent.host, lane.monitor),
      loops: own ? [lane.loop, own] : [lane.loop],
      source,
      api,
      log,
      outdated: outdated.signal,
    });
    upstream.onChange(() => service.exchange());
    return service;
  }

  /** The model, for applications in this process. */
  get model(): ModelClient {
    return this.parts.model;
  }

  /** Looks now at what is assigned; what is being fetched is gone on with after that. */
  exchange(): void {
    for (const loop of this.parts.loops) loop.exchange();
    this.parts.source.interrupt();
  }

  /** Keeps the device at what is assigned until `signal` is aborted or another version of the agent is to run, and closes everything. */
  async run(signal: AbortSignal): Promise<Ended> {
    const { upstream, loops, source, api, log, outdated } = this.parts;
    const either = AbortSignal.any([signal, outdated]);
    const stop = (): void => source.interrupt();
    either.addEventListener('abort', stop);
    try {
      await Promise.all(loops.map((loop) => loop.run(either)));
    } finally {
      either.removeEventListener('abort', stop);
      await api?.close();
      await upstream.close();
    }
    const ended = signal.aborted ? 'stopped' : 'restart';
    log('info', 'ended', { ended });
    return ended;
  }
}

/** A device in the process of an application. */
export interface Device {
  readonly model: ModelClient;
  close(): Promise<void>;
}

/**
 * Runs the agent of a device in this process, beside whatever else it does.
 * @throws EigenError EW1006_STATE_IN_USE.
 */
export async function openDevice(config: AgentConfig, around: Surroundings): Promise<Device> {
  await makeFolder(config.state, 0o700);
  const unlock = await lockFolder(config.state);
  try {
    const service = await DeviceService.start(config, around);
    const stop = new AbortController();
    const ended = service.run(stop.signal).finally(unlock);
    return {
      model: service.model,
      async close() {
        stop.abort();
        await ended;
      },
    };
  } catch (e) {
    await unlock();
    throw e;
  }
}

function factsOf({ host, installed }: Agent, self: Self | undefined): Facts {
  const { model, modelBytes } = host.describe() ?? {};
  return {
    installed,
    ...(model === undefined ? {} : { running: model }),
    ...(modelBytes === undefined ? {} : { modelBytes }),
    ...(self?.running ? { self: self.running.sha256 } : {}),
  };
}

async function openApi(socket: string, { agent, monitor }: ModelLane): Promise<LocalApi> {
  await makeFolder(dirname(socket));
  return LocalApi.open(socket, agent.host, monitor);
}
