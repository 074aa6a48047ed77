import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { connectMqtt, type Transport } from '../../transport/index.ts';
import { type Clock, pause, systemClock } from '../../util/clock.ts';
import type { Terms } from '../../wire/metadata.ts';
import { shardOf } from '../../wire/protocol/topics.ts';
import { AuditLog } from '../access/audit.ts';
import { Credentials } from '../access/credentials.ts';
import { Enrolment } from '../access/enrolment.ts';
import { newId } from '../access/secrets.ts';
import { ApiTokens } from '../access/tokens.ts';
import { apiOf } from '../api/app.ts';
import { BlobFolder, BlobServer, blobHandler, Uploads } from '../blobs/index.ts';
import { Broker } from '../broker/broker.ts';
import { CONTROLLER } from '../broker/rules.ts';
import { Controller } from '../controller/controller.ts';
import { Metrics } from '../controller/metrics.ts';
import { type Database, openEmbedded, openServer } from '../database/index.ts';
import type { Fleet } from '../fleet.ts';
import type { Logger } from '../log.ts';
import { rolloutTask } from '../rollout/task.ts';
import { fleetTrust } from '../trust/service.ts';
import { type Certificates, certificatesIn } from './certificates.ts';
import { DataFolder } from './folder.ts';
import { housekeeping } from './housekeeping.ts';
import { serveHttp } from './http.ts';

export interface ServeOptions {
  /** Data folder. */
  readonly data: string;
  readonly namespace: string;
  /** Where to listen. */
  readonly host: string;
  /** Of the API and the blobs, and of the broker; 0 takes a free one. */
  readonly port: number;
  readonly mqttPort: number;
  /** Names and addresses that this controller is reached under; the first is what devices are told. */
  readonly names: readonly string[];
  /** TLS for everything, with an authority of the fleet's own: devices get certificates. */
  readonly tls: boolean;
  /** A broker elsewhere, in place of the one in this process. */
  readonly broker?: ExternalBroker;
  /** A PostgreSQL server, in place of PGlite in the data folder. */
  readonly databaseUrl?: string;
  /** Key of the audit log where several controllers share it; else one is made and kept in the data folder. */
  readonly auditKey?: Uint8Array;
  /** How bundles are to be installed. */
  readonly terms?: Terms;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface ExternalBroker {
  readonly url: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  /** PEM. */
  readonly ca?: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
}

/** A controller that works, and what it is reached under. */
export interface RunningController {
  readonly url: string;
  readonly brokerUrl: string;
  readonly fleet: Fleet;
  readonly controller: Controller;
  /** Ends everything in order; what was heard is written. */
  stop(): Promise<void>;
}

/** Undoes one step of the start. */
type Ending = () => unknown;

/** Starts a controller with everything that belongs to it. @throws EigenError for what it cannot open. */
export async function serve(options: ServeOptions): Promise<RunningController> {
  const ending: Ending[] = [];
  const stop = async (): Promise<void> => {
    for (let end = ending.pop(); end; end = ending.pop()) await end();
  };
  try {
    return await assemble(options, ending, stop);
  } catch (e) {
    await stop();
    throw e;
  }
}

async function assemble(
  options: ServeOptions,
  ending: Ending[],
  stop: () => Promise<void>,
): Promise<RunningController> {
  const { log, namespace, host, clock = systemClock } = options;
  const folder = await DataFolder.open(options.data);
  ending.push(() => folder.close());
  const database = await (options.databaseUrl === undefined
    ? openEmbedded(folder.file('database'))
    : openServer({ url: options.databaseUrl }));
  ending.push(() => database.close());
  const metrics = new Metrics();
  const certificates = options.tls ? await certificatesIn(folder, options.names, clock.now()) : undefined;
  const link = await openLink(options, { database, certificates, metrics });
  ending.push(() => link.close());
  const blobs = new BlobFolder(folder.path);
  ending.push(() => blobs.close());
  const { metadata, renewal, listed, publish } = fleetTrust({
    ...{ folder: folder.path, database, blobs, log, now: () => clock.now() },
    ...(options.terms ? { terms: options.terms } : {}),
  });
  const controller: Controller = new Controller({
    ...{ database, namespace, clock, log, metrics },
    id: `${hostname()}-${process.pid}-${newId()}`,
    transport: link.transport,
    random: Math.random,
    tasks: [housekeeping, renewal, rolloutTask({ log, onTold: () => controller.publishSoon() })],
    queue: () => blobServer.waiting,
  });
  const serves = (device: string): boolean => controller.leases.holds(shardOf(device));
  const blobServer: BlobServer = await BlobServer.start({
    transport: link.transport,
    namespace,
    blobs,
    metadata,
    serves,
    clock,
  });
  ending.push(() => blobServer.close());
  const fleet: Fleet = {
    ...{ database, controller, metrics, log, clock, namespace, listed, publishTargets: publish },
    uploads: new Uploads(folder.path, blobs, () => clock.now()),
    audit: new AuditLog(database, options.auditKey ?? (await auditKeyIn(folder))),
    tokens: new ApiTokens(database),
    enrolment: new Enrolment(database, certificates?.authority),
    brokerUrl: link.url,
    expel: link.expel,
  };
  const http = await serveHttp({
    ...{ host, port: options.port },
    ...(certificates ? { tls: { cert: certificates.server.certificate, key: certificates.server.key } } : {}),
    api: apiOf(fleet),
    blobs: blobHandler(blobs, metadata),
    onError: (error) => log.error('http-failed', { error }),
  });
  ending.push(() => http.close());
  await controller.start();
  ending.push(() => controller.stop());
  const url = `${options.tls ? 'https' : 'http'}://${options.names[0] ?? host}:${http.port}`;
  await folder.write('url', url);
  await firstToken(folder, fleet);
  log.info('started', { url, broker: link.url, namespace });
  return { url, brokerUrl: link.url, fleet, controller, stop };
}

interface Link {
  readonly transport: Transport;
  readonly url: string;
  readonly expel: (device: string) => void;
  close(): Promise<void>;
}

interface LinkParts {
  readonly database: Database;
  readonly certificates: Certificates | undefined;
  readonly metrics: Metrics;
}

async function openLink(options: ServeOptions, parts: LinkParts): Promise<Link> {
  return options.broker ? externalLink(options.broker, options, parts.certificates) : embeddedLink(options, parts);
}

/** How long the start waits for a broker elsewhere, milliseconds: devices that appear before are not heard. */
const MOST_WAIT = 10_000;

async function externalLink(
  { url, username, password, ca, cert, key }: ExternalBroker,
  { log, clock = systemClock }: ServeOptions,
  certificates: Certificates | undefined,
): Promise<Link> {
  // Who has no login there shows a certificate of the authority that devices have theirs from.
  const own =
    cert || username !== undefined ? undefined : await certificates?.authority.client(CONTROLLER, clock.now());
  const transport = connectMqtt({
    url,
    clientId: `controller-${newId()}`,
    ...(username === undefined ? {} : { username }),
    ...(password ? { password } : {}),
    tls: {
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(own ? { cert: Buffer.from(own.certificate), key: Buffer.from(own.key) } : {}),
    },
    onProblem: (error) => log.warn('broker-problem', { error }),
  });
  await connected(transport, clock);
  // Whom it lets in is that broker's to say.
  return { transport, url, expel: () => undefined, close: () => transport.close() };
}

/** Returns when there is a connection, or has been none for too long: it comes later then. */
async function connected(transport: Transport, clock: Clock): Promise<void> {
  const there = new AbortController();
  const unlisten = transport.onState((is) => is && there.abort());
  if (!transport.connected) await pause(clock, MOST_WAIT, there.signal);
  unlisten();
}

async function embeddedLink(options: ServeOptions, { database, certificates, metrics }: LinkParts): Promise<Link> {
  const { host, mqttPort, namespace, log, names } = options;
  const credentials = new Credentials(database, options.clock ?? systemClock);
  const tls = certificates && {
    cert: certificates.server.certificate,
    key: certificates.server.key,
    ca: certificates.authority.certificate,
  };
  const broker = await Broker.open({
    ...{ host, port: mqttPort, namespace },
    ...(tls ? { tls } : {}),
    login: (login) => credentials.login(login),
    onRefused: (what, why) => {
      metrics.brokerRefused.inc({ what });
      log.warn('broker-refused', { what, why });
    },
  });
  const counting = setInterval(() => metrics.clients.set(broker.clients), 1000);
  counting.unref();
  return {
    transport: broker.transport,
    url: `${tls ? 'mqtts' : 'mqtt'}://${names[0] ?? host}:${broker.port}`,
    expel: (device) => broker.expel(device),
    close: async () => {
      clearInterval(counting);
      await broker.close();
    },
  };
}

async function auditKeyIn(folder: DataFolder): Promise<Uint8Array> {
  const kept = await folder.read('audit.key');
  if (kept) return kept;
  const made = new Uint8Array(randomBytes(32));
  await folder.write('audit.key', made);
  return made;
}

/** The first start leaves a token of an administrator in the data folder. */
async function firstToken(folder: DataFolder, { tokens, audit, clock }: Fleet): Promise<void> {
  if ((await tokens.list()).some((t) => t.role === 'admin' && t.revoked === null)) return;
  const now = clock.now();
  const { token, secret } = await tokens.create('first', 'admin', now);
  await folder.write('admin.token', `${secret}\n`);
  await audit.add([
    { at: now, actor: 'controller', action: 'token-create', subject: token.id, details: { role: 'admin' } },
  ]);
}
