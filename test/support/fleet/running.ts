import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningController, type ServeOptions, serve } from '../../../sdk/fleet/serve/serve.ts';
import { connectMqtt, type Transport } from '../../../sdk/transport/index.ts';
import type { Message } from '../../../sdk/wire/protocol/messages.ts';
import { decodeMessage, encodeMessage } from '../../../sdk/wire/protocol/messages.ts';
import { type Channel, deviceTopic } from '../../../sdk/wire/protocol/topics.ts';
import { until } from '../until.ts';

export const NAMESPACE = 'test';

/** What the tests read of answers; each answer has some of it. */
export interface Answer {
  readonly token: string;
  readonly secret: string;
  readonly broker: string;
  readonly password: string;
  readonly certificate: string;
  readonly ca: string;
  readonly error: { readonly code: string; readonly message: string };
  readonly device: {
    readonly board: string;
    readonly online: boolean;
    readonly tags: Readonly<Record<string, string>>;
    readonly desired: { readonly state: string } | null;
  };
  readonly devices: readonly { readonly name: string }[];
  readonly decided: readonly unknown[];
  readonly reports: readonly { readonly outcome: string }[];
  readonly entries: readonly { readonly action: string }[];
  readonly tokens: readonly { readonly id: string; readonly role: string }[];
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly requestBody?: unknown }>>>>;
}

/** A controller in a folder of its own, on free ports of this machine, and its administrator. */
export class TestController {
  readonly folder: string;
  readonly running: RunningController;
  readonly token: string;
  readonly lines: Record<string, unknown>[];

  private constructor(folder: string, running: RunningController, token: string, lines: Record<string, unknown>[]) {
    this.folder = folder;
    this.running = running;
    this.token = token;
    this.lines = lines;
  }

  static async start(more: Partial<ServeOptions> = {}): Promise<TestController> {
    const folder = more.data ?? (await mkdtemp(join(tmpdir(), 'eigen-fleet-')));
    const lines: Record<string, unknown>[] = [];
    const log = (level: string) => (event: string, fields?: object) => void lines.push({ level, event, ...fields });
    const running = await serve({
      data: folder,
      namespace: NAMESPACE,
      host: '127.0.0.1',
      port: 0,
      mqttPort: 0,
      names: ['127.0.0.1'],
      tls: false,
      log: { info: log('info'), warn: log('warn'), error: log('error') },
      ...more,
    });
    const token = (await readFile(join(folder, 'admin.token'), 'utf8')).trim();
    return new TestController(folder, running, token, lines);
  }

  /** A request of the API: the status and what was answered. */
  async ask<T = Answer>(
    method: string,
    path: string,
    body?: unknown,
    token = this.token,
  ): Promise<{ status: number; body: T }> {
    const response = await fetch(`${this.running.url}${path}`, {
      method,
      signal: AbortSignal.timeout(60_000),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : (text as T) };
  }

  /** Enrols a device; its password. */
  async enrol(device: string, tags: Record<string, string> = {}): Promise<string> {
    const { body } = await this.ask('POST', '/v1/enrolments', { tags });
    const enrolled = await this.ask('POST', '/v1/enrol', { token: body.token, device }, '');
    return enrolled.body.password;
  }

  /** A file of the data folder. */
  file(name: string): Promise<Buffer> {
    return readFile(join(this.folder, name));
  }

  async stop(): Promise<void> {
    await this.running.stop();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A device's connection, without an agent: it says and hears what a test wants. */
export class TestDevice {
  readonly transport: Transport;
  readonly device: string;
  readonly heard: Message<'dn'>[] = [];
  readonly problems: Error[] = [];

  constructor(
    url: string,
    device: string,
    password: string,
    tls?: { ca: Uint8Array; cert: Uint8Array; key: Uint8Array },
  ) {
    this.device = device;
    this.transport = connectMqtt({
      url,
      clientId: device,
      ...(tls ? { tls } : { username: device, password: Buffer.from(password) }),
      onProblem: (e) => this.problems.push(e),
    });
    this.transport.onMessage(({ topic, payload }) => {
      if (topic === this.topic('dn')) this.heard.push(decodeMessage('dn', new Uint8Array(payload)));
    });
  }

  async connect(): Promise<void> {
    await this.transport.subscribe(this.topic('dn'), 1);
    await until(`${this.device} is connected`, () => this.transport.connected, {
      saw: () => this.problems.map(String),
    });
  }

  say(message: Message<'up'>): Promise<void> {
    return this.transport.publish(this.topic('up'), encodeMessage('up', message), { qos: 1 });
  }

  presence(epoch: number, online: boolean): Promise<void> {
    const payload = encodeMessage('st', { type: 'presence', epoch, online, rev: 0 });
    return this.transport.publish(this.topic('st'), payload, { qos: 1, retain: true });
  }

  topic(channel: Channel): string {
    return deviceTopic({ namespace: NAMESPACE, device: this.device, channel });
  }
}
