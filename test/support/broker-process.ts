import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from './until.ts';

/** How to run a broker that is installed on the machine. */
export interface BrokerKind {
  readonly name: string;
  readonly program: string;
  /** Of the protocol, as `MqttOptions` has them. */
  readonly versions: readonly (4 | 5)[];
  /** Longest start, seconds. */
  readonly patience: number;
  /** Writes its configuration into a folder of its own. */
  configure(folder: string, port: number, spare: number): Promise<{ args: string[]; env?: Record<string, string> }>;
  /** What it leaves behind besides its process. */
  cleanUp?(env: Record<string, string>): void;
}

export const BROKERS: readonly BrokerKind[] = [
  {
    name: 'mosquitto',
    program: '/usr/sbin/mosquitto',
    versions: [4, 5],
    patience: 30,
    configure: async (folder, port) => {
      const file = join(folder, 'mosquitto.conf');
      await writeFile(file, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
      return { args: ['-c', file] };
    },
  },
  {
    name: 'nats-server',
    program: '/usr/sbin/nats-server',
    versions: [4],
    patience: 60,
    configure: async (folder, port, spare) => {
      const file = join(folder, 'nats.conf');
      const text = [
        'server_name: one',
        `listen: 127.0.0.1:${spare}`,
        `jetstream { store_dir: "${folder}/data" }`,
        `mqtt { listen: "127.0.0.1:${port}" }`,
      ];
      await writeFile(file, text.join('\n'));
      return { args: ['-c', file] };
    },
  },
  {
    name: 'rabbitmq-server',
    program: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    versions: [4],
    patience: 120,
    configure: async (folder, port, spare) => {
      const text = [
        'listeners.tcp = none',
        `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`,
        'mqtt.allow_anonymous = true',
        'loopback_users = none',
      ];
      await writeFile(join(folder, 'rabbit.conf'), text.join('\n'));
      await writeFile(join(folder, 'plugins'), '[rabbitmq_mqtt].');
      const env = {
        HOME: folder,
        RABBITMQ_NODENAME: `eigenweights${port}@localhost`,
        RABBITMQ_DIST_PORT: String(spare),
        RABBITMQ_MNESIA_BASE: join(folder, 'db'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbit'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
        ERL_EPMD_ADDRESS: '127.0.0.1',
        ERL_EPMD_PORT: String(await freePort()),
      };
      return { args: [], env };
    },
    cleanUp: (env) => void spawnSync('epmd', ['-kill'], { env: { ...process.env, ...env }, stdio: 'ignore' }),
  },
];

/** A broker in a process and a folder of its own. */
export class BrokerProcess {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly cleanUp: () => void;

  private constructor(port: number, child: ChildProcess, folder: string, cleanUp: () => void) {
    this.port = port;
    this.child = child;
    this.folder = folder;
    this.cleanUp = cleanUp;
  }

  /** Undefined where it is not installed. */
  static async start(kind: BrokerKind): Promise<BrokerProcess | undefined> {
    if (!existsSync(kind.program)) return undefined;
    const folder = await mkdtemp(join(tmpdir(), 'ew-broker-'));
    const [port, spare] = [await freePort(), await freePort()];
    const { args, env = {} } = await kind.configure(folder, port, spare);
    const child = spawn(kind.program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream!.on('data', (text) => {
        output = `${output}${text}`.slice(-4000);
      });
    const broker = new BrokerProcess(port, child, folder, () => kind.cleanUp?.(env));
    const until = performance.now() + 1000 * kind.patience;
    while (!(await listens(port))) {
      if (performance.now() < until && child.exitCode === null) continue;
      await broker.stop();
      throw new Error(`${kind.name} did not start:\n${output}`);
    }
    return broker;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const ended = new Promise<void>((resolve) => void this.child.once('exit', () => resolve()));
      this.child.kill('SIGTERM');
      await within('the broker ends', ended).catch(() => this.child.kill('SIGKILL'));
    }
    this.cleanUp();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return typeof address === 'object' && address ? address.port : 0;
}

/** Whether something listens; looks twice a second. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => setTimeout(() => resolve(false), 500));
  });
}
