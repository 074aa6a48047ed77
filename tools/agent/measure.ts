import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initKeys } from '../../sdk/app/keys.ts';
import { publishBundle } from '../../sdk/app/publish.ts';
import { connectModel } from '../../sdk/device/client/socket-client.ts';
import { type RunningController, serve } from '../../sdk/fleet/serve/serve.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { buildAgent } from '../lib/agent-file.ts';
import { BOARD, megabyteBundle, SIDE } from './megabytes.ts';

/** What an agent takes: the real one, in one file, connected to a controller over MQTT, with a model of a megabyte. */
export interface AgentFigures {
  readonly fileBytes: number;
  readonly bundleBytes: number;
  /** Of the process when it is idle, bytes: all that is resident, and its share of what it shares with others. */
  readonly residentBytes: number;
  readonly proportionalBytes: number;
  /** The most that was ever resident: while the model was installed. */
  readonly peakBytes: number;
  /** Share of one core, idle. */
  readonly idleCpu: number;
}

const DEVICE = 'measured';
const PATIENCE = 120_000;

/** @param idleSeconds how long it is watched. */
export async function measureAgent(idleSeconds: number): Promise<AgentFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'ew-measure-'));
  const data = join(folder, 'fleet');
  await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
  const controller = await serve({
    ...{ data, namespace: 'default', host: '127.0.0.1', port: 0, mqttPort: 0, names: ['127.0.0.1'], tls: false },
    terms: { limits: {}, shadowInputs: 0, probation: { milliseconds: 1000 } },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  let agent: ChildProcess | undefined;
  try {
    const file = join(folder, 'agent.cjs');
    await buildAgent(file);
    const bundle = join(folder, 'model.ewb');
    await writeFile(bundle, await megabyteBundle(1));
    const config = await configure(folder, data, controller);
    agent = spawn(process.execPath, [file, '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
    const { sha256 } = await publishBundle({ folder: data, bundle, family: 'measured' });
    await ask(controller, data, '/v1/desired', { key: 'one', devices: [DEVICE], action: 'install', target: sha256 });
    await until(async () => (await stateOf(controller, data)) === 'committed');
    await infer(join(folder, 'agent.sock'));
    return {
      fileBytes: (await stat(file)).size,
      bundleBytes: (await stat(bundle)).size,
      ...(await watch(agent.pid!, idleSeconds)),
    };
  } finally {
    agent?.kill('SIGKILL');
    await controller.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function configure(folder: string, data: string, controller: RunningController): Promise<string> {
  const made = await ask<{ token: string }>(controller, data, '/v1/enrolments', { tags: {} });
  const enrolled = await ask<{ password: string }>(controller, data, '/v1/enrol', {
    token: made.token,
    device: DEVICE,
  });
  await writeFile(join(folder, 'password'), enrolled.password, { mode: 0o600 });
  const config = {
    ...{ device: DEVICE, board: BOARD, state: 'state', socket: 'agent.sock' },
    controller: {
      root: join(data, 'metadata/1.root.json'),
      mqtt: { url: controller.brokerUrl, passwordFile: 'password' },
    },
  };
  const file = join(folder, 'agent.json');
  await writeFile(file, JSON.stringify(config));
  return file;
}

async function ask<T>({ url }: RunningController, data: string, path: string, body?: unknown): Promise<T> {
  const token = (await readFile(join(data, 'admin.token'), 'utf8')).trim();
  const response = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface DeviceAnswer {
  readonly device: { readonly desired: { readonly state: string } | null };
}

async function stateOf(controller: RunningController, data: string): Promise<string | undefined> {
  return (await ask<DeviceAnswer>(controller, data, `/v1/devices/${DEVICE}`)).device.desired?.state;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE; !(await holds()); ) {
    if (performance.now() > end) throw new Error(`nothing happened for ${PATIENCE / 1000} s`);
    await sleep(200);
  }
}

async function infer(socket: string): Promise<void> {
  const model = await connectModel(socket);
  await model.run({ x: tensor('f32', [1, SIDE]) });
  await model.close();
}

/** Ticks of a second in /proc/PID/stat, on every Linux. */
const TICKS = 100;

async function watch(pid: number, seconds: number) {
  // What an update leaves behind is collected when the process rests.
  await sleep(3000);
  const before = await ticksOf(pid);
  await sleep(seconds * 1000);
  const ticks = (await ticksOf(pid)) - before;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const shares = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    residentBytes: kilobytes(status, 'VmRSS'),
    peakBytes: kilobytes(status, 'VmHWM'),
    proportionalBytes: kilobytes(shares, 'Pss'),
    idleCpu: ticks / TICKS / seconds,
  };
}

async function ticksOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [, , , , , , , , , , , user, system] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return user! + system!;
}

function kilobytes(text: string, name: string): number {
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
