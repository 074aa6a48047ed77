import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerKind as RulesKind } from '../../sdk/fleet/broker/rules.ts';
import { within } from './until.ts';

/** How to run a broker that is installed on the machine. */
export interface BrokerKind {
  readonly name: string;
  /** As `eigenweights broker-rules` calls it. */
  readonly rules: RulesKind;
  readonly program: string;
  /** Of the protocol, as `MqttOptions` has them. */
  readonly versions: readonly (4 | 5)[];
  /** Longest start, seconds. */
  readonly patience: number;
  /** Writes its configuration into a folder of its own. */
  configure(place: BrokerPlace): Promise<{ args: string[]; env?: Record<string, string> }>;
  /** What it leaves behind besides its process. */
  cleanUp?(env: Record<string, string>): void;
}

export interface BrokerPlace {
  readonly folder: string;
  readonly port: number;
  /** Of another port, for what it has besides. */
  readonly spare: number;
  /** Lets in who has a certificate; else everybody may everything. */
  readonly guard?: BrokerGuard;
}

export interface BrokerGuard {
  /** What `eigenweights broker-rules` writes. */
  readonly rules: string;
  /** PEM: the authority, and what the broker shows. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Writes what a guard needs; where. */
async function guardFiles(
  folder: string,
  { rules, ca, cert, key }: BrokerGuard,
): Promise<Record<'rules' | 'ca' | 'cert' | 'key', string>> {
  const files = {
    rules: join(folder, 'rules'),
    ca: join(folder, 'ca.crt'),
    cert: join(folder, 'own.crt'),
    key: join(folder, 'own.key'),
  };
  for (const [name, text] of Object.entries({ rules, ca, cert, key }))
    await writeFile(files[name as keyof typeof files], text);
  return files;
}

export const BROKERS: readonly BrokerKind[] = [
  {
    name: 'mosquitto',
    rules: 'mosquitto',
    program: '/usr/sbin/mosquitto',
    versions: [4, 5],
    patience: 30,
    configure: async ({ folder, port, guard }) => {
      const file = join(folder, 'mosquitto.conf');
      const text = ['user root', `listener ${port} 127.0.0.1`, `allow_anonymous ${!guard}`];
      if (guard) {
        const { rules, ca, cert, key } = await guardFiles(folder, guard);
        text.push(`cafile ${ca}`, `certfile ${cert}`, `keyfile ${key}`, `acl_file ${rules}`);
        text.push('require_certificate true', 'use_identity_as_username true');
      }
      await writeFile(file, `${text.join('\n')}\n`);
      return { args: ['-c', file] };
    },
  },
  {
    name: 'nats-server',
    rules: 'nats',
    program: '/usr/sbin/nats-server',
    versions: [4],
    patience: 60,
    configure: async ({ folder, port, spare, guard }) => {
      const file = join(folder, 'nats.conf');
      const files = guard && (await guardFiles(folder, guard));
      const tls = files
        ? `tls { cert_file: "${files.cert}", key_file: "${files.key}", ca_file: "${files.ca}", verify_and_map: true }`
        : '';
      const text = [
        'server_name: one',
        `listen: 127.0.0.1:${spare}`,
        `jetstream { store_dir: "${folder}/data" }`,
        `mqtt { listen: "127.0.0.1:${port}"\n${tls} }`,
        guard?.rules ?? '',
      ];
      await writeFile(file, text.join('\n'));
      return { args: ['-c', file] };
    },
  },
  {
    name: 'rabbitmq-server',
    rules: 'rabbitmq',
    program: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    versions: [4],
    patience: 120,
    configure: async ({ folder, port, spare, guard }) => {
      const text = ['listeners.tcp = none', 'loopback_users = none', `mqtt.allow_anonymous = ${!guard}`];
      if (guard) {
        const { rules, ca, cert, key } = await guardFiles(folder, guard);
        text.push('mqtt.listeners.tcp = none', `mqtt.listeners.ssl.1 = 127.0.0.1:${port}`);
        text.push(`ssl_options.cacertfile = ${ca}`, `ssl_options.certfile = ${cert}`, `ssl_options.keyfile = ${key}`);
        text.push('ssl_options.verify = verify_peer', 'ssl_options.fail_if_no_peer_cert = true');
        text.push('ssl_cert_login_from = common_name', 'mqtt.ssl_cert_login = true', `load_definitions = ${rules}`);
      } else text.push(`mqtt.listeners.tcp.1 = 127.0.0.1:${port}`);
      await writeFile(join(folder, 'rabbit.conf'), text.join('\n'));
      await writeFile(join(folder, 'plugins'), '[rabbitmq_mqtt, rabbitmq_auth_mechanism_ssl].');
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
  static async start(kind: BrokerKind, guard?: BrokerGuard): Promise<BrokerProcess | undefined> {
    if (!existsSync(kind.program)) return undefined;
    const folder = await mkdtemp(join(tmpdir(), 'ew-broker-'));
    const [port, spare] = [await freePort(), await freePort()];
    const { args, env = {} } = await kind.configure({ folder, port, spare, ...(guard ? { guard } : {}) });
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
