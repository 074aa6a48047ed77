import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectModel, type ModelClient } from 'eigenweights/device';
import { BATCH, BOARD } from './models.ts';
import { CLASSES, WINDOW, type Windows } from './signals.ts';

export interface DeviceOptions {
  readonly name: string;
  /** Of its own. */
  readonly folder: string;
  /** The agent, one file. */
  readonly agent: string;
  /** What the controller gave it when it enrolled. */
  readonly enrolled: { readonly namespace: string; readonly broker: string; readonly password: string };
  /** Root metadata that it is delivered with. */
  readonly root: string;
  /** Address of blobs over HTTP; without one they come over MQTT. */
  readonly http?: string;
  /** Told what its agent logs. */
  onLog(device: string, line: LogLine): void;
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** Between two batches that the application has for the model, milliseconds, and batches between two times that it tells its accuracy. */
const EVERY = 100;
const TELL_EVERY = 5;

/** A device: the agent as a process of its own, and an application that uses the model through the agent's socket. */
export class Device {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly socket: string;
  private readonly stop = new AbortController();
  private work: Promise<void> | undefined;

  private constructor({ name, agent, onLog }: DeviceOptions, config: string, socket: string) {
    this.name = name;
    this.socket = socket;
    this.child = spawn(process.execPath, [agent, '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) onLog(name, JSON.parse(line) as LogLine);
    });
  }

  static async start(options: DeviceOptions): Promise<Device> {
    const { name, folder, enrolled, root, http } = options;
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'password'), enrolled.password, { mode: 0o600 });
    const config = {
      device: name,
      board: BOARD,
      state: 'state',
      socket: 'socket',
      exchangeSeconds: 1,
      controller: {
        namespace: enrolled.namespace,
        root,
        mqtt: { url: enrolled.broker, passwordFile: 'password' },
        ...(http === undefined ? {} : { http: { url: http } }),
      },
    };
    const path = join(folder, 'agent.json');
    await writeFile(path, JSON.stringify(config, null, 2));
    return new Device(options, path, join(folder, 'socket'));
  }

  /** Begins to classify windows, starting at one of them, and to tell how many it had right. */
  use(windows: Windows, from: number): void {
    this.work = this.classify(windows, from);
  }

  /** SHA-256 of the bundle that runs. */
  async running(): Promise<string | undefined> {
    const model = await connectModel(this.socket);
    try {
      return (await model.describe())?.model;
    } finally {
      await model.close();
    }
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.work;
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    if (this.child.exitCode === null && this.child.kill('SIGTERM')) await ended;
  }

  private async classify(windows: Windows, from: number): Promise<void> {
    const batches = Math.floor(windows.labels.length / BATCH);
    const { signal } = this.stop;
    let model: ModelClient | undefined;
    let right = 0;
    for (let n = 0; !signal.aborted; n++) {
      try {
        model ??= await connectModel(this.socket);
        right += await rightIn(model, windows, ((from + n) % batches) * BATCH);
        if (n % TELL_EVERY === TELL_EVERY - 1) {
          await model.measure({ accuracy: right / (TELL_EVERY * BATCH) });
          right = 0;
        }
      } catch {
        // No model yet, or an agent that starts.
        right = 0;
        n = -1;
      }
      await pause(EVERY, undefined, { signal }).catch(() => undefined);
    }
    await model?.close();
  }
}

/** How many windows of a batch the model has right. */
async function rightIn(model: ModelClient, { data, labels }: Windows, at: number): Promise<number> {
  const batch = data.slice(at * WINDOW, (at + BATCH) * WINDOW);
  const answer = await model.run({ windows: { dtype: 'f32', shape: [BATCH, WINDOW], data: batch } });
  const scores = answer.outputs.scores!.data as Float32Array;
  let right = 0;
  for (let i = 0; i < BATCH; i++) {
    const row = scores.subarray(i * CLASSES, (i + 1) * CLASSES);
    if (row.indexOf(Math.max(...row)) === labels[at + i]) right++;
  }
  return right;
}
