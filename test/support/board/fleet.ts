import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initKeys } from '../../../sdk/app/keys.ts';
import { publishBundle } from '../../../sdk/app/publish.ts';
import { AGENT_FAMILY } from '../../../sdk/wire/assignment.ts';
import { buildAgent } from '../../../tools/lib/agent-file.ts';
import { NAMESPACE, TestController } from '../fleet/running.ts';
import { BOARD } from './models.ts';

const DEVICE = 'board';

/** Where the machine around a virtual board is, seen from it. */
const GATEWAY = '10.0.2.2';

interface DeviceAnswer {
  readonly device: { readonly desired: { readonly state: string } | null };
  /** The newest first. */
  readonly reports: readonly { readonly received: number }[];
}

/** A controller on this machine with the one device that a virtual board is, and the keys of both. */
export class BoardFleet {
  /** What an installation is on trial for; read when one is ordered. */
  readonly probation: { milliseconds: number };
  private readonly data: string;
  private readonly controller: TestController;
  private readonly password: string;
  private orders = 0;

  private constructor(
    parts: Pick<BoardFleet, 'probation'> & { data: string; controller: TestController; password: string },
  ) {
    this.probation = parts.probation;
    this.data = parts.data;
    this.controller = parts.controller;
    this.password = parts.password;
  }

  static async start(): Promise<BoardFleet> {
    const data = await mkdtemp(join(tmpdir(), 'ew-board-fleet-'));
    await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
    const probation = { milliseconds: 1000 };
    const controller = await TestController.start({ data, terms: { limits: {}, shadowInputs: 0, probation } });
    return new BoardFleet({ probation, data, controller, password: await controller.enrol(DEVICE) });
  }

  /** Writes what the device is delivered with: its agent, the agent's configuration, and what it knows of the fleet. */
  async equip(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await buildAgent(join(folder, 'agent.cjs'));
    await copyFile(join(this.data, 'metadata/1.root.json'), join(folder, 'root.json'));
    await writeFile(join(folder, 'password'), this.password);
    const url = new URL(this.controller.running.brokerUrl);
    url.hostname = GATEWAY;
    const config = {
      ...{ device: DEVICE, board: BOARD, state: 'state', socket: '/tmp/agent.sock' },
      controller: { namespace: NAMESPACE, root: 'root.json', mqtt: { url: url.href, passwordFile: 'password' } },
    };
    await writeFile(join(folder, 'agent.json'), JSON.stringify(config));
  }

  /** Lists a bundle as one that the device may run; its SHA-256. `from` is one that a delta is offered from. */
  async publishModel(bundle: string, from?: string): Promise<string> {
    const { sha256 } = await publishBundle({
      folder: this.data,
      bundle,
      family: 'model',
      ...(from ? { from: [from] } : {}),
    });
    return sha256;
  }

  /** Lists another version of an agent. */
  async publishAgent(agent: string, version: number): Promise<string> {
    const bundle = join(this.data, `agent-${version}.cjs`);
    await writeFile(bundle, `${await readFile(agent, 'utf8')}\n// Version ${version}.\n`);
    return (await publishBundle({ folder: this.data, bundle, family: AGENT_FAMILY, board: BOARD })).sha256;
  }

  /** Wants something on the device. */
  async want(target: string): Promise<void> {
    const order = { key: `order-${++this.orders}`, devices: [DEVICE], action: 'install', target };
    const { status } = await this.controller.ask('POST', '/v1/desired', order);
    if (status !== 202) throw new Error(`an order was answered with ${status}`);
  }

  /** What is known here of how the last order ended, and how many bytes the device has said to have fetched for it. */
  async told(): Promise<{ readonly state: string | undefined; readonly received: number }> {
    const { body } = await this.controller.ask<DeviceAnswer>('GET', `/v1/devices/${DEVICE}`);
    return { state: body.device.desired?.state, received: body.reports[0]?.received ?? 0 };
  }

  async close(): Promise<void> {
    await this.controller.stop();
    await rm(this.data, { recursive: true, force: true });
  }
}
