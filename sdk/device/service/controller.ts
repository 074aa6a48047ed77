import { connectMqtt } from '../../transport/mqtt.ts';
import type { Transport, Will } from '../../transport/transport.ts';
import type { Clock } from '../../util/clock.ts';
import { EigenError, isEigenError } from '../../util/errors.ts';
import { AGENT_FAMILY } from '../../wire/assignment.ts';
import type { Taken } from '../agent/agent.ts';
import type { PieceSource } from '../agent/fetch.ts';
import type { Outcome } from '../agent/ledger.ts';
import type { InstallStep } from '../agent/planner.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import {
  ChunkSource,
  DeviceLink,
  HttpFolder,
  HttpSource,
  httpMetadata,
  Scheduler,
  transportMetadata,
} from '../link/index.ts';
import type { MetadataSource } from '../trust/source.ts';
import { Trust } from '../trust/trust.ts';
import type { AgentConfig } from './config.ts';
import { type ControllerConfig, mqttOptions, pemOf, readNamed } from './controller-files.ts';
import { CountedSource } from './counted-source.ts';
import { EndingClock } from './ending-clock.ts';
import { errorFields, type Log } from './log.ts';
import type { ModelHealth } from './monitor.ts';
import { firstThatHas, Refresher } from './refresher.ts';
import { birthOf, healthOf, reportOf, textOf } from './reports.ts';
import { Statuses } from './statuses.ts';
import type { Director, Facts, Kind, Upstream } from './upstream.ts';

export interface ControllerParts {
  readonly config: AgentConfig;
  readonly controller: ControllerConfig;
  /** SHA-256 of what the machine is: see `profileDigest`. */
  readonly profile: string;
  readonly fs: DeviceFileSystem;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** What the device is; known once it has started. */
  readonly facts: Promise<() => Facts>;
  /** Another connection than the configuration's. */
  readonly connect?: (will: () => Promise<Will>) => Transport;
}

/**
 * A controller as where a device gets from what it is to run: assignments that are signed, and pieces, over MQTT, and over HTTP where there
 * is a server for them.
 */
export class ControllerUpstream implements Upstream {
  readonly directors: Readonly<Record<Kind, Director>>;
  readonly clock: Clock;
  readonly source: CountedSource;
  private readonly parts: ControllerParts;
  private readonly link: DeviceLink;
  private readonly http: HttpFolder | undefined;
  private readonly statuses: Statuses;
  /** What metadata and pieces are waited for by: a device that is to end does not wait. */
  private readonly waits: EndingClock;
  /** The last refusal that was told, and of which revision. */
  private told = '';

  private constructor(parts: ControllerParts, trust: Trust, link: DeviceLink, http: HttpFolder | undefined) {
    const { config, controller, random } = parts;
    const clock = new EndingClock(parts.clock);
    this.waits = clock;
    this.parts = parts;
    this.link = link;
    this.http = http;
    this.clock = {
      now: () => trust.time(parts.clock.now()),
      monotonic: () => parts.clock.monotonic(),
      after: (milliseconds, call) => parts.clock.after(milliseconds, call),
    };
    const over = { transport: link.transport, namespace: controller.namespace, device: config.device, clock, random };
    const ways: PieceSource[] = [...(http ? [new HttpSource(http, clock)] : []), new ChunkSource(over)];
    this.source = new CountedSource(new Scheduler(ways, clock, random));
    this.statuses = new Statuses({
      clock,
      rev: () => link.desired?.rev,
      progress: () => this.source.progress,
      say: (status) => link.status(status),
    });
    const metadata: MetadataSource[] = [...(http ? [httpMetadata(http)] : []), transportMetadata(over)];
    const source = firstThatHas(metadata);
    const refresher = new Refresher({ trust, link, source, clock, refused: (e) => void this.refused(e) });
    const directorOf = (kind: Kind): Director => ({
      async assignment() {
        const assigned = await refresher.assignment();
        return (assigned?.family === AGENT_FAMILY) === (kind === 'agent') ? assigned : undefined;
      },
    });
    this.directors = { model: directorOf('model'), agent: directorOf('agent') };
  }

  /**
   * Begins to connect.
   * @throws EigenError EW1005_CONFIG_INVALID for files that cannot be read, EW7006_METADATA_REFUSED for a root that is none.
   */
  static async open(parts: ControllerParts): Promise<ControllerUpstream> {
    const { config, controller, fs, clock, random, log } = parts;
    const { device, board } = config;
    const machine = { board, profile: parts.profile };
    const root = await readNamed('root', controller.root);
    const trust = await Trust.open(fs, 'trust', { root, device, board });
    const options = await mqttOptions(device, controller);
    const http = controller.http && (await openHttp(controller.http));
    const onProblem = (e: Error): void => log('warn', 'not-connected', errorFields(e));
    const link = await DeviceLink.open({
      namespace: controller.namespace,
      device,
      fs,
      folder: 'link',
      connect: parts.connect ?? ((will) => connectMqtt({ ...options, will, clock, random, onProblem })),
      birth: async () => birthOf((await parts.facts)(), machine, trust.versions),
      clock,
    });
    link.transport.onState((connected) => log('info', connected ? 'connected' : 'disconnected'));
    return new ControllerUpstream(parts, trust, link, http);
  }

  onChange(listener: () => void): void {
    this.link.onDesired(listener);
  }

  begun(kind: Kind, step: InstallStep): void {
    if (step === 'FETCH') this.source.begin();
    this.statuses.begun(kind, step);
  }

  taken(kind: Kind, taken: Taken): void {
    this.statuses.taken(kind, taken);
  }

  async report(_kind: Kind, outcome: Outcome): Promise<void> {
    const facts = (await this.parts.facts)();
    await this.link.report(reportOf(outcome, facts, this.source.take()));
    // Another model may run now.
    await this.link.announce();
  }

  async health(health: ModelHealth): Promise<void> {
    const facts = (await this.parts.facts)();
    const message = healthOf(health, facts);
    if (message) await this.link.health(message);
    await this.link.announce();
  }

  async close(): Promise<void> {
    this.statuses.close();
    this.waits.end();
    await this.link.close();
    this.http?.close();
  }

  /** What was signed wrongly is told once; the connection may be what is attacked. */
  private async refused(e: unknown): Promise<void> {
    if (!isEigenError(e)) return;
    const { log, facts } = this.parts;
    const attack = String(e.details.attack);
    const words = `${this.link.desired?.rev} ${attack} ${e.message}`;
    if (words === this.told) return;
    log('error', 'refused', { attack, ...errorFields(e) });
    const { running } = (await facts)();
    // What does not come may yet come: whoever rolls out tries it again.
    const outcome = e.code === 'EW7104_SOURCE_FAILED' && attack === 'withheld' ? 'failed' : 'refused';
    const report = {
      outcome,
      code: e.code,
      attack,
      step: 'check',
      reason: textOf(e.message),
      received: this.source.take(),
    } as const;
    const digest = running === undefined ? {} : { running: new Uint8Array(Buffer.from(running, 'hex')) };
    await this.link.report({ ...report, ...digest }).then(
      () => {
        this.told = words;
      },
      () => undefined,
    );
  }
}

async function openHttp(http: NonNullable<ControllerConfig['http']>): Promise<HttpFolder> {
  try {
    return new HttpFolder({ url: http.url, tls: await pemOf('http', http) });
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
    throw new EigenError('EW1005_CONFIG_INVALID', `controller.http.url: ${e.message}`, {
      hint: 'It is the address of the folder that blobs/ and metadata/ are in.',
    });
  }
}
