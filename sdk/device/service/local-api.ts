import { chmod, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { byteLength } from '../../util/tensor.ts';
import type { ModelHost } from '../agent/host.ts';
import { FrameReader } from '../client/frames.ts';
import {
  decodeRequest,
  encodeFrame,
  OVERHEAD_BYTES,
  packError,
  packServing,
  packTensors,
  type Reply,
  unpackTensors,
} from '../client/messages.ts';
import { codeOf } from '../fs/whole-files.ts';
import type { Monitor } from './monitor.ts';

/** Applications that may be connected at a time. */
const MOST_CLIENTS = 64;
/** Owner and group may connect. */
const MODE = 0o660;

/** The model for the applications of a device, at a Unix socket. */
export class LocalApi {
  private readonly server: Server;
  private readonly connections = new Set<Connection>();

  private constructor(server: Server) {
    this.server = server;
  }

  /** Listens at a path; the folder of it is there, and the state folder is locked: a socket that is there is left from before. */
  static async open(path: string, host: ModelHost, monitor: Monitor): Promise<LocalApi> {
    await unlink(path).catch((e) => {
      if (codeOf(e) !== 'ENOENT') throw e;
    });
    const server = createServer();
    const api = new LocalApi(server);
    server.maxConnections = MOST_CLIENTS;
    server.on('connection', (socket) => {
      const connection = new Connection(socket, host, monitor);
      api.connections.add(connection);
      void connection.serve().finally(() => api.connections.delete(connection));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ path }, () => resolve());
    });
    // Before this only the owner may write to it, and so connect, unless the umask is none.
    await chmod(path, MODE);
    host.onSwap(() => {
      for (const connection of api.connections) connection.changed();
    });
    return api;
  }

  /** Answers what is being answered, and closes. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const connection of this.connections) connection.close();
    await closed;
  }
}

/**
 * An application's connection. One request at a time is read and answered, and no more is read before the answer was taken: an
 * application that sends faster than the model runs, or does not read, is held up by its own socket.
 */
class Connection {
  private readonly socket: Socket;
  private readonly host: ModelHost;
  private readonly monitor: Monitor;
  private told = true;

  constructor(socket: Socket, host: ModelHost, monitor: Monitor) {
    this.socket = socket;
    this.host = host;
    this.monitor = monitor;
  }

  async serve(): Promise<void> {
    const { socket } = this;
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.tell());
    this.changed();
    try {
      const reader = new FrameReader(() => this.mostBytes());
      for await (const chunk of socket.iterator({ destroyOnReturn: false }))
        for (const body of reader.push(chunk as Uint8Array)) {
          await this.send(await this.answer(body));
          // The others get their turn.
          await nextTurn();
        }
    } catch (e) {
      // A frame that is too long, or none: what follows it cannot be read.
      if (socket.writable) socket.end(encodeFrame({ type: 'failed', error: packError(e) }));
    }
    socket.destroySoon();
  }

  /** The model has changed; said as soon as what was sent before was taken. */
  changed(): void {
    this.told = false;
    this.tell();
  }

  close(): void {
    this.socket.destroySoon();
  }

  private tell(): void {
    if (this.told || this.socket.writableNeedDrain || !this.socket.writable) return;
    this.told = true;
    this.socket.write(encodeFrame(packServing(this.host.describe())));
  }

  private async answer(body: Uint8Array): Promise<Reply> {
    // What is no request cannot be answered: it ends the connection.
    const request = decodeRequest(body);
    try {
      if (request.op === 'measure') {
        this.monitor.measure(request.values);
        return { type: 'done', id: request.id };
      }
      const { model, outputs } = await this.monitor.run(unpackTensors(request.inputs));
      return { type: 'outputs', id: request.id, model, outputs: packTensors(outputs) };
    } catch (e) {
      return { type: 'failed', id: request.id, error: packError(e) };
    }
  }

  private send(reply: Reply): Promise<void> {
    const { socket } = this;
    if (!socket.writable || socket.write(encodeFrame(reply))) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
  }

  /** The inputs of the model that runs, and what is around them. */
  private mostBytes(): number {
    const inputs = this.host.describe()?.signature.inputs ?? [];
    return inputs.reduce((sum, input) => sum + byteLength(input), OVERHEAD_BYTES);
  }
}
