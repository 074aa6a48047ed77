import { createConnection, type Socket } from 'node:net';
import { EigenError } from '../../util/errors.ts';
import type { Answered, Serving } from '../agent/host.ts';
import type { Tensors } from '../agent/model.ts';
import { FrameReader } from './frames.ts';
import {
  decodeReply,
  encodeFrame,
  packTensors,
  type Reply,
  type Request,
  unpackError,
  unpackTensors,
} from './messages.ts';
import type { ModelClient } from './model-client.ts';

/** Largest answer that is taken, bytes. */
const MOST_REPLY = 1 << 30;

interface Waiting {
  resolve(reply: Reply): void;
  reject(e: unknown): void;
}

/** Without its number. */
type Question = Request extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never;

/**
 * Connects to the agent of this device by the path of its socket. Where the connection is lost (the agent starts again after an update
 * of itself) what was asked fails, and the next question connects again.
 * @throws EigenError EW5004_AGENT_UNREACHABLE.
 */
export async function connectModel(path: string): Promise<ModelClient> {
  const client = new SocketClient(path);
  await client.connected();
  return client;
}

class SocketClient implements ModelClient {
  private readonly path: string;
  private connection: Promise<Connection> | undefined;
  private readonly listeners = new Set<(serving: Serving | undefined) => void>();
  private closed = false;

  constructor(path: string) {
    this.path = path;
  }

  connected(): Promise<Connection> {
    if (this.closed) throw unreachable(this.path, 'the client was closed');
    this.connection ??= Connection.open(this.path, {
      changed: (serving) => {
        for (const listener of this.listeners) listener(serving);
      },
      ended: () => {
        this.connection = undefined;
      },
    });
    return this.connection;
  }

  async describe(): Promise<Serving | undefined> {
    return (await this.connected()).serving;
  }

  async run(inputs: Tensors): Promise<Answered> {
    const reply = await this.ask({ op: 'run', inputs: packTensors(inputs) });
    if (reply.type !== 'outputs') throw unreachable(this.path, `it answered with '${reply.type}'`);
    return { model: reply.model, outputs: unpackTensors(reply.outputs) };
  }

  async measure(values: Readonly<Record<string, number>>): Promise<void> {
    await this.ask({ op: 'measure', values });
  }

  onChange(listener: (serving: Serving | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    const { connection } = this;
    (await connection?.catch(() => undefined))?.close();
  }

  private async ask(question: Question): Promise<Reply> {
    return (await this.connected()).ask(question);
  }
}

interface Events {
  changed(serving: Serving | undefined): void;
  ended(): void;
}

/** One connection, from the agent's first word about what runs. */
class Connection {
  serving: Serving | undefined;
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;
  private failed: EigenError | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  static open(path: string, events: Events): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ path });
      const connection = new Connection(socket);
      const reader = new FrameReader(() => MOST_REPLY);
      let why: unknown;
      socket.on('error', (e) => {
        why = e;
      });
      socket.on('data', (chunk) => {
        try {
          for (const body of reader.push(chunk)) {
            const reply = decodeReply(body);
            if (reply.type === 'failed' && reply.id === undefined) why = unpackError(reply.error);
            connection.take(reply, events);
            if (reply.type === 'serving') resolve(connection);
          }
        } catch (e) {
          why = e;
          socket.destroy();
        }
      });
      socket.on('close', () => {
        const error = why instanceof EigenError ? why : unreachable(path, reasonOf(why));
        events.ended();
        connection.fail(error);
        reject(error);
      });
    });
  }

  ask(question: Question): Promise<Reply> {
    if (this.failed) return Promise.reject(this.failed);
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, reject });
      this.socket.ref();
      this.socket.write(encodeFrame({ ...question, id }));
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(reply: Reply, events: Events): void {
    if (reply.type === 'serving') {
      this.serving = reply.serving ?? undefined;
      events.changed(this.serving);
      this.rest();
      return;
    }
    if (reply.id === undefined) return;
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    this.rest();
    if (reply.type === 'failed') waiting?.reject(unpackError(reply.error));
    else waiting?.resolve(reply);
  }

  /** A program that has nothing left to do but to listen may end. */
  private rest(): void {
    if (this.waiting.size === 0) this.socket.unref();
  }

  private fail(e: EigenError): void {
    this.failed = e;
    for (const { reject } of this.waiting.values()) reject(e);
    this.waiting.clear();
  }
}

function reasonOf(e: unknown): string {
  return e instanceof Error ? e.message : 'the connection was closed';
}

function unreachable(path: string, reason: string): EigenError {
  return new EigenError('EW5004_AGENT_UNREACHABLE', `the agent at ${path} cannot be reached: ${reason}`, {
    hint: 'Check that it runs and that the user of this program is in its group.',
    details: { path },
  });
}
