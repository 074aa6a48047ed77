import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../util/clock.ts';
import { Agent } from '../agent/agent.ts';
import { bundleLoader } from '../agent/bundle-loader.ts';
import type { Outcome } from '../agent/ledger.ts';
import { localModel } from '../client/local-client.ts';
import type { ModelClient } from '../client/model-client.ts';
import { NodeDeviceFileSystem } from '../fs/node.ts';
import { commandProblem, type Hooks, systemHooks, unmetCondition } from './conditions.ts';
import type { AgentConfig } from './config.ts';
import { folderDepot } from './depot.ts';
import { InterruptibleSource } from './interrupt.ts';
import { LocalApi } from './local-api.ts';
import { lockFolder } from './lock.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import { Monitor } from './monitor.ts';

/** What a service needs of the process around it. */
export interface Surroundings {
  readonly log: Log;
  readonly clock?: Clock;
  readonly hooks?: Hooks;
  readonly random?: () => number;
}

/** The process of a device: the model that it is assigned, kept up to date and served to applications. */
export class DeviceService {
  /** The model, for applications in this process. */
  readonly model: ModelClient;
  private readonly loop: Loop;
  private readonly source: InterruptibleSource;
  private readonly release: () => Promise<void>;
  private readonly api: LocalApi | undefined;
  private readonly log: Log;

  private constructor(parts: {
    readonly model: ModelClient;
    readonly loop: Loop;
    readonly source: InterruptibleSource;
    readonly release: () => Promise<void>;
    readonly api: LocalApi | undefined;
    readonly log: Log;
  }) {
    this.model = parts.model;
    this.loop = parts.loop;
    this.source = parts.source;
    this.release = parts.release;
    this.api = parts.api;
    this.log = parts.log;
  }

  /**
   * Starts what is installed and serves it; `run` brings it up to date.
   * @throws EigenError EW1006_STATE_IN_USE.
   */
  static async start(config: AgentConfig, around: Surroundings): Promise<DeviceService> {
    const { log, clock = systemClock, hooks = systemHooks, random = Math.random } = around;
    await mkdir(config.state, { recursive: true, mode: 0o700 });
    const unlock = await lockFolder(config.state);
    try {
      const depot = folderDepot(new NodeDeviceFileSystem(config.folder));
      const source = new InterruptibleSource(depot.source);
      let monitor: Monitor | undefined;
      const agent = await Agent.start({
        device: config.device,
        board: config.board,
        fs: new NodeDeviceFileSystem(config.state),
        loader: bundleLoader({ threads: config.threads }),
        source,
        clock,
        conditions: () => unmetCondition(config.conditions, new Date(clock.now()), hooks),
        health: async () =>
          monitor?.problem(config.health) ?? (config.health.command && commandProblem(config.health.command, hooks)),
        report: async (outcome) => log(...outcomeLine(outcome)),
      });
      monitor = new Monitor(agent.host, {
        residentBytes: () => process.memoryUsage.rss(),
        monotonic: clock.monotonic,
      });
      log('info', 'started', { device: config.device, serving: agent.host.serving });
      agent.host.onSwap(() => log('info', 'serving', { model: agent.host.serving }));
      const api = config.socket === undefined ? undefined : await openApi(config.socket, agent, monitor);
      const loop = new Loop({
        agent,
        director: depot.models,
        clock,
        log,
        random,
        exchangeMilliseconds: config.exchangeSeconds * 1000,
      });
      const model = localModel(agent.host, monitor);
      return new DeviceService({ model, loop, source, release: unlock, api, log });
    } catch (e) {
      await unlock();
      throw e;
    }
  }

  /** Looks now at what is assigned; what is being fetched is gone on with after that. */
  exchange(): void {
    this.loop.exchange();
    this.source.interrupt();
  }

  /** Keeps the device at what is assigned until `signal` is aborted, then closes everything. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.source.interrupt();
    signal.addEventListener('abort', stop);
    try {
      await this.loop.run(signal);
    } finally {
      signal.removeEventListener('abort', stop);
      await this.api?.close();
      await this.release();
      this.log('info', 'stopped');
    }
  }
}

async function openApi(socket: string, agent: Agent, monitor: Monitor): Promise<LocalApi> {
  await mkdir(dirname(socket), { recursive: true });
  return LocalApi.open(socket, agent.host, monitor);
}

function outcomeLine(outcome: Outcome): Parameters<Log> {
  if (outcome.kind === 'committed') {
    const { sha256, release } = outcome;
    return ['info', 'committed', { model: sha256, release }];
  }
  const { sha256, release, step, code, reason, attempts } = outcome.failure;
  return ['error', 'update-failed', { model: sha256, release, step, code, reason, attempts }];
}
