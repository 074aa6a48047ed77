import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { writeToStream } from 'mqtt-packet';
import type { Transport } from '../../transport/index.ts';
import { EigenError } from '../../util/errors.ts';
import { FrameLimit } from './frames.ts';
import { LocalTransport } from './local-transport.ts';
import { NoSessions } from './no-sessions.ts';
import { Rights } from './rights.ts';

/** What a client says it is. */
export interface Login {
  /** Of its certificate, which our authority has signed. */
  readonly certificate?: { readonly commonName: string; readonly sha256: string };
  readonly username?: string;
  readonly password?: Uint8Array;
}

export interface BrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly namespace: string;
  /** PEM. Clients may have certificates of this authority. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** The name of the device, or undefined when it has none here. */
  login(login: Login): Promise<string | undefined>;
  /** Hears of everything that was refused: `login`, `publish`, `subscribe`, `frame`, `protocol`. */
  onRefused(what: string, why: string): void;
}

/** Longest message of a device: a request with its topic; chunks only go to devices. */
const MOST_FRAME = 32_768;
/** Levels of a topic; the protocol's have five. */
const MOST_LEVELS = 8;
/** Milliseconds that a client may take to read what it was sent, and to connect. */
const DRAIN = 30_000;
const CONNECT = 20_000;
/** Longest keepalive, seconds: what is gone is noticed in half as much more. */
const KEEPALIVE = 600;

const REFUSED_ID = 2;
const REFUSED_LOGIN = 4;

/**
 * The broker in the controller's process. Devices say who they are, and have their own topics only. It keeps no sessions: what counts is in the
 * database and is said again.
 */
export class Broker {
  readonly transport: Transport;
  readonly port: number;
  private readonly aedes: Aedes;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(aedes: Aedes, server: Server, port: number, sockets: Set<Socket>) {
    this.aedes = aedes;
    this.server = server;
    this.port = port;
    this.sockets = sockets;
    this.transport = new LocalTransport(aedes);
  }

  /** @throws EigenError EW5203_ADDRESS_IN_USE where it cannot listen. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const { namespace, onRefused } = options;
    const rights = new WeakMap<Client, Rights>();
    const refuse = (what: string, why: string): Error => {
      onRefused(what, why);
      return new Error(why);
    };
    // It would keep a buffer for each of 65536 numbers, 15 MB.
    writeToStream.cacheNumbers = false;
    const aedes = await Aedes.createBroker({
      persistence: new NoSessions(),
      // No limit: with one, messages to all wait for devices that do not read theirs, and a long queue is worked off by recursion.
      concurrency: 0,
      maxTopicLevels: MOST_LEVELS,
      drainTimeout: DRAIN,
      connectTimeout: CONNECT,
      keepaliveLimit: KEEPALIVE,
      maxClientsIdLength: 64,
      maxInflightInbound: 1,
      preConnect: (_client, packet, done) => {
        packet.clean = true;
        done(null, true);
      },
      authenticate: (client, username, password, done) => {
        const fail = (returnCode: number, why: string): void =>
          done(Object.assign(refuse('login', why), { returnCode }) as AuthenticateError, false);
        options.login(loginOf(client, username, password)).then(
          (device) => {
            if (device === undefined)
              return fail(REFUSED_LOGIN, `'${username ?? client.id}' is not known, or not by this`);
            // A connection ends another of its name: nobody may take that of somebody else.
            if (client.id !== device) return fail(REFUSED_ID, `${device} calls its connection '${client.id}'`);
            rights.set(client, new Rights(namespace, device));
            done(null, true);
          },
          (e: unknown) => fail(3, `nobody can be let in: ${e instanceof Error ? e.message : e}`),
        );
      },
      authorizePublish: (client, packet, done) => {
        const { topic, qos, retain } = packet;
        // The controller itself has no client.
        const own = client && rights.get(client);
        const problem = own ? own.publishProblem(topic, { qos, retain }) : client && 'it is nobody';
        // Presence is kept for controllers that come later. The one that is here hears it now; and to look through what is kept for every
        // subscription of ten thousand devices takes minutes.
        packet.retain = false;
        done(problem ? refuse('publish', problem) : null);
      },
      authorizeSubscribe: (client, subscription, done) => {
        const own = rights.get(client);
        const problem = own ? own.subscribeProblem(subscription.topic) : 'it is nobody';
        // Refused in the answer; the connection stays.
        if (problem) onRefused('subscribe', problem);
        done(null, problem ? null : subscription);
      },
    });
    aedes.on('connectionError', (_client, e) => onRefused('protocol', e.message));
    const sockets = new Set<Socket>();
    const handle = (socket: Socket): void => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      limitFrames(socket, () => onRefused('frame', `a message of more than ${MOST_FRAME} bytes`));
      aedes.handle(socket);
    };
    const server = options.tls
      ? createTlsServer({ ...options.tls, requestCert: true, rejectUnauthorized: false, noDelay: true }, handle)
      : createServer({ noDelay: true }, handle);
    server.on('tlsClientError', (e: Error) => onRefused('protocol', e.message));
    const port = await listen(server, options).catch((e: unknown) => {
      // Its timers would keep the process alive.
      aedes.close();
      throw e;
    });
    return new Broker(aedes, server, port, sockets);
  }

  get clients(): number {
    return this.sockets.size;
  }

  /** Ends the connection of a device, whose credentials hold no more. */
  expel(device: string): void {
    (this.aedes as unknown as { clients: Record<string, Client> }).clients[device]?.close();
  }

  async close(): Promise<void> {
    await this.transport.close();
    const closed = new Promise<void>((resolve) => void this.server.close(() => resolve()));
    await new Promise<void>((resolve) => this.aedes.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

function loginOf(client: Client, username: string | undefined, password: Buffer | undefined): Login {
  const socket = client.conn as Socket | TLSSocket;
  const peer = 'authorized' in socket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (!peer) return { ...(username === undefined ? {} : { username }), ...(password ? { password } : {}) };
  const commonName = /^CN=(.*)$/m.exec(peer.subject)?.[1] ?? '';
  return { certificate: { commonName, sha256: peer.fingerprint256.replaceAll(':', '').toLowerCase() } };
}

/** aedes collects a message before it looks at it: one that is too long is to end before that. */
function limitFrames(socket: Socket, onProblem: () => void): void {
  const frames = new FrameLimit(MOST_FRAME);
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    const bytes = read(size);
    if (!(bytes instanceof Uint8Array) || frames.take(bytes)) return bytes;
    onProblem();
    socket.destroy();
    return null;
  };
}

function listen(server: Server, { host, port }: BrokerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)));
    server.listen({ host, port, backlog: 4096 }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

export function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): EigenError {
  return new EigenError('EW5203_ADDRESS_IN_USE', `cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`, {
    hint: 'Choose another port, or 0 for a free one.',
    details: { host, port },
    cause,
  });
}
